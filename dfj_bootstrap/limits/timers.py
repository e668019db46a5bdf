"""The clock and the timer of an event loop, so that tests can bring their own; and an alarm by them."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Protocol


class Timers(Protocol):
    """What a gate needs of an event loop; times are seconds of one monotonic clock."""

    def time(self) -> float: ...

    def call_later(self, delay: float, callback: Callable[[], None]) -> object: ...


class LoopTimers:
    """The running event loop's, on the monotonic clock."""

    def time(self) -> float:
        return time.monotonic()

    def call_later(self, delay: float, callback: Callable[[], None]) -> object:
        return asyncio.get_running_loop().call_later(delay, callback)


class Alarm:
    """Rings once, at the earliest of the moments that it was set to."""

    def __init__(self, timers: Timers, ring: Callable[[], None]) -> None:
        self._timers = timers
        self._ring = ring
        self._at = math.inf

    def set(self, seconds: float, now: float) -> None:
        """Ring in so many seconds; not at all where they are infinite."""
        if not math.isfinite(seconds) or now + seconds >= self._at - 1e-3:
            return
        self._at = now + seconds
        self._timers.call_later(seconds, self._due)

    def _due(self) -> None:
        self._at = math.inf
        self._ring()
