"""Clocks for gates under test: one that a test moves by hand, and one on which every wait is over at once."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from itertools import count


class ManualTimers:
    """Time stands still until ``advance``; what is due on the way is called in order."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.now + delay, next(self._number), callback))

    async def advance(self, seconds: float) -> None:
        """Let so much time pass; whoever is woken on the way gets to run at that moment."""
        end = self.now + seconds
        await settled()
        while self._due and self._due[0][0] <= end:
            self.now, _, callback = heapq.heappop(self._due)
            callback()
            await settled()
        self.now = end


class QuickTimers:
    """The real clock, but for waits: each is over at once, and the clock has moved on by as much."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def time(self) -> float:
        return time.monotonic() + self._ahead

    def call_later(self, delay: float, callback: Callable[[], None]) -> None:
        due = self.time() + delay

        def fire() -> None:
            self._ahead += max(due - self.time(), 0.0)
            callback()

        asyncio.get_running_loop().call_soon(fire)


async def settled() -> None:
    """Let every task run until it waits for something."""
    for _ in range(20):
        await asyncio.sleep(0)
