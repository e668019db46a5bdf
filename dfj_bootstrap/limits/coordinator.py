"""The driver's side of the limits: who may do how much, over all workers of a run.

About once a second the coordinator tells each worker its allowance and hears its account: one exchange, which
the worker ends early when there is news. The local engine uses the very same code with one worker in its
process.

Invariant: what all workers hold never adds up to more than the limit. A worker is only given what the others
have given back, so a share moves from one to another in two exchanges, never at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dfj_bootstrap.errors import BudgetSpent
from dfj_bootstrap.limits.exchange import Account, Allowance, Demand, Exchange, Grant, Money
from dfj_bootstrap.limits.purse import DUST_USD
from dfj_bootstrap.limits.shares import split_dollars, split_rate, split_slots


@dataclass(slots=True)
class _Known:
    """What the coordinator knows of a worker.

    Attributes:
        held: what it may be using: of its last two grants the greater, until it has taken the new one.
        usd: the same for all that it may spend in its life.
        said: its last account.
    """

    held: dict[str, Grant] = field(default_factory=dict)
    usd: float = 0.0
    said: Account = field(default_factory=lambda: Account({}, Money(cap=0.0)))

    def tell(self, allowance: Allowance) -> Allowance:
        """Note what it is about to be told."""
        self.held = {name: _greater(self.held.get(name), grant) for name, grant in allowance.grants.items()}
        self.usd = max(self.usd, allowance.usd or 0.0)
        return allowance

    def hear(self, told: Allowance, said: Account) -> None:
        """It has taken what it was told; calls in flight beyond a smaller grant count until they end."""
        self.said = said
        self.usd = said.money.cap if told.usd is not None else 0.0
        self.held = {
            name: replace(grant, in_flight=max(grant.in_flight, said.demands[name].in_flight))
            for name, grant in told.grants.items()
        }

    def demand(self, name: str) -> Demand:
        return self.said.demands.get(name, Demand())


class Coordinator:
    """The driver's side: sees all of every endpoint, and all of the money."""

    def __init__(
        self,
        limits: Mapping[str, Grant],
        budget_usd: float | None = None,
        spent: float = 0.0,
        *,
        patient: bool = True,
    ) -> None:
        """
        Args:
            limits: of each endpoint, for the whole run.
            spent: USD that earlier starts have spent.
            patient: give endpoints that have never answered time; else as if they had.
        """
        self._limits = limits
        self._budget = budget_usd
        self._gone = spent
        self._proven: set[str] = set()
        self._answered: set[str] = set() if patient else set(limits)
        self._workers: dict[int, _Known] = {}

    async def supply(self, worker: int, exchange: Exchange, work: Coroutine[Any, Any, None]) -> None:
        """Keep a worker supplied while it does some work.

        Raises:
            BudgetSpent: nothing is in flight and the next call does not fit.
        """
        known = self._workers[worker] = _Known()
        try:
            async with asyncio.TaskGroup() as group:
                supplying = group.create_task(self._supply(worker, known, exchange))
                await work
                supplying.cancel()
            if self._budget is not None:
                await _take_back(known, exchange)
        finally:
            self._forget(worker)

    async def _supply(self, worker: int, known: _Known, exchange: Exchange) -> None:
        while True:
            allowance = known.tell(self._allowance(worker))
            known.hear(allowance, await exchange(allowance))
            self._proven |= {name for name, said in known.said.demands.items() if said.proven}
            self._answered |= {name for name, said in known.said.demands.items() if said.answered}
            if self._budget is not None:
                self._check_budget(self._budget)

    def _check_budget(self, budget: float) -> None:
        money = [worker.said.money for worker in self._workers.values()]
        short = [purse.next_call for purse in money if purse.next_call]
        spent = self._gone + sum(purse.spent for purse in money)
        in_flight = any(purse.reserved > DUST_USD for purse in money)
        if short and min(short) > budget - spent + DUST_USD and not in_flight:
            raise BudgetSpent(
                f"budget_usd: ${spent:.4f} of ${budget:.4f} are spent or may have been, and the next call "
                f"may cost ${min(short):.4f}; run again with a larger budget_usd to go on"
            )

    def _forget(self, worker: int) -> None:
        """A worker is gone; what it held goes to the others.

        Not so the money of one that died: it may have spent all that it was given since it last reported, so
        that counts as spent, until the next start reads it from the journals.
        """
        self._gone += self._workers.pop(worker).usd

    def _allowance(self, worker: int) -> Allowance:
        grants = {name: self._grant(worker, name, limit) for name, limit in self._limits.items()}
        return Allowance(grants, None if self._budget is None else self._dollars(worker, self._budget))

    def _grant(self, worker: int, name: str, limit: Grant) -> Grant:
        """A worker's share of an endpoint, by demand, as far as the others leave it."""
        proven = name in self._proven
        slots = limit.in_flight if proven else 1
        place = list(self._workers).index(worker)
        wanted = [known.demand(name) for known in self._workers.values()]
        others = [known.held[name] for index, known in self._others(worker) if name in known.held]
        target = split_slots(slots, [demand.wanted for demand in wanted])[place]
        return Grant(
            max(min(target, slots - sum(held.in_flight for held in others)), 0),
            _share(
                limit.requests_per_s,
                place,
                [demand.requests_per_s for demand in wanted],
                [held.requests_per_s for held in others],
            ),
            _share(
                limit.tokens_per_s,
                place,
                [demand.tokens_per_s for demand in wanted],
                [held.tokens_per_s for held in others],
            ),
            proven,
            name in self._answered,
        )

    def _dollars(self, worker: int, budget: float) -> float:
        """The cap of a worker: what it has used, and its share of what nobody has."""
        money = {index: known.said.money for index, known in self._workers.items()}
        used = {index: purse.spent + purse.reserved for index, purse in money.items()}
        shares = split_dollars(
            max(budget - self._gone - sum(used.values()), 0.0),
            [purse.next_call for purse in money.values()],
            [max(purse.wanted - purse.reserved, 0.0) for purse in money.values()],
        )
        free = budget - self._gone - sum(known.usd for _, known in self._others(worker))
        return max(min(used[worker] + shares[list(money).index(worker)], free), 0.0)

    def _others(self, worker: int) -> list[tuple[int, _Known]]:
        return [(index, known) for index, known in self._workers.items() if index != worker]


async def _take_back(known: _Known, exchange: Exchange) -> None:
    """The work is done and nothing is in flight: what the worker was given and hasn't spent is free again."""
    last = known.tell(Allowance({}, 0.0, last=True))
    known.hear(last, await exchange(last))


def _greater(held: Grant | None, grant: Grant) -> Grant:
    if held is None:
        return grant
    return Grant(
        max(held.in_flight, grant.in_flight),
        _greater_rate(held.requests_per_s, grant.requests_per_s),
        _greater_rate(held.tokens_per_s, grant.tokens_per_s),
        grant.proven,
        grant.answered,
    )


def _greater_rate(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else max(one, other)


def _share(whole: float | None, place: int, wanted: list[float], held: list[float | None]) -> float | None:
    if whole is None:
        return None
    return max(min(split_rate(whole, wanted)[place], whole - sum(rate or 0.0 for rate in held)), 0.0)
