"""Calls that fail while their siblings are in flight: every question ends once, and is in the books."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dfj_bootstrap.calls.call import Call, Reply
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.endpoints.scripted.roles import answer
from dfj_bootstrap.engine.task import Job
from dfj_bootstrap.engine.worker import Worker
from dfj_bootstrap.errors import CallFailed, EndpointRejected, Stopped
from dfj_bootstrap.roles.backends import Backends
from dfj_bootstrap.similarity.lexical import LexicalSimilarity
from dfj_bootstrap.storage.commits import read_commits
from dfj_bootstrap.storage.journal import read_journal
from dfj_bootstrap.storage.ledger import Tally
from dfj_bootstrap.tasks.generation_ledger import GENERATION
from tests.integration.test_replay import planned
from tests.support.model_server import Behaviour, read_log, server_process
from tests.support.runs import Paid, dfj, model_config, status, write_config
from tests.support.seeds import write_seed_rows

SEEDS, PARTITIONS = 3, 8


class Faulty:
    """An endpoint double: some calls fail, each takes some turns of the loop, and one may end the run."""

    def __init__(self, rng_seed: int, failing: float, last: int | None = None) -> None:
        """``last``: the number of the call that is refused for good."""
        self.ends: Counter[str] = Counter()
        self._draw = random.Random(rng_seed)
        self._failing = failing
        self._last = last
        self._closed = False

    async def complete(self, call: Call) -> Reply:
        self.ends["asked"] += 1
        try:
            reply = await self._answer(call, self.ends["asked"])
        except Exception as error:
            self.ends["stopped" if isinstance(error, Stopped) else "failed"] += 1
            raise
        self.ends["answered"] += 1
        return reply

    async def _answer(self, call: Call, number: int) -> Reply:
        for _ in range(self._draw.choice((0, 1, 5, 40))):
            await asyncio.sleep(0)
            if self._closed:
                raise Stopped
        if number == self._last:
            raise EndpointRejected("no more credit")
        if self._draw.random() < self._failing:
            raise CallFailed("given up")
        fields = answer(call.role, "\n".join(call.parts), call.key, 0.4)
        text = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
        return Reply(text, Finish.STOP, "double", input_tokens=10, output_tokens=5)

    def stop_admission(self) -> None:
        self._closed = True

    async def aclose(self) -> None: ...


async def work(job: Job, endpoint: Faulty, heard: Tally) -> None:
    backends = Backends({"double": endpoint}, LexicalSimilarity(), items_at_once=8)
    async with Worker(job, backends) as worker, asyncio.TaskGroup() as group:
        for partition in range(PARTITIONS):
            group.create_task(worker.work(partition, heard.update))


def recorded(job: Job) -> Tally:
    return sum((Counter(record.tally) for record in read_commits(job.run).values()), Counter())


FAULTS = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FAULTS
@given(rng_seed=st.integers(0, 10**6), failing=st.sampled_from([0.02, 0.2, 0.6]))
def test_every_question_ends_once_and_is_in_the_books_of_its_partition(
    tmp_path_factory: pytest.TempPathFactory, rng_seed: int, failing: float
) -> None:
    job, heard = planned(tmp_path_factory.mktemp("run")), Tally()
    endpoint = Faulty(rng_seed, failing)
    asyncio.run(work(job, endpoint, heard))
    assert GENERATION.imbalance(heard, recorded(job), SEEDS) == ""
    assert endpoint.ends["asked"] == heard["calls.answered"] + heard["calls.failed"]
    assert endpoint.ends["failed"] == heard["calls.failed"]
    second, anew = Faulty(0, 0.0), Tally()
    asyncio.run(work(replace(job, basis="second"), second, anew))
    assert GENERATION.imbalance(anew, recorded(job), SEEDS) == ""
    assert anew["seeds.failed"] == 0
    assert anew["calls.answered"] == endpoint.ends["answered"] + second.ends["answered"]  # none paid twice


@FAULTS
@given(rng_seed=st.integers(0, 10**6), last=st.integers(1, 60))
def test_a_run_that_stops_in_the_middle_says_why_and_has_every_answer_recorded(
    tmp_path_factory: pytest.TempPathFactory, rng_seed: int, last: int
) -> None:
    job, heard = planned(tmp_path_factory.mktemp("run")), Tally()
    endpoint = Faulty(rng_seed, 0.1, last)
    with pytest.raises(BaseExceptionGroup) as caught:
        asyncio.run(work(job, endpoint, heard))
    assert not caught.group_contains(Stopped)
    assert caught.group_contains(EndpointRejected, match="no more credit")
    ends = endpoint.ends
    assert ends["asked"] == ends["answered"] + ends["failed"] + ends["stopped"]
    assert (heard["calls.answered"], heard["calls.failed"]) == (ends["answered"], ends["failed"])
    folders = (job.run / "journal").iterdir()
    assert sum("role" in record for folder in folders for record in read_journal(folder)) == ends["answered"]


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "rng_seed"), [("local", 1), ("local", 2), ("ray", 3)])
def test_runs_among_many_failures_end_with_their_books_balanced_and_a_second_start_completes(
    tmp_path: Path, engine: str, rng_seed: int
) -> None:
    write_seed_rows(tmp_path, 30)
    log = tmp_path / "log"
    faulty = Behaviour(rates={"500": 0.22}, latency_s=0.02, rng_seed=rng_seed)
    with server_process(faulty, log) as base_url:
        config = write_config(tmp_path, **model_config(base_url, max_attempts=2), engine={"kind": engine})
        first = dfj("generate", config)
        assert first.returncode in (0, 3), first.stderr
        seeds = status(tmp_path / "run")["seeds"]
        assert seeds["complete"] + seeds["incomplete"] + seeds["failed"] == 30
    with server_process(Behaviour(), log) as base_url:
        write_config(tmp_path, **model_config(base_url), engine={"kind": engine})
        second = dfj("generate", config)
    assert second.returncode == 0, second.stderr
    found = status(tmp_path / "run")
    assert (found["state"], found["seeds"]["failed"]) == ("complete", 0)
    paid = Paid.of(read_log(log))
    assert (paid.repeated, found["calls"]["answered"]) == (0, paid.answers)


class OneRefused(Faulty):
    """Refuses one paraphrase at once; its siblings are answered when all other seeds are done."""

    def __init__(self, seed_id: str) -> None:
        super().__init__(0, 0.0)
        self._seed_id = seed_id
        self.others_done = asyncio.Event()

    async def _answer(self, call: Call, number: int) -> Reply:
        place = call.place
        if (call.role, place.seed_id, place.level) == ("paraphraser", self._seed_id, 3):
            if place.round_index == 0:
                raise CallFailed("this content cannot be processed")
            await self.others_done.wait()
        return await super()._answer(call, number)


async def test_a_refused_paraphrase_waits_for_its_siblings_and_costs_its_own_seed_alone(
    tmp_path: Path,
) -> None:
    job, heard = planned(tmp_path), Tally()
    endpoint = OneRefused("seed-00001")

    def hear(delta: Tally) -> None:
        heard.update(delta)
        if GENERATION.items.ended(heard) == SEEDS - 1:
            endpoint.others_done.set()

    backends = Backends({"double": endpoint}, LexicalSimilarity(), items_at_once=8)
    async with Worker(job, backends) as worker, asyncio.TaskGroup() as group:
        for partition in range(PARTITIONS):
            group.create_task(worker.work(partition, hear))
    assert GENERATION.imbalance(heard, recorded(job), SEEDS) == ""
    assert (heard["seeds.failed"], heard["calls.failed"], heard["calls.stopped"]) == (1, 1, 0)
    assert heard["calls.answered"] == endpoint.ends["answered"]
