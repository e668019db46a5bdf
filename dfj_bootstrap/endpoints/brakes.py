"""What holds all calls to an endpoint back for a while, whatever slots and rates allow.

Three things do: 429s in a row with no answer in between (a lone one concerns its own call only), headers that
say that nothing is left, and failures in a row. The last also asks for a probe: one call alone.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping

from dfj_bootstrap.endpoints.patience import PATIENCE_S
from dfj_bootstrap.endpoints.rate_headers import pause_asked
from dfj_bootstrap.errors import CallFailed
from dfj_bootstrap.policy import breaker
from dfj_bootstrap.policy.breaker import Breaker

log = logging.getLogger(__name__)

_REFUSALS_IN_A_ROW = 3


class Brakes:
    """One endpoint's; times are seconds of one monotonic clock."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._breaker = Breaker()
        self._refusals = 0
        self._until = -math.inf

    @property
    def probing(self) -> bool:
        """Whether only one call at a time may go, to find out whether the endpoint works again."""
        return self._breaker.is_open

    def wait_s(self, now: float) -> float:
        """Seconds until the next call may go."""
        return self._until - now

    def down(self, now: float) -> CallFailed | None:
        """Why calls fail without having been sent: an outage that has been waited for long enough."""
        if not self._breaker.is_down(now):
            return None
        minutes = (now - self._breaker.since) / 60
        return CallFailed(f"models.{self._name}: no call was answered for {minutes:.0f} minutes")

    def answered(self) -> None:
        """Some call was answered."""
        self._refusals = 0
        if self._breaker.is_open:
            log.warning("models.%s answers again", self._name)
        self._breaker = breaker.answered(self._breaker)

    def refused(self, wait_s: float | None, now: float) -> None:
        """A call got a 429, perhaps with a ``Retry-After``."""
        self._refusals += 1
        if self._refusals >= _REFUSALS_IN_A_ROW and wait_s:
            self._pause(wait_s, now, "it says 429 to every call")

    def broke(self, sent_at: float, now: float) -> None:
        """A call got no answer, or a 5xx."""
        pauses = self._breaker.pauses
        self._breaker = breaker.broke(self._breaker, sent_at, now)
        if self._breaker.pauses > pauses:
            failures = self._breaker.in_a_row
            self._pause(self._breaker.until - now, now, f"{failures} calls in a row failed")

    def heed(self, headers: Mapping[str, str], now: float) -> None:
        """Obey what an answer's headers say of the limits."""
        pause_s = pause_asked(headers)
        if pause_s:
            self._pause(pause_s, now, "its rate limit is used up")

    def _pause(self, seconds: float, now: float, why: str) -> None:
        until = now + min(seconds, PATIENCE_S)
        if until > self._until:
            self._until = until
            say = log.warning if seconds >= 1 else log.info
            say("models.%s: nothing is sent for %.1f s: %s", self._name, seconds, why)
