"""Times in which nothing is sent to an endpoint, whatever slots and rates allow.

Three things bring them about: 429s in a row with no answer in between (a lone one concerns its own call
only), a server that says that nothing is left of its rate, and failures in a row. The first and the last also
ask for a probe: one call alone. A server that never answered at all is given up soon, and the run with it.
"""

from __future__ import annotations

import logging
import math

from dfj_bootstrap.errors import CallFailed, EndpointRejected
from dfj_bootstrap.limits import breaker
from dfj_bootstrap.limits.breaker import MANY_THROTTLED, Breaker
from dfj_bootstrap.limits.retries import PATIENCE_S
from dfj_bootstrap.limits.seldom import Seldom

log = logging.getLogger(__name__)

_WORTH_SAYING_S = 1.0


class Pauses:
    """One endpoint's; times are seconds of one monotonic clock."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._failures = Breaker()
        self._throttles = Breaker(MANY_THROTTLED)
        self._until = -math.inf
        self._why = ""
        self._seldom = Seldom()
        self._told = False

    @property
    def has_answered(self) -> bool:
        """Whether some call was answered, here or, as we were told, elsewhere."""
        return self._failures.answered

    @property
    def probing(self) -> bool:
        """Whether only one call at a time may go, to find out whether the endpoint works again."""
        return self._failures.is_open or self._throttles.is_open

    def wait_s(self, now: float) -> float:
        """Seconds until the next call may go."""
        return max(self._until, self._failures.until, self._throttles.until) - now

    def down(self, now: float) -> CallFailed | EndpointRejected | None:
        """Why calls fail without having been sent: an outage that has been waited for long enough."""
        if not self._failures.is_down(now):
            return None
        if not self.has_answered:
            return EndpointRejected(
                f"models.{self._name}: none of {self._failures.in_a_row} attempts was answered: {self._why}; "
                "put that right and run again"
            )
        minutes = (now - self._failures.since) / 60
        return CallFailed(f"models.{self._name}: no call was answered for {minutes:.0f} minutes: {self._why}")

    def answered(self) -> None:
        """Some call was answered."""
        if self._told and self.probing:
            log.warning("models.%s answers again", self._name)
            self._told = False
        self._failures = breaker.answered(self._failures)
        self._throttles = breaker.answered(self._throttles)

    def vouched(self) -> None:
        """Some call of another worker was answered."""
        self._failures = breaker.vouched(self._failures)

    def throttled(self, sent_at: float, wait_s: float | None, now: float) -> None:
        """A call got a 429, perhaps with a ``Retry-After``; one in the past is none."""
        self._throttles = breaker.broke(self._throttles, sent_at, now)
        if self._throttles.is_open:
            self._pause(wait_s or 0.0, now, "it says 429 to every call")

    def broke(self, sent_at: float, now: float, why: str) -> None:
        """A call got no answer, or a 5xx."""
        self._why = why
        pauses = self._failures.pauses
        self._failures = breaker.broke(self._failures, sent_at, now)
        if self._failures.pauses > pauses:
            self._say(
                "failing", now, f"{self._failures.in_a_row} calls in a row failed, the last one since {why}"
            )

    def used_up(self, wait_s: float, now: float) -> None:
        """The server says that nothing is left of its rate for so long."""
        self._pause(wait_s, now, "its rate limit is used up")

    def _pause(self, seconds: float, now: float, why: str) -> None:
        self._until = max(self._until, now + min(seconds, PATIENCE_S))
        self._say(why, now, why)

    def _say(self, kind: str, now: float, why: str) -> None:
        wait_s = self.wait_s(now)
        if wait_s >= _WORTH_SAYING_S and self._seldom.may_say(kind, now):
            log.warning("models.%s: nothing is sent for %.1f s: %s", self._name, wait_s, why)
            self._told = True
