"""Requests and tokens per second, as granted to one worker at one endpoint."""

from __future__ import annotations

import math

from dfj_bootstrap.limits.allowance import Bucket, Grant


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
