"""The coordinator: what it gives to workers by what they say, and that it never gives too much."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from dfj_bootstrap.errors import BudgetSpent
from dfj_bootstrap.limits.coordinator import Coordinator
from dfj_bootstrap.limits.exchange import Account, Allowance, Demand, Grant, Money


class Worker:
    """Says what it is told to say, one exchange at a time."""

    def __init__(self) -> None:
        self.told: list[Allowance] = []
        self.says: asyncio.Queue[Account] = asyncio.Queue()

    async def exchange(self, allowance: Allowance) -> Account:
        self.told.append(allowance)
        return await self.says.get()

    async def heard(self, account: Account) -> Allowance:
        """What it is told after it has said this."""
        self.says.put_nowait(account)
        for _ in range(20):
            await asyncio.sleep(0)
        return self.told[-1]


def account(demand: Demand = Demand(), money: Money | None = None) -> Account:  # noqa: B008 - frozen
    return Account({"fast": demand}, money or Money())


def supplied(coordinator: Coordinator, index: int, worker: Worker) -> asyncio.Task[None]:
    async def forever() -> None:
        await asyncio.Event().wait()

    return asyncio.create_task(coordinator.supply(index, worker.exchange, forever()))


LIMITS: Mapping[str, Grant] = {"fast": Grant(10, 20.0, 600.0)}
BUSY = Demand(5, 10, 50.0, 5000.0, proven=True)


async def test_only_one_call_goes_out_over_all_workers_until_one_was_answered() -> None:
    coordinator, a, b = Coordinator(LIMITS), Worker(), Worker()
    tasks = [supplied(coordinator, index, worker) for index, worker in enumerate((a, b))]
    unproven = account(Demand(wanted=8))
    first, second = await a.heard(unproven), await b.heard(unproven)
    assert first.grants["fast"].in_flight + second.grants["fast"].in_flight == 1
    after = await a.heard(account(BUSY))
    assert after.grants["fast"].proven
    assert after.grants["fast"].in_flight > 1
    await ended(tasks)


async def test_shares_move_to_who_wants_them_and_never_add_up_to_more() -> None:
    coordinator, a, b = Coordinator(LIMITS), Worker(), Worker()
    tasks = [supplied(coordinator, index, worker) for index, worker in enumerate((a, b))]
    idle = Demand(proven=True)
    for mine, theirs in ((BUSY, idle), (BUSY, BUSY), (idle, BUSY), (idle, BUSY), (idle, BUSY)):
        one, other = await a.heard(account(mine)), await b.heard(account(theirs))
        first, second = one.grants["fast"], other.grants["fast"]
        assert (first.requests_per_s or 0) + (second.requests_per_s or 0) <= 20 + 1e-9
        assert (first.tokens_per_s or 0) + (second.tokens_per_s or 0) <= 600 + 1e-9
        assert first.in_flight + second.in_flight <= 10
    assert second.in_flight >= 9
    assert (second.requests_per_s or 0) > 19
    await ended(tasks)


async def test_what_a_dead_worker_held_goes_to_the_others() -> None:
    coordinator, a, b = Coordinator(LIMITS), Worker(), Worker()
    tasks = [supplied(coordinator, index, worker) for index, worker in enumerate((a, b))]
    for _ in range(3):
        await a.heard(account(BUSY))
        await b.heard(account(BUSY))
    await ended(tasks[:1])
    alone = (await b.heard(account(BUSY))).grants["fast"]
    assert alone == Grant(10, 20.0, 600.0, proven=True)
    await ended(tasks[1:])


async def test_caps_on_spending_never_add_up_to_more_than_the_budget() -> None:
    coordinator = Coordinator(LIMITS, budget_usd=10.0, spent=2.0)
    workers = [Worker(), Worker()]
    tasks = [supplied(coordinator, index, worker) for index, worker in enumerate(workers)]
    caps = [0.0, 0.0]
    for wish in (0.0, 1.0, 2.0, 3.0):
        for index, worker in enumerate(workers):
            spent = min(wish, caps[index])
            money = Money(cap=caps[index], spent=spent, next_call=0.5, wanted=6.0)
            caps[index] = (await worker.heard(account(BUSY, money))).usd or 0.0
            assert sum(caps) <= 8.0 + 1e-9
    assert sum(caps) > 7.0
    await ended(tasks)


async def test_the_budget_is_spent_when_nothing_is_in_flight_and_the_next_call_does_not_fit() -> None:
    coordinator, worker = Coordinator(LIMITS, budget_usd=1.0, spent=0.4), Worker()
    task = supplied(coordinator, 0, worker)
    await worker.heard(account(BUSY, Money(cap=0.6, spent=0.2, reserved=0.3, next_call=0.5, wanted=1.0)))
    assert not task.done()
    worker.says.put_nowait(account(BUSY, Money(cap=0.6, spent=0.45, next_call=0.5, wanted=1.0)))
    with pytest.raises(BaseExceptionGroup) as raised:
        await task
    (error,) = raised.value.exceptions
    assert isinstance(error, BudgetSpent)
    assert "$0.85" in str(error)


async def test_money_that_a_dead_worker_may_have_spent_counts_as_spent() -> None:
    coordinator, a, b = Coordinator(LIMITS, budget_usd=1.0), Worker(), Worker()
    tasks = [supplied(coordinator, index, worker) for index, worker in enumerate((a, b))]
    held = await a.heard(account(BUSY, Money(cap=0.0, next_call=0.1, wanted=0.6)))
    assert held.usd == pytest.approx(0.6)
    await ended(tasks[:1])
    left = await b.heard(account(BUSY, Money(cap=0.0, next_call=0.1, wanted=5.0)))
    assert left.usd == pytest.approx(0.4)
    await ended(tasks[1:])


async def test_money_that_a_worker_has_left_when_its_work_is_done_goes_to_the_others() -> None:
    coordinator, a, b = Coordinator(LIMITS, budget_usd=1.0), Worker(), Worker()
    done = asyncio.Event()

    async def work() -> None:
        await done.wait()

    first = asyncio.create_task(coordinator.supply(0, a.exchange, work()))
    second = supplied(coordinator, 1, b)
    held = await a.heard(account(BUSY, Money(cap=0.0, next_call=0.1, wanted=0.6)))
    assert held.usd == pytest.approx(0.6)
    done.set()
    last = await a.heard(account(BUSY, Money(cap=0.2, spent=0.2)))
    assert last == Allowance({}, 0.0, last=True)
    await first
    left = await b.heard(account(BUSY, Money(cap=0.0, next_call=0.1, wanted=5.0)))
    assert left.usd == pytest.approx(0.8)
    await ended([second])


async def ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
