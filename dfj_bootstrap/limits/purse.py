"""The dollars that this process may spend, over all its endpoints: by reservation.

The worst case of a call is set aside before it is sent, and settled by what its answer cost; that of an
attempt which got no answer and may have been paid counts as spent. Invariant: spent + reserved never passes
the cap, but for an answer that cost more than its worst case.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from dfj_bootstrap.limits.exchange import Money

DUST_USD = 1e-9
"""So much is nothing, so that sums of many small floats don't refuse a call that fits exactly."""


class Purse:
    """One per process; endless until told otherwise."""

    def __init__(self) -> None:
        self._cap = math.inf
        self._spent = 0.0
        self._reserved = 0.0
        self._reported = 0.0
        self._short: dict[str, tuple[float, float]] = {}
        self.on_more: list[Callable[[], None]] = []
        self.on_short: Callable[[], None] = lambda: None

    def take(self, who: str, usd: float) -> bool:
        """Set aside the worst case of a call of the endpoint ``who``, if it fits."""
        if usd > 0 and self._spent + self._reserved + usd > self._cap + DUST_USD:
            return False
        self._short.pop(who, None)
        self._reserved += usd
        return True

    def ask(self, who: str, usd: float, waiting: float) -> None:
        """A call waits for money; ``on_more`` says when there is more.

        Args:
            usd: its worst case.
            waiting: the worst case of all calls of ``who`` that could go now, this one included.
        """
        news = who not in self._short
        self._short[who] = (usd, waiting)
        if news:
            self.on_short()

    def settle(self, reserved: float, usd: float) -> None:
        """An attempt has ended and has cost ``usd``, or may have."""
        self._reserved -= reserved
        self._spent += usd
        self._tell()

    def forget(self, who: str) -> None:
        """No call of this endpoint waits for money any more."""
        self._short.pop(who, None)

    def allow(self, cap: float) -> None:
        """Change the cap; what is spent or set aside can't be taken back."""
        self._cap = max(cap, self._spent + self._reserved)
        self._tell()

    def report(self) -> Money:
        """How it stands; asks for as much again as is in use and was spent since the last report."""
        recent, self._reported = self._spent - self._reported, self._spent
        waiting = sum(waiting for _, waiting in self._short.values())
        return Money(
            cap=self._cap,
            spent=self._spent,
            reserved=max(self._reserved, 0.0),
            next_call=min((usd for usd, _ in self._short.values()), default=0.0),
            wanted=2 * max(self._reserved, 0.0) + waiting + 2 * recent,
        )

    def _tell(self) -> None:
        if self._short:
            for pump in self.on_more:
                pump()
