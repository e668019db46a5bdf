"""What a run will take, as low – likely – high: pure arithmetic on assumptions.

*Low*: each level takes one round, each paraphrase one try. *High*: each level takes all its rounds, each
paraphrase all its tries, each answer all its tokens. *Likely*: in between, from the defaults below or from
what a run like this one took. A sum or product of ranges that are in order is in order, and nothing else
is done with them, so low ≤ likely ≤ high holds for every figure by construction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from dfj_bootstrap.domain.rationale import GOLD_LEVEL, LEVELS, WRITTEN_LEVELS

ACCEPTED_PER_ROUND = 0.5
"""The share of candidates that pass the gate in a round, where nothing was measured."""

_TRIES = 1.3
"""Tries at each paraphrase, where nothing was measured."""

_GOLD_LOW = 0.1
"""The share of golds that are rated below their level, and so need an argument of their own."""

_OFF_BUT_ACCEPTED = 0.3
"""The share of accepted candidates whose rating isn't their level; only with a threshold above 0."""

_CALL_S, _TOKENS_PER_S = 2.0, 60.0
"""Latency of a call: a fixed part in seconds, and the answer's tokens at so many per second."""


@dataclass(frozen=True, slots=True)
class Range:
    """A figure, never negative, with low ≤ likely ≤ high."""

    low: float = 0.0
    likely: float = 0.0
    high: float = 0.0

    @classmethod
    def exactly(cls, value: float) -> Range:
        return cls(value, value, value)

    @classmethod
    def around(cls, likely: float, low: float, high: float) -> Range:
        """A range about ``likely``, whatever the bounds were thought to be."""
        return cls(min(low, likely), likely, max(high, likely))

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def __mul__(self, other: Range | float) -> Range:
        by = other if isinstance(other, Range) else Range.exactly(other)
        return Range(self.low * by.low, self.likely * by.likely, self.high * by.high)

    def each(self, change: Callable[[float], float]) -> Range:
        """A change that keeps the order, on all three."""
        return Range(change(self.low), change(self.likely), change(self.high))

    def less(self, amount: float) -> Range:
        """What is left after ``amount``; never below 0."""
        return self.each(lambda value: max(0.0, value - amount))

    def at_least(self, amount: float) -> Range:
        return self.each(lambda value: max(value, amount))

    def narrowed(self, seen: int) -> Range:
        """As sure as ``seen`` seeds make it: the distance from likely shrinks with their root."""
        by = 1 / math.sqrt(1 + seen)
        return Range(
            self.likely - (self.likely - self.low) * by,
            self.likely,
            self.likely + (self.high - self.likely) * by,
        )


def total(ranges: Iterable[Range]) -> Range:
    """The sum."""
    return sum(ranges, Range())


class Kind(StrEnum):
    """The questions that are put to models."""

    WRITE = "write"
    GENERATE = "generate"
    REVISE = "revise"
    RATE = "rate"
    JUSTIFY = "justify"
    REWORD = "reword"
    REWORD_AGAIN = "reword_again"


ROLE_OF: Mapping[Kind, str] = {
    Kind.WRITE: "writer",
    Kind.GENERATE: "generator",
    Kind.REVISE: "generator",
    Kind.RATE: "evaluator",
    Kind.JUSTIFY: "evaluator",
    Kind.REWORD: "paraphraser",
    Kind.REWORD_AGAIN: "paraphraser",
}


@dataclass(frozen=True, slots=True)
class Course:
    """What the configuration says of a run's course."""

    max_rounds: int
    paraphrases: int
    max_tries: int
    threshold: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run of the same making took so far.

    Attributes:
        seeds: finished ones; 0: nothing was measured.
        rounds: level → mean rounds.
        accepted: level → share of trajectories that were accepted.
        tries: mean tries at a wanted paraphrase; ``None`` where none was wanted.
        gold_low: share of golds that were rated below their level.
        asks: role → calls per answer that was needed; an evaluator's arguments count as calls for ratings.
    """

    seeds: int = 0
    rounds: Mapping[int, float] = field(default_factory=dict)
    accepted: Mapping[int, float] = field(default_factory=dict)
    tries: float | None = None
    gold_low: float | None = None
    asks: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assumptions:
    """How things will go; all per seed.

    Attributes:
        rounds, accepted: by level 1–4.
        tries: at each paraphrase.
        gold_low: share of golds that need an argument of their own.
        justified: share of accepted levels that need one.
        asks: role → calls per answer that is needed.
    """

    paraphrases: int
    rounds: Mapping[int, Range]
    accepted: Mapping[int, Range]
    tries: Range
    gold_low: Range
    justified: Range
    asks: Mapping[str, Range]


def assume(course: Course, measured: Measured | None = None) -> Assumptions:
    """The assumptions for a configuration, from what was measured where something was."""
    seen = measured or Measured()
    passed = 1 - (1 - ACCEPTED_PER_ROUND) ** course.max_rounds
    usual = passed / ACCEPTED_PER_ROUND  # the mean of a geometric law that is cut off at max_rounds
    argued = "evaluator" in seen.asks  # then calls per rating hold the arguments as well
    low_gold = _GOLD_LOW if seen.gold_low is None else seen.gold_low
    justified = _OFF_BUT_ACCEPTED if course.threshold else 0.0
    tries = min(_TRIES, course.max_tries) if seen.tries is None else seen.tries

    def sure(likely: float, low: float, high: float) -> Range:
        return Range.around(likely, low, high).narrowed(seen.seeds)

    def share(level: int) -> Range:
        likely = seen.accepted.get(level, passed)
        return sure(likely, likely, 1.0)

    return Assumptions(
        course.paraphrases,
        {n: sure(seen.rounds.get(n, usual), 1.0, course.max_rounds) for n in WRITTEN_LEVELS},
        {level: share(level) for level in WRITTEN_LEVELS},
        sure(tries, 1.0, course.max_tries),
        Range() if argued else sure(low_gold, 0.0, 1.0),
        Range() if argued else sure(justified, 0.0, float(bool(course.threshold))),
        {role: sure(seen.asks.get(role, 1.02), 1.0, 1.1) for role in set(ROLE_OF.values())},
    )


@dataclass(frozen=True, slots=True)
class Answered:
    """What has been answered of a seed's questions already.

    Attributes:
        written: the writer's part is done.
        ratings: answers of the evaluator.
        rounds: level → rounds that the generator has answered.
        paraphrases: level → paraphrases that were answered at least once.
    """

    written: bool = False
    ratings: int = 0
    rounds: Mapping[int, int] = field(default_factory=dict)
    paraphrases: Mapping[int, int] = field(default_factory=dict)


NOTHING = Answered()


def calls_left(has_gold: bool, answered: Answered, assumed: Assumptions) -> dict[Kind, Range]:
    """Calls that one seed still needs, by kind of question.

    A level whose paraphrases have begun was accepted; of any other, as many rounds are left as expected.
    """
    needed: dict[Kind, Range] = {kind: Range() for kind in Kind}
    if not has_gold and not answered.written:
        needed[Kind.WRITE] = Range.exactly(1)
    rated = Range.exactly(1)
    argued = Range() if GOLD_LEVEL in answered.paraphrases else assumed.gold_low
    for level in WRITTEN_LEVELS:
        done, passed = answered.rounds.get(level, 0), level in answered.paraphrases
        rounds = Range.exactly(done) if passed else assumed.rounds[level].at_least(done)
        needed[Kind.GENERATE] += Range.exactly(not (done or passed))
        needed[Kind.REVISE] += rounds.less(max(done, 1))
        rated += rounds
        argued += Range() if passed else assumed.accepted[level] * assumed.justified
    needed[Kind.RATE] = rated.less(answered.ratings)
    needed[Kind.JUSTIFY] = argued
    needed[Kind.REWORD] = total(_rewordings(level, answered, assumed) for level in LEVELS)
    needed[Kind.REWORD_AGAIN] = needed[Kind.REWORD] * assumed.tries.less(1)
    return {kind: calls * assumed.asks[ROLE_OF[kind]] for kind, calls in needed.items()}


def _rewordings(level: int, answered: Answered, assumed: Assumptions) -> Range:
    done = answered.paraphrases.get(level, 0)
    share = Range.exactly(1) if level == GOLD_LEVEL or done else assumed.accepted[level]
    return (share * assumed.paraphrases).less(done)


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of one role or one endpoint."""

    calls: Range = Range()
    input_tokens: Range = Range()
    output_tokens: Range = Range()

    def __add__(self, other: Load) -> Load:
        return Load(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
        )

    def scaled(self, by: float) -> Load:
        """As much of it."""
        return Load(self.calls * by, self.input_tokens * by, self.output_tokens * by)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an endpoint lets through."""

    in_flight: int
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


def hours(load: Load, limits: Limits) -> Range:
    """How long one endpoint is busy, by whichever of its limits is the tightest."""
    latency = load.calls * _CALL_S + load.output_tokens * (1 / _TOKENS_PER_S)
    times = [latency * (1 / limits.in_flight)]
    if limits.requests_per_minute:
        times.append(load.calls * (60 / limits.requests_per_minute))
    if limits.tokens_per_minute:
        times.append((load.input_tokens + load.output_tokens) * (60 / limits.tokens_per_minute))
    return longest(times) * (1 / 3600)


def chain_hours(assumed: Assumptions, answer_tokens: float) -> Range:
    """How long one seed takes by itself: its calls wait for each other, whatever runs beside them."""
    rounds = longest(assumed.rounds.values())
    steps = rounds * 2 + (assumed.tries if assumed.paraphrases else Range())
    return steps * ((_CALL_S + answer_tokens / _TOKENS_PER_S) / 3600)


def longest(ranges: Iterable[Range]) -> Range:
    """The greatest of each."""
    worst = Range()
    for each in ranges:
        worst = Range(max(worst.low, each.low), max(worst.likely, each.likely), max(worst.high, each.high))
    return worst
