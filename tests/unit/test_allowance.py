"""Shares of limits, rates kept by buckets, and the coordinator that hands both out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.errors import BudgetSpent
from dfj_bootstrap.limits.allowance import (
    BURST_S,
    Bucket,
    Demand,
    Grant,
    Money,
    split_dollars,
    split_rate,
    split_slots,
)
from dfj_bootstrap.limits.allowances import Coordinator, Grants, Usage

amounts = st.floats(0, 1e6)


@given(st.floats(0, 1e6), st.lists(amounts, min_size=1, max_size=30))
def test_shares_of_a_rate_add_up_to_it_and_small_wants_are_met(whole: float, wanted: list[float]) -> None:
    shares = split_rate(whole, wanted)
    assert sum(shares) == pytest.approx(whole)
    fair = whole / len(wanted)
    for share, want in zip(shares, wanted, strict=True):
        assert share >= min(want, fair) - 1e-6 * (1 + whole)


@given(st.integers(0, 500), st.lists(st.integers(0, 1000), min_size=1, max_size=30))
def test_slots_add_up_and_nobody_who_wants_one_goes_without_while_there_is_one_each(
    whole: int, wanted: list[int]
) -> None:
    shares = split_slots(whole, wanted)
    assert sum(shares) == whole
    assert min(shares) >= 0
    if whole >= len(wanted):
        assert all(share >= 1 for share, want in zip(shares, wanted, strict=True) if want)


@given(st.floats(0, 100), st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50)), min_size=1, max_size=20))
def test_dollars_never_add_up_to_more_and_go_first_where_they_buy_a_call(
    whole: float, workers: list[tuple[float, float]]
) -> None:
    next_call = [call for call, _ in workers]
    wanted = [call + more for call, more in workers]
    shares = split_dollars(whole, next_call, wanted)
    assert sum(shares) <= whole + 1e-6
    if next_call[0] <= whole:
        assert shares[0] >= next_call[0] - 1e-9


@given(
    st.floats(0.01, 1000),
    st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 5)), max_size=60),
)
def test_a_bucket_lets_through_no_more_than_its_rate_and_one_burst(
    rate: float, calls: list[tuple[float, float]]
) -> None:
    bucket, now, taken = Bucket(rate, 0.0, 0.0), 0.0, 0.0
    for pause, amount in calls:
        now += pause
        wait = bucket.wait_s(now, amount)
        assert wait is not None
        now += wait
        bucket = bucket.taken(now, amount)
        assert taken <= rate * now + bucket.burst + 1e-6 * (1 + rate * now)  # before this one
        taken += amount


def test_a_bucket_is_smooth_from_the_start() -> None:
    bucket, now, times = Bucket(20.0, 1.0, 0.0), 0.0, []
    while now < 20:
        wait = bucket.wait_s(now, 1.0)
        assert wait is not None
        now += wait
        bucket = bucket.taken(now, 1.0)
        times.append(now)
    busiest = max(sum(start <= t < start + 10 for t in times) for start in times)
    assert busiest <= 1.1 * 200
    assert len(times) >= 0.95 * 400


def test_what_was_saved_up_is_bounded_and_what_is_given_back_counts() -> None:
    assert Bucket(20.0, 0.0, 0.0).filled(100.0).level == 20 * BURST_S
    after = Bucket(20.0, 5.0, 0.0).taken(0.0, 5.0).taken(0.0, -3.0)
    assert after.level == 3.0
    assert Bucket(0.0, 0.0, 0.0).wait_s(5.0, 1.0) is None


class Worker:
    """Says what it is told to say, one exchange at a time."""

    def __init__(self) -> None:
        self.told: list[Grants] = []
        self.says: asyncio.Queue[Usage] = asyncio.Queue()

    async def exchange(self, grants: Grants) -> Usage:
        self.told.append(grants)
        return await self.says.get()

    async def heard(self, usage: Usage) -> Grants:
        """What it is told after it has said this."""
        self.says.put_nowait(usage)
        for _ in range(20):
            await asyncio.sleep(0)
        return self.told[-1]


def usage(demand: Demand = Demand(), money: Money | None = None) -> Usage:  # noqa: B008 - frozen
    return Usage({"fast": demand}, money or Money())


def supplied(coordinator: Coordinator, index: int, worker: Worker) -> asyncio.Task[None]:
    async def forever() -> None:
        await asyncio.Event().wait()

    return asyncio.create_task(coordinator.supply(index, worker.exchange, forever()))


LIMITS: Mapping[str, Grant] = {"fast": Grant(10, 20.0, 600.0)}
BUSY = Demand(5, 10, 50.0, 5000.0, proven=True)


async def test_only_one_call_goes_out_over_all_workers_until_one_was_answered() -> None:
    coordinator, a, b = Coordinator(LIMITS), Worker(), Worker()
    tasks = [supplied(coordinator, index, worker) for index, worker in enumerate((a, b))]
    unproven = usage(Demand(wanted=8))
    first, second = await a.heard(unproven), await b.heard(unproven)
    assert first.endpoints["fast"].in_flight + second.endpoints["fast"].in_flight == 1
    after = await a.heard(usage(BUSY))
    assert after.endpoints["fast"].proven
    assert after.endpoints["fast"].in_flight > 1
    await ended(tasks)


async def test_shares_move_to_who_wants_them_and_never_add_up_to_more() -> None:
    coordinator, a, b = Coordinator(LIMITS), Worker(), Worker()
    tasks = [supplied(coordinator, index, worker) for index, worker in enumerate((a, b))]
    idle = Demand(proven=True)
    for mine, theirs in ((BUSY, idle), (BUSY, BUSY), (idle, BUSY), (idle, BUSY), (idle, BUSY)):
        one, other = await a.heard(usage(mine)), await b.heard(usage(theirs))
        first, second = one.endpoints["fast"], other.endpoints["fast"]
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
        await a.heard(usage(BUSY))
        await b.heard(usage(BUSY))
    await ended(tasks[:1])
    alone = (await b.heard(usage(BUSY))).endpoints["fast"]
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
            caps[index] = (await worker.heard(usage(BUSY, money))).usd or 0.0
            assert sum(caps) <= 8.0 + 1e-9
    assert sum(caps) > 7.0
    await ended(tasks)


async def test_the_budget_is_spent_when_nothing_is_in_flight_and_the_next_call_does_not_fit() -> None:
    coordinator, worker = Coordinator(LIMITS, budget_usd=1.0, spent=0.4), Worker()
    task = supplied(coordinator, 0, worker)
    await worker.heard(usage(BUSY, Money(cap=0.6, spent=0.2, reserved=0.3, next_call=0.5, wanted=1.0)))
    assert not task.done()
    worker.says.put_nowait(usage(BUSY, Money(cap=0.6, spent=0.45, next_call=0.5, wanted=1.0)))
    with pytest.raises(BaseExceptionGroup) as raised:
        await task
    (error,) = raised.value.exceptions
    assert isinstance(error, BudgetSpent)
    assert "$0.85" in str(error)


async def test_money_that_a_dead_worker_may_have_spent_counts_as_spent() -> None:
    coordinator, a, b = Coordinator(LIMITS, budget_usd=1.0), Worker(), Worker()
    tasks = [supplied(coordinator, index, worker) for index, worker in enumerate((a, b))]
    held = await a.heard(usage(BUSY, Money(cap=0.0, next_call=0.1, wanted=0.6)))
    assert held.usd == pytest.approx(0.6)
    await ended(tasks[:1])
    left = await b.heard(usage(BUSY, Money(cap=0.0, next_call=0.1, wanted=5.0)))
    assert left.usd == pytest.approx(0.4)
    await ended(tasks[1:])


async def test_money_that_a_worker_has_left_when_its_work_is_done_goes_to_the_others() -> None:
    coordinator, a, b = Coordinator(LIMITS, budget_usd=1.0), Worker(), Worker()
    done = asyncio.Event()

    async def work() -> None:
        await done.wait()

    first = asyncio.create_task(coordinator.supply(0, a.exchange, work()))
    second = supplied(coordinator, 1, b)
    held = await a.heard(usage(BUSY, Money(cap=0.0, next_call=0.1, wanted=0.6)))
    assert held.usd == pytest.approx(0.6)
    done.set()
    last = await a.heard(usage(BUSY, Money(cap=0.2, spent=0.2)))
    assert last == Grants({}, 0.0, last=True)
    await first
    left = await b.heard(usage(BUSY, Money(cap=0.0, next_call=0.1, wanted=5.0)))
    assert left.usd == pytest.approx(0.8)
    await ended([second])


async def ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
