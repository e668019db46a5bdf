"""Who waits for a turn at a gate: by age, those that a chain of further calls hangs on first."""

from __future__ import annotations

from heapq import heappop, heappush

from dfj_bootstrap.errors import DfjError
from dfj_bootstrap.limits.permit import Permit

_COUNTED = 64
"""Permits whose tokens are counted in a demand: as many as may soon go."""


class Waiting:
    """The permits whose turn has not come."""

    def __init__(self) -> None:
        self._heap: list[tuple[bool, int, Permit]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, permit: Permit) -> None:
        heappush(self._heap, (not permit.urgent, permit.number, permit))

    def first(self) -> Permit | None:
        """Whose turn is next; those that were cancelled while they waited are dropped."""
        while self._heap and self._heap[0][2].turn.done():
            heappop(self._heap)
        return self._heap[0][2] if self._heap else None

    def drop_first(self) -> None:
        """The turn of the first one has come."""
        heappop(self._heap)

    def turn_away(self, why: DfjError) -> None:
        """Nobody's turn comes any more."""
        while self._heap:
            turn = heappop(self._heap)[2].turn
            if not turn.done():
                turn.set_exception(type(why)(*why.args))

    @property
    def tokens(self) -> float:
        """What those that may soon go need."""
        return sum(permit.need.tokens for _, _, permit in self._heap[:_COUNTED])

    def usd(self, calls: int) -> float:
        """The worst case of so many of them."""
        return sum(permit.need.usd for _, _, permit in self._heap[:calls])
