"""What the driver and a worker tell each other, about once a second, of limits and money."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from dfj_bootstrap.config.paid import PaidModel


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
    """How a worker's purse stands, in USD.

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


@dataclass(frozen=True, slots=True)
class Allowance:
    """All that a worker is told.

    Attributes:
        grants: by the endpoint's name.
        usd: the cap on all that it spends in its life; ``None``: there is no budget.
        last: its work is done; it need only say how it stands.
    """

    grants: Mapping[str, Grant]
    usd: float | None = None
    last: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """All that a worker answers; its demands by the endpoint's name."""

    demands: Mapping[str, Demand]
    money: Money = field(default_factory=Money)


Exchange: TypeAlias = Callable[[Allowance], Awaitable[Account]]
"""One conversation with a worker; takes about a second."""


def whole_of(model: PaidModel) -> Grant:
    """All of an endpoint's limits."""
    return Grant(
        model.max_in_flight, _per_second(model.requests_per_minute), _per_second(model.tokens_per_minute)
    )


def _per_second(per_minute: int | None) -> float | None:
    return None if per_minute is None else per_minute / 60
