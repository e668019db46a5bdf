"""Which partition is to blame for a death: nothing is lost, repeated for ever or ended for nothing."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.cluster.docket import Docket
from dfj_bootstrap.errors import RunError


def test_each_partition_is_given_out_once() -> None:
    docket = Docket([1, 2, 3])
    assert [docket.take(0), docket.take(1), docket.take(0), docket.take(1)] == [1, 2, 3, None]


def test_what_a_dead_worker_had_open_comes_first_again() -> None:
    docket = Docket([1, 2, 3, 4])
    assert [docket.take(0), docket.take(0)] == [1, 2]
    assert docket.died(0) == [1, 2]
    assert [docket.take(1) for _ in range(4)] == [1, 2, 3, 4]


def test_the_second_death_in_a_row_makes_a_suspect_which_runs_last_and_alone() -> None:
    docket = Docket([1, 2, 3])
    for _ in range(2):
        assert [docket.take(0), docket.take(0)] == [1, 2]
        docket.died(0)
    docket.check()
    assert docket.take(0) == 3
    assert docket.take(0) is None
    docket.committed(0, 3)
    assert docket.take(0) == 1
    assert docket.take(0) is None
    assert docket.take(1) == 2


def test_the_one_that_was_alone_in_the_third_death_is_named() -> None:
    docket = Docket([1, 2])
    for _ in range(2):
        assert [docket.take(0), docket.take(0)] == [1, 2]
        docket.died(0)
    assert docket.take(0) == 1
    docket.committed(0, 1)
    assert docket.take(0) == 2
    docket.died(0)
    with pytest.raises(RunError, match="partition 2: 3 workers in a row died over it"):
        docket.check()


def test_deaths_are_forgotten_where_a_partition_gets_on() -> None:
    docket = Docket([1])
    for answers in range(1, 20):
        assert docket.take(0) == 1
        assert docket.told(1, Counter({"calls.answered": answers}))
        docket.died(0)
        docket.check()


def test_to_come_as_far_as_before_is_not_to_get_on() -> None:
    docket = Docket([1])
    for replayed in range(3):
        docket.take(0)
        docket.told(1, Counter({"calls.answered": 7}))
        assert not docket.told(1, Counter({"calls.replayed": replayed}))
        docket.died(0)
    with pytest.raises(RunError, match="partition 1"):
        docket.check()


def test_a_worker_that_ends_in_good_order_is_no_death() -> None:
    docket = Docket([1])
    for _ in range(9):
        assert docket.take(0) == 1
        assert docket.given_up(0) == [1]
        docket.check()


class _World:
    """Workers that fill up, then die of poison, die for nothing after some progress, or commit something."""

    def __init__(self, poison: set[int], rng_seed: int) -> None:
        self.poison = poison
        self.docket = Docket(range(10))
        self.done: list[int] = []
        self._open: list[list[int]] = [[], [], []]
        self._draw = random.Random(rng_seed)
        self._answers = 0

    def step(self) -> None:
        worker = self._draw.randrange(len(self._open))
        self._fill(worker)
        if self.poison & set(self._open[worker]):
            self._die(worker)
        elif self._draw.random() < 0.3:
            self._gain(worker)
            self._die(worker)
        elif self._open[worker]:
            partition = self._open[worker].pop()
            self.docket.committed(worker, partition)
            self.done.append(partition)

    def _fill(self, worker: int) -> None:
        while len(self._open[worker]) < 4 and (partition := self.docket.take(worker)) is not None:
            assert not any(partition in opened for opened in self._open)
            self._open[worker].append(partition)

    def _gain(self, worker: int) -> None:
        for partition in self._open[worker]:
            self._answers += 1
            self.docket.told(partition, Counter({"calls.answered": self._answers}))

    def _die(self, worker: int) -> None:
        assert self.docket.died(worker) == sorted(self._open[worker])
        self._open[worker] = []
        self.docket.check()


@given(poison=st.sets(st.integers(0, 9), max_size=2), rng_seed=st.integers(0, 10_000))
def test_whatever_dies_only_poison_ends_a_run(poison: set[int], rng_seed: int) -> None:
    world = _World(poison, rng_seed)
    named = None
    for _ in range(2000):  # it doesn't go on for ever
        try:
            if world.docket.left:
                world.step()
        except RunError as error:
            named = int(re.findall(r"partition (\d+)", str(error))[0])
            break
    assert named in poison if poison else named is None
    assert poison or sorted(world.done) == list(range(10))
    assert not set(world.done) & poison
