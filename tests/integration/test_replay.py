"""Resume is replay: whatever the order of answers, running again asks nothing and makes the same."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dfj_bootstrap.calls.call import Call, Reply
from dfj_bootstrap.config.file import load_config
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.endpoints.scripted.roles import answer
from dfj_bootstrap.engine.task import Job
from dfj_bootstrap.engine.worker import Worker
from dfj_bootstrap.intake.plan import make_plan
from dfj_bootstrap.intake.seeds import SeedItems
from dfj_bootstrap.roles.backends import Backends
from dfj_bootstrap.roles.generation import FORMS
from dfj_bootstrap.roles.identity import identity_of
from dfj_bootstrap.similarity.lexical import LexicalSimilarity
from dfj_bootstrap.storage.manifest import Origin, open_manifest
from dfj_bootstrap.storage.reader import RunReader
from dfj_bootstrap.tasks.generate import Generate
from tests.support.runs import model_config, write_config
from tests.support.seeds import write_seed_rows


class Shuffled:
    """An endpoint double: the same answer to the same call, after some turns of the loop drawn by chance."""

    def __init__(self, rng_seed: int) -> None:
        self.calls: list[str] = []
        self._draw = random.Random(rng_seed)

    async def complete(self, call: Call) -> Reply:
        self.calls.append(call.key)
        for _ in range(self._draw.randrange(12)):
            await asyncio.sleep(0)
        fields = answer(call.role, "\n".join(call.parts), call.key, 0.4)
        text = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
        return Reply(text, Finish.STOP, "double", input_tokens=10, output_tokens=5)

    def stop_admission(self) -> None: ...

    async def aclose(self) -> None: ...


def planned(folder: Path) -> Job:
    write_seed_rows(folder, 3)
    config = load_config(Config, write_config(folder, **model_config("http://127.0.0.1:9/v1")))
    config.output.mkdir(parents=True)
    manifest = open_manifest(config.output, Origin({}, identity_of(config, FORMS)))
    make_plan(config.output, SeedItems(config.seed_files))
    return Job(Generate(config), config, manifest["run_id"], basis="first")


def run(job: Job, endpoint: Shuffled) -> dict[str, list[object]]:
    """Work on all partitions; returns the tables."""

    async def work() -> None:
        backends = Backends({"double": endpoint}, LexicalSimilarity(), items_at_once=8)
        async with Worker(job, backends) as worker, asyncio.TaskGroup() as group:
            for partition in range(8):
                group.create_task(worker.work(partition, lambda delta: None))

    asyncio.run(work())
    return {
        table: list(RunReader(job.run, {}).rows(table)) for table in ("rounds", "trajectories", "paraphrases")
    }


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.integers(0, 10**6), second=st.integers(0, 10**6))
def test_any_order_of_answers_makes_the_same_tables_and_replays_without_a_call(
    tmp_path_factory: pytest.TempPathFactory, first: int, second: int
) -> None:
    job, other = planned(tmp_path_factory.mktemp("a")), planned(tmp_path_factory.mktemp("b"))
    one, two, silent = Shuffled(first), Shuffled(second), Shuffled(first + 1)
    tables = run(job, one)
    assert len(set(one.calls)) == len(one.calls) > 50  # two callers with the same call share it
    assert run(other, two) == tables
    assert sorted(one.calls) == sorted(two.calls)
    assert run(replace(job, basis="second"), silent) == tables
    assert silent.calls == []
