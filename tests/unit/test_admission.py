"""The adaptive limit: what it does for servers of every kind, simulated call by call."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfj_bootstrap.limits.admission import Admission, Answer, observe, opened

Latency = Callable[[random.Random, int], float]


class World:
    """A server with a real limit, a queue or neither, and a client that always has more to send.

    As at the gate, a slot that a 429 came through stays closed for about as long as an answer takes.
    """

    def __init__(
        self,
        cap: int,
        *,
        refuses_above: float = math.inf,
        queues_above: float = math.inf,
        stray: float = 0.0,
        batches: bool = False,
        rng_seed: int = 1,
    ) -> None:
        self.state = Admission(cap)
        self.now = 0.0
        self.answers = self.refusals = 0
        self.used_s = 0.0
        self._refuses_above, self._queues_above = refuses_above, queues_above
        self._stray, self._batches = stray, batches
        self._rng = random.Random(rng_seed)
        self._ends: list[tuple[float, float, bool]] = []
        self._busy_until = [0.0] * int(min(queues_above, 10**6)) if queues_above < math.inf else []

    def run(self, answers: int) -> list[int]:
        """Go on until so many more answers came; the limit after each event."""
        limits = []
        wanted = self.answers + answers
        while self.answers < wanted:
            while len(self._ends) < int(self.state.limit):
                self._send()
            end, sent_at, throttled = heapq.heappop(self._ends)
            self.now = end
            if sent_at < 0:  # a closed slot opens
                continue
            self.state = observe(self.state, Answer(sent_at, end, throttled))
            self.answers += not throttled
            self.refusals += throttled
            if throttled:
                heapq.heappush(self._ends, (end + 0.2, -1.0, False))
            limits.append(int(self.state.limit))
        return limits

    def _send(self) -> None:
        working = sum(sent_at >= 0 for _, sent_at, _ in self._ends)
        if working >= self._refuses_above or self._rng.random() < self._stray:
            heapq.heappush(self._ends, (self.now + 0.002, self.now, True))
            return
        service = self._rng.lognormvariate(math.log(0.2) - 0.125, 0.5)
        if self._batches:  # twice the load takes 1.4 times as long: throughput still grows
            service *= math.sqrt(working + 1)
        start = self.now
        if self._busy_until:
            start = max(self.now, heapq.heappop(self._busy_until))
            heapq.heappush(self._busy_until, start + service)
        self.used_s += service
        heapq.heappush(self._ends, (start + service, self.now, False))


def test_the_first_call_goes_alone_and_the_cap_is_open_from_the_first_answer_on() -> None:
    state = Admission(64)
    assert state.limit == 1
    state = observe(state, Answer(0.0, 0.1, throttled=True))
    assert state.limit == 1
    assert observe(state, Answer(0.2, 0.4)).limit == 64


def test_a_real_limit_is_found_with_few_refusals_and_kept_busy() -> None:
    world = World(64, refuses_above=24)
    world.run(300)
    assert world.state.limit < 40
    world.run(10_000)
    assert world.refusals < 0.05 * world.answers
    assert world.used_s > 0.9 * 24 * world.now


@pytest.mark.parametrize(("real", "cap"), [(1, 64), (2, 64), (4, 64), (8, 64), (100, 256)])
def test_real_limits_of_every_size_are_found(real: int, cap: int) -> None:
    world = World(cap, refuses_above=real)
    world.run(4000)
    assert world.refusals < 0.1 * world.answers
    assert world.used_s > 0.75 * real * world.now


@pytest.mark.parametrize("rng_seed", range(5))
def test_stray_refusals_keep_the_limit_near_the_cap(rng_seed: int) -> None:
    world = World(64, stray=0.03, rng_seed=rng_seed)
    limits = world.run(10_000)
    assert sum(limits[1:]) / len(limits[1:]) > 0.85 * 64
    assert min(limits[1:]) > 0.6 * 64
    assert world.used_s > 0.8 * 64 * world.now


def test_without_refusals_and_with_steady_latency_the_cap_is_kept() -> None:
    world = World(64)
    limits = world.run(10_000)
    assert sum(limits[1:]) / len(limits[1:]) > 0.97 * 64


def test_a_queue_without_refusals_is_cut_and_the_server_stays_busy() -> None:
    world = World(64, queues_above=8)
    limits = world.run(6000)
    assert 8 <= sum(limits[-1000:]) / 1000 <= 40
    assert world.used_s > 0.95 * 8 * world.now


def test_a_server_that_batches_keeps_its_throughput() -> None:
    world = World(64, batches=True)
    limits = world.run(8000)
    assert sum(limits[-4000:]) / 4000 > 0.75 * 64


def test_a_limit_that_was_cut_recovers_when_the_server_does() -> None:
    world = World(64, refuses_above=8)
    world.run(1000)
    assert world.state.limit < 16
    world._refuses_above = math.inf
    world.run(30_000)
    assert world.state.limit > 48


@settings(max_examples=200)
@given(
    cap=st.integers(1, 1000),
    events=st.lists(
        st.tuples(st.floats(0, 5), st.floats(0, 100), st.booleans(), st.booleans()), max_size=300
    ),
)
def test_whatever_comes_the_limit_stays_between_one_and_the_cap(
    cap: int, events: list[tuple[float, float, bool, bool]]
) -> None:
    state, now = Admission(cap), 0.0
    for pause, latency, throttled, saturated in events:
        now += pause
        state = observe(state, Answer(now - latency, now, throttled, saturated))
        assert 1 <= state.limit <= cap
        assert state.floor_s >= 0
        assert 0 <= state.usual <= 1


@given(st.integers(1, 100), st.floats(0, 1e6))
def test_opening_it_twice_changes_nothing(cap: int, now: float) -> None:
    state = opened(Admission(cap), now)
    assert state.limit == cap
    assert opened(state, now + 1) is state
