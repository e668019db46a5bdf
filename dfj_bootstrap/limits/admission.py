"""How many calls an endpoint may have in flight: found out from its answers, as a pure state machine.

A limit starts at one, so that a rejected key costs one call, and is the cap from the first answer on: a cut
is quick, a ramp is not. After that answers are judged in windows, each of calls sent since the last verdict
only, so that a change is never judged by what was sent before it.

- Many 429s cut it at once, by a factor: the server is smaller than was thought.
- More 429s than chance and what is usual here explain take the last step back, and the next one waits
  longer each time.
- 429s that come all the same, whatever the limit, are stray: they are the usual share, and change nothing.
- A server that never says 429 shows by its latency that calls only queue there. Where an answer takes far
  longer than it did at best, fewer are tried; the limit stays lower only if no throughput was lost, which
  tells a queue from a server that batches.
- Else, while calls wait for a slot, it grows by a small step.

Invariants: the limit is at least 1 and at most the cap, whatever comes; time is an argument.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

_CUT_SHARE = 0.2
_CUT_FACTOR = 0.7
_SMALLEST_CUT = 20  # answers that the share is of at the least, however small the limit

_USUAL_AT_FIRST = 0.03
_USUAL_AT_MOST = 0.05

_STEP = 0.05
_SHORTEST_HOLD = 4
_LONGEST_HOLD = 32

_SLOW = 3.0
_SLOW_FACTOR = 0.75
_THROUGHPUT_KEPT = 0.93
_FLOOR_FORGETS = 1.01
_ONE_CALL = 1.5  # a single latency may be far below the mean


@dataclass(frozen=True, slots=True)
class Answer:
    """How one attempt ended.

    Attributes:
        sent_at, now: seconds of one monotonic clock.
        throttled: the server said 429; else it answered.
        saturated: calls were waiting for a slot when it ended.
    """

    sent_at: float
    now: float
    throttled: bool = False
    saturated: bool = True


@dataclass(frozen=True, slots=True)
class Window:
    """What came of calls that were sent from ``since`` on; seconds."""

    since: float = -math.inf
    answered: int = 0
    throttled: int = 0
    waited_for: int = 0
    latency_s: float = 0.0

    def plus(self, answer: Answer) -> Window:
        if answer.throttled:
            return Window(self.since, self.answered, self.throttled + 1, self.waited_for, self.latency_s)
        latency = self.latency_s + answer.now - answer.sent_at
        waited_for = self.waited_for + answer.saturated
        return Window(self.since, self.answered + 1, self.throttled, waited_for, latency)

    @property
    def share(self) -> float:
        """Of 429s."""
        return self.throttled / (self.answered + self.throttled)


@dataclass(frozen=True, slots=True)
class Admission:
    """The state: how many calls may be in flight, and what it was learnt from.

    Attributes:
        cap: the most there may ever be.
        limit: the limit, between 1 and ``cap``; its whole part counts.
        proven: whether the endpoint has answered at all.
        usual: the share of 429s that comes whatever the limit.
        floor_s: the mean latency of the best window, slowly forgotten.
        hold: windows in which nothing is tried: for what was changed to show, or after a failure.
        next_hold: ``hold`` after the next change that has to be taken back.
        tried_from: limit and mean latency before fewer calls were tried because of slowness.
    """

    cap: int
    limit: float = 1.0
    proven: bool = False
    usual: float = _USUAL_AT_FIRST
    floor_s: float = math.inf
    hold: int = 0
    next_hold: int = _SHORTEST_HOLD
    tried_from: tuple[float, float] | None = None
    window: Window = Window()


def opened(state: Admission, now: float) -> Admission:
    """The endpoint is known to answer: all that the cap allows may be in flight."""
    if state.proven:
        return state
    return replace(state, proven=True, limit=float(state.cap), window=Window(now), hold=1)


def observe(state: Admission, answer: Answer) -> Admission:
    """The state after one more answer or 429; other failures say nothing about size."""
    if not state.proven:
        if answer.throttled:
            return state
        latency_s = answer.now - answer.sent_at
        return replace(opened(state, answer.now), floor_s=_ONE_CALL * latency_s)
    if answer.sent_at < state.window.since:
        return state
    window = state.window.plus(answer)
    many = window.throttled >= _CUT_SHARE * max(state.limit, _SMALLEST_CUT)  # 429s come before answers do
    if many and window.share > _CUT_SHARE:
        return _changed(state, answer.now, state.limit * _CUT_FACTOR, hold=_SHORTEST_HOLD, tried_from=None)
    if window.answered < max(_SMALLEST_CUT, 4 * state.limit):
        return replace(state, window=window)
    return _judged(state, window, answer.now)


def _judged(state: Admission, window: Window, now: float) -> Admission:
    """The verdict over a whole window."""
    share, mean_s = window.share, window.latency_s / window.answered
    pace = 0.1 if share > state.usual else 0.5
    usual = min(state.usual + pace * (share - state.usual), _USUAL_AT_MOST)
    learnt = replace(state, usual=usual, floor_s=min(state.floor_s * _FLOOR_FORGETS, mean_s))
    if window.throttled > _most_by_chance(state.usual * (window.answered + window.throttled)):
        return _held(learnt, now, state.limit - _step(state))
    if state.hold:
        return _changed(learnt, now, state.limit, hold=state.hold - 1)
    if state.tried_from is not None:
        return _settled(learnt, mean_s, now, *state.tried_from)
    if window.waited_for <= window.answered / 2:
        return _changed(learnt, now, state.limit)
    if mean_s > _SLOW * learnt.floor_s:
        return _changed(learnt, now, state.limit * _SLOW_FACTOR, tried_from=(state.limit, mean_s), hold=1)
    return _changed(learnt, now, state.limit + _step(state))


def _most_by_chance(expected: float) -> float:
    """429s beyond which chance is no explanation: about three standard deviations above their mean."""
    return expected + 3 * math.sqrt(expected) + 1


def _settled(state: Admission, mean_s: float, now: float, limit: float, before_s: float) -> Admission:
    """Fewer calls were tried: throughput, by Little's law calls in flight over latency, decides."""
    kept = (state.limit / mean_s) >= _THROUGHPUT_KEPT * (limit / before_s)
    if kept:
        return _changed(state, now, state.limit, tried_from=None)
    return _held(state, now, limit)


def _held(state: Admission, now: float, limit: float) -> Admission:
    """Something did not work out: go back, and wait longer each time before the next thing is tried."""
    longer = min(2 * state.next_hold, _LONGEST_HOLD)
    return _changed(state, now, limit, tried_from=None, hold=state.next_hold, next_hold=longer)


def _step(state: Admission) -> float:
    return max(1.0, _STEP * state.limit)


def _changed(state: Admission, now: float, limit: float, **more: object) -> Admission:
    """Go on with a limit and a new window."""
    within = min(max(limit, 1.0), float(state.cap))
    return replace(state, limit=within, window=Window(now), **more)  # type: ignore[arg-type]
