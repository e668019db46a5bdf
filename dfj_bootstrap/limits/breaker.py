"""When an endpoint that keeps failing is left alone, and when it is tried again: a pure state machine.

One kind of failure each: no answer (5xx, timeouts, dropped connections), or a 429. Refusals of a call are
answers. After some failures in a row, with no answer in between, nothing is sent for a while; then one call
goes as a probe. Each failed probe makes the pause longer. An answer, to whichever call, ends it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from dfj_bootstrap.limits.backoff import growing

MANY = 8
"""Failures in a row that open it."""

MANY_THROTTLED = 3
"""429s in a row that do."""

OUTAGE_S = 600.0
"""Seconds that an outage of a server that has answered before is waited for; then calls fail."""

NEVER_UP_S = 15.0
"""The same for a server that has never answered: it is more likely that its address is wrong."""

FIRST_FAILURES = 5
"""Failures that it takes at the least to say of a server that it never answered."""

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """The state; times are seconds of one monotonic clock.

    Attributes:
        many: failures in a row that open it.
        answered: whether the endpoint ever answered.
        in_a_row: failures since its last answer.
        since: when the first of them happened.
        opened_at: when the current pause began.
        until: when it ends.
        pauses: how many there were since its last answer; above 0, only a probe may go.
    """

    many: int = MANY
    answered: bool = False
    in_a_row: int = 0
    since: float = math.inf
    opened_at: float = -math.inf
    until: float = -math.inf
    pauses: int = 0

    @property
    def is_open(self) -> bool:
        return self.pauses > 0

    def is_down(self, now: float) -> bool:
        """Whether the outage has been waited for long enough."""
        if self.answered:
            return self.is_open and now - self.since > OUTAGE_S
        return self.in_a_row >= FIRST_FAILURES and now - self.since > NEVER_UP_S


def broke(state: Breaker, sent_at: float, now: float) -> Breaker:
    """The state after a failure; calls that were sent before a pause began don't make it longer."""
    state = replace(state, in_a_row=state.in_a_row + 1, since=min(state.since, now))
    if state.in_a_row < state.many or sent_at <= state.opened_at:
        return state
    pauses = state.pauses + 1
    pause_s = growing(_FIRST_PAUSE_S, pauses, _LONGEST_PAUSE_S)
    return replace(state, opened_at=now, until=now + pause_s, pauses=pauses)


def answered(state: Breaker) -> Breaker:
    """The state after an answer."""
    return state if state.answered and not state.in_a_row else Breaker(state.many, answered=True)


def vouched(state: Breaker) -> Breaker:
    """The state where another worker was answered."""
    return state if state.answered else replace(state, answered=True)
