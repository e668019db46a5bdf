"""Sharing an endpoint's limits among workers, and keeping to a rate: pure arithmetic.

Invariants: shares never add up to more than the whole; nobody who wants something gets nothing while there
is enough for one each; what nobody wants is spread, so that a worker with new work need not wait for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

BURST_S = 1.0
"""Seconds of a rate that may be saved up and used at once."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a worker may do at one endpoint until it is told otherwise.

    Attributes:
        in_flight: calls.
        requests_per_s, tokens_per_s: ``None``: no limit.
        proven: whether any worker was answered yet, or waited long; until then one call goes alone.
        answered: whether any worker was answered yet.
    """

    in_flight: int
    requests_per_s: float | None = None
    tokens_per_s: float | None = None
    proven: bool = False
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Demand:
    """What a worker does at one endpoint and could do.

    Attributes:
        in_flight: calls now.
        wanted: calls that it would have in flight if it might.
        requests_per_s, tokens_per_s: what it would use of an endless rate.
        proven: whether it was answered, or has waited long.
        answered: whether it was answered.
    """

    in_flight: int = 0
    wanted: int = 0
    requests_per_s: float = 0.0
    tokens_per_s: float = 0.0
    proven: bool = False
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Money:
    """A worker's purse, in USD.

    Attributes:
        cap: all that it may spend in its life.
        spent: what its answers have cost, and attempts without one may have.
        reserved: the worst case of its calls in flight.
        next_call: the worst case of the next call that waits for money; 0 where none does.
        wanted: what it could use in the next second or two, ``reserved`` and ``next_call`` included.
    """

    cap: float = math.inf
    spent: float = 0.0
    reserved: float = 0.0
    next_call: float = 0.0
    wanted: float = 0.0

    @property
    def held(self) -> float:
        """What was given to it and isn't spent."""
        return self.cap - self.spent


def split_rate(whole: float, wanted: Sequence[float]) -> list[float]:
    """Max-min fair shares of a rate; what is left over is spread evenly.

    Args:
        whole: what there is.
        wanted: what each worker could use, at least 0.
    """
    if not wanted:
        return []
    shares = [0.0] * len(wanted)
    left = whole
    open_ = sorted(range(len(wanted)), key=lambda index: wanted[index])
    for done, index in enumerate(open_):
        shares[index] = min(wanted[index], left / (len(open_) - done))
        left -= shares[index]
    return [share + max(left, 0.0) / len(shares) for share in shares]


def split_slots(whole: int, wanted: Sequence[int]) -> list[int]:
    """As ``split_rate``, in whole numbers; where there is less than one each, the first ones get it."""
    shares = [int(share) for share in split_rate(float(whole), [float(w) for w in wanted])]
    left = whole - sum(shares)
    by_need = sorted(range(len(wanted)), key=lambda index: (shares[index] - wanted[index], index))
    for index in by_need[:left]:
        shares[index] += 1
    return shares


def split_dollars(whole: float, next_call: Sequence[float], wanted: Sequence[float]) -> list[float]:
    """Shares of money that is spent call by call: a share that is less than one call would be of no use.

    Args:
        next_call: what the next waiting call of each worker may cost; 0 where none waits for money.
        wanted: what each worker could use in all, its next call included.
    """
    shares = [0.0] * len(wanted)
    left = whole
    for index, cost in enumerate(next_call):
        if cost <= left:
            shares[index] = cost
            left -= cost
    more = [max(w - share, 0.0) for w, share in zip(wanted, shares, strict=True)]
    left_over = min(left, sum(more))
    return [share + extra for share, extra in zip(shares, split_rate(max(left_over, 0.0), more), strict=True)]


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
