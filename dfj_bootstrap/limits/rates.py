"""Requests and tokens per second, as granted to one worker at one endpoint, and kept smoothly."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dfj_bootstrap.limits.exchange import Grant

BURST_S = 1.0
"""Seconds of a rate that may be saved up and used at once."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A rate that is kept smoothly: at most ``BURST_S`` seconds of it are saved up.

    Attributes:
        rate: units per second.
        level: what may be taken at the time ``at``; below zero after a settlement or a very large call.
    """

    rate: float
    level: float
    at: float
    least_burst: float = 1.0

    @property
    def burst(self) -> float:
        return max(self.least_burst, self.rate * BURST_S) if self.rate > 0 else 0.0

    def filled(self, now: float) -> Bucket:
        """The bucket at a later time."""
        level = min(self.level + self.rate * max(now - self.at, 0.0), max(self.burst, self.level))
        return Bucket(self.rate, level, now, self.least_burst)

    def wait_s(self, now: float, amount: float) -> float | None:
        """Seconds until ``amount`` may be taken, 0 for now; ``None``: never at this rate.

        What is more than a burst is let through when the bucket is full; the debt is paid off afterwards.
        """
        missing = min(amount, self.burst) - self.filled(now).level
        if self.rate <= 0:
            return None
        return 0.0 if missing <= 1e-9 else missing / self.rate

    def taken(self, now: float, amount: float) -> Bucket:
        """The bucket after ``amount`` was taken; a negative one is given back, even beyond a burst."""
        return Bucket(self.rate, self.filled(now).level - amount, now, self.least_burst)

    def at_rate(self, now: float, rate: float) -> Bucket:
        """The bucket with another rate from now on; what was saved up beyond the new burst is lost."""
        bucket = Bucket(rate, self.filled(now).level, now, self.least_burst)
        return Bucket(rate, min(bucket.level, bucket.burst), now, self.least_burst)


class Rates:
    """Two buckets, each only where there is a limit; times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._requests: Bucket | None = None
        self._tokens: Bucket | None = None

    def grant(self, grant: Grant, now: float) -> None:
        """Go on at other rates."""
        self._requests = _at_rate(self._requests, grant.requests_per_s, now)
        self._tokens = _at_rate(self._tokens, grant.tokens_per_s, now)

    def wait_s(self, tokens: float, now: float) -> float:
        """Seconds until a call of so many tokens may go; infinite where the rate is zero."""
        longest = 0.0
        for bucket, amount in ((self._requests, 1.0), (self._tokens, tokens)):
            if bucket is not None:
                wait = bucket.wait_s(now, amount)
                longest = math.inf if wait is None else max(longest, wait)
        return longest

    def take(self, tokens: float, now: float) -> None:
        """A call goes."""
        if self._requests is not None:
            self._requests = self._requests.taken(now, 1.0)
        self.settle(tokens, now)

    def settle(self, more: float, now: float) -> None:
        """It used more tokens than were taken, or fewer."""
        if self._tokens is not None:
            self._tokens = self._tokens.taken(now, more)


def _at_rate(bucket: Bucket | None, rate: float | None, now: float) -> Bucket | None:
    if rate is None:
        return None
    return bucket.at_rate(now, rate) if bucket else Bucket(rate, min(1.0, rate * 60), now)
