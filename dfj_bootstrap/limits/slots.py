"""The slots of one endpoint in one worker: how many calls may be in flight, and how many are.

A 429 closes the slot that it came through for about as long as an answer takes, so that a limit that is one
too high costs one 429 per answer time, and not hundreds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from dfj_bootstrap.limits import admission
from dfj_bootstrap.limits.admission import Admission, Answer
from dfj_bootstrap.limits.timers import Timers

log = logging.getLogger(__name__)

_SHUT_AT_MOST_S = 5.0


class CallSlots:
    """As many as were granted, and found out to do; ``on_room`` is called when a shut slot opens again."""

    def __init__(self, name: str, most: int, timers: Timers, on_room: Callable[[], None]) -> None:
        self._name = name
        self._timers = timers
        self._on_room = on_room
        self._admission = Admission(most)
        self._shut = 0
        self._usual_s = 0.0
        self.granted = 0
        self.in_flight = 0

    @property
    def proven(self) -> bool:
        """Whether the endpoint has answered, or is taken to."""
        return self._admission.proven

    @property
    def found_out(self) -> int:
        """Calls that the endpoint takes at once, as far as its answers tell."""
        return int(self._admission.limit)

    @property
    def limit(self) -> int:
        """Calls that may be in flight."""
        return min(self.found_out, self.granted)

    @property
    def taken(self) -> int:
        """Slots in which nothing can be sent now."""
        return self.in_flight + self._shut

    def open(self, now: float) -> None:
        """The endpoint is known to answer."""
        self._admission = admission.opened(self._admission, now)

    def answered(self, sent_at: float, now: float, *, saturated: bool) -> None:
        """A call got an answer that says something about the size; ``saturated``: others waited."""
        latency = now - sent_at
        self._usual_s += (latency - self._usual_s) * (0.1 if self._usual_s else 1.0)
        self._observe(Answer(sent_at, now, saturated=saturated))

    def throttled(self, sent_at: float, now: float) -> None:
        """A call got a 429."""
        self._observe(Answer(sent_at, now, throttled=True))
        self._shut += 1
        self._timers.call_later(min(self._usual_s, _SHUT_AT_MOST_S), self._reopen)

    def _reopen(self) -> None:
        self._shut -= 1
        self._on_room()

    def _observe(self, answer: Answer) -> None:
        before = self.found_out
        self._admission = admission.observe(self._admission, answer)
        if self.found_out < before:
            log.info("models.%s: calls in flight cut from %d to %d", self._name, before, self.found_out)
