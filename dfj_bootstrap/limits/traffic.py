"""What was sent to an endpoint since it was last told of."""

from __future__ import annotations


class Traffic:
    """Counts calls and their likely tokens; times are seconds of one monotonic clock."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._calls = 0
        self._tokens = 0.0

    def sent(self, tokens: float) -> None:
        """A call goes."""
        self._calls += 1
        self._tokens += tokens

    def per_second(self, calls: int, tokens: float, now: float) -> tuple[float, float]:
        """Requests and tokens per second since this was last asked, with those that could have gone too."""
        elapsed = max(now - self._since, 1e-3)
        rates = (self._calls + calls) / elapsed, (self._tokens + tokens) / elapsed
        self._since, self._calls, self._tokens = now, 0, 0.0
        return rates
