"""Which replica a call goes to, and how replicas are started: without any server."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dfj_bootstrap.config.models import VLLMModel
from dfj_bootstrap.config.roles import GeneratorRole
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.endpoints.child import tail_of
from dfj_bootstrap.endpoints.vllm.command import gpu_shares, serve_command
from dfj_bootstrap.endpoints.vllm.endpoint import Router, ranking, replica_launch
from dfj_bootstrap.errors import ConfigError, EndpointRejected, Stopped
from dfj_bootstrap.roles.generation import FORMS
from dfj_bootstrap.roles.identity import identity_of


class FakeReplica:
    """Answers when a test says so."""

    def __init__(self, index: int) -> None:
        self.base_url = f"http://replica-{index}/v1"
        self.answers = asyncio.Event()
        self.asked = asyncio.Event()
        self.failure: Exception | None = None
        self.closed = False

    async def ready(self) -> str:
        self.asked.set()
        await self.answers.wait()
        if self.failure:
            raise self.failure
        return self.base_url

    async def aclose(self) -> None:
        self.closed = True


def replicas(count: int, *, up: bool = True) -> list[FakeReplica]:
    made = [FakeReplica(index) for index in range(count)]
    for each in made:
        if up:
            each.answers.set()
    return made


def home_of(seed_id: str, made: list[FakeReplica]) -> FakeReplica:
    return made[ranking(seed_id, len(made))[0]]


def model(**values: Any) -> VLLMModel:
    return VLLMModel(**{"backend": "vllm", "model": "some/model", **values})


@given(st.text(), st.integers(1, 20))
def test_a_seed_ranks_all_replicas_and_always_in_the_same_order(seed_id: str, count: int) -> None:
    assert sorted(ranking(seed_id, count)) == list(range(count))
    assert ranking(seed_id, count) == ranking(seed_id, count)


@given(st.text(), st.integers(1, 20))
def test_one_replica_more_takes_seeds_and_moves_no_others(seed_id: str, count: int) -> None:
    grown = ranking(seed_id, count + 1)
    assert [index for index in grown if index != count] == ranking(seed_id, count)


def test_seeds_spread_evenly() -> None:
    homes = Counter(ranking(f"seed-{number}", 4)[0] for number in range(4000))
    assert set(homes) == {0, 1, 2, 3}
    assert max(homes.values()) < 1.15 * min(homes.values())


async def test_calls_of_one_seed_go_to_its_replica() -> None:
    made = replicas(3)
    router = Router(made)
    for seed_id in ("a", "b", "c", "d"):
        assert (await router.seat_of(seed_id)).base_url == home_of(seed_id, made).base_url
    await router.aclose()


async def test_no_call_goes_out_before_all_replicas_have_answered_once() -> None:
    made = replicas(2, up=False)
    router = Router(made)
    waiting = asyncio.create_task(router.seat_of("a"))
    home_of("a", made).answers.set()
    for each in made:
        await each.asked.wait()
    assert not waiting.done()
    for each in made:
        each.answers.set()
    assert (await waiting).base_url == home_of("a", made).base_url
    await router.aclose()


async def test_while_a_replica_is_down_its_seeds_go_to_the_next_one_and_then_come_back() -> None:
    made = replicas(3)
    router = Router(made)
    first, second, _ = ranking("a", 3)
    seat = await router.seat_of("a")
    made[first].answers.clear()
    made[first].asked.clear()
    seat.doubt()
    assert (await router.seat_of("a")).base_url == made[second].base_url
    await made[first].asked.wait()
    made[first].answers.set()
    await seat.ask()
    assert (await router.seat_of("a")).base_url == made[first].base_url
    await router.aclose()


async def test_while_none_is_up_calls_wait() -> None:
    made = replicas(1)
    router = Router(made)
    seat = await router.seat_of("a")
    made[0].answers.clear()
    made[0].asked.clear()
    seat.doubt()
    waiting = asyncio.create_task(router.seat_of("a"))
    await made[0].asked.wait()
    assert not waiting.done()
    made[0].answers.set()
    assert (await waiting).base_url == made[0].base_url
    await router.aclose()


@pytest.mark.parametrize("at_first", [True, False])
async def test_a_replica_that_is_given_up_stops_the_run(at_first: bool) -> None:
    made = replicas(2, up=not at_first)
    router = Router(made)
    seat = None if at_first else await router.seat_of("a")
    home_of("a", made).failure = EndpointRejected("gone for good")
    home_of("a", made).answers.set()
    if seat:
        seat.doubt()
        await asyncio.wait([seat.ask()])
    with pytest.raises(EndpointRejected, match="gone for good"):
        await router.seat_of("a")
    await router.aclose()


async def test_a_run_that_stops_keeps_nobody_waiting_for_a_server() -> None:
    made = replicas(2, up=False)
    router = Router(made)
    waiting = asyncio.create_task(router.seat_of("a"))
    await made[0].asked.wait()
    router.stop()
    with pytest.raises(Stopped):
        await waiting
    await router.aclose()
    assert all(each.closed for each in made)


@given(st.integers(1, 6), st.integers(1, 4))
def test_each_replica_gets_gpus_of_its_own(count: int, each: int) -> None:
    shares = gpu_shares(model(replicas=count, gpus_per_replica=each), {})
    devices = [device for share in shares for device in share["CUDA_VISIBLE_DEVICES"].split(",")]
    assert len(shares) == count
    assert devices == [str(n) for n in range(count * each)]


def test_the_gpus_are_those_that_the_environment_names() -> None:
    shares = gpu_shares(model(replicas=2, gpus_per_replica=2), {"CUDA_VISIBLE_DEVICES": "7,5,3,1,0"})
    assert [share["CUDA_VISIBLE_DEVICES"] for share in shares] == ["7,5", "3,1"]


@pytest.mark.parametrize("named", ["", "0", "0,1,2"])
def test_too_few_gpus_are_told_before_anything_starts(named: str) -> None:
    with pytest.raises(ConfigError, match="2 vLLM replicas of 2 GPUs need 4"):
        gpu_shares(model(replicas=2, gpus_per_replica=2), {"CUDA_VISIBLE_DEVICES": named})


def test_on_the_cpu_no_gpus_are_shared_out() -> None:
    assert gpu_shares(model(replicas=3, gpus_per_replica=0), {"CUDA_VISIBLE_DEVICES": ""}) == [{}, {}, {}]


@pytest.fixture
def vllm_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vllm").write_text("#!/bin/sh\n")
    (tmp_path / "vllm").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("vllm_on_path")
def test_the_users_arguments_come_last_and_numbers_may_stand_among_them() -> None:
    command = serve_command(model(gpus_per_replica=4, args=["--max-model-len", 8192]), "127.0.0.1", 1234)
    serve = command[command.index("serve") :]
    assert serve[:6] == ["serve", "some/model", "--host", "127.0.0.1", "--port", "1234"]
    assert serve[-4:] == ["--tensor-parallel-size", "4", "--max-model-len", "8192"]


@pytest.mark.usefixtures("vllm_on_path")
def test_the_key_goes_by_environment_and_the_log_stays_in_the_run_folder(tmp_path: Path) -> None:
    launch = replica_launch("../a b", 1, model(), tmp_path, host="::1", key="k" * 20)
    assert launch.environment["VLLM_API_KEY"] == "k" * 20
    assert "k" * 20 not in repr(launch)
    assert launch.log.parent == tmp_path / "logs"
    assert launch.log.resolve().parent == (tmp_path / "logs").resolve()
    assert launch.address.startswith("http://[::1]:")


@pytest.mark.parametrize(
    "word", ["--port", "--host=0.0.0.0", "--api-key", "--api_key=x", "--served-model-name"]
)
def test_what_the_run_sets_itself_is_refused_as_an_argument(word: str) -> None:
    with pytest.raises(ValidationError, match="is set by the run itself"):
        model(args=[word, "1"])


def test_how_many_replicas_there_are_does_not_make_another_run() -> None:
    def identity(**values: Any) -> dict[str, Any]:
        return identity_of(
            Config(seeds=Path("s"), models={"own": model(**values)}, generator=GeneratorRole(model="own")),
            FORMS,
        )

    assert identity() == identity(replicas=4, gpus_per_replica=2, args=["--enforce-eager"])
    assert identity() != identity(model="another/model")


def test_the_tail_of_a_log_has_the_cause_and_the_end_without_colours(tmp_path: Path) -> None:
    lines = ["start", "\x1b[31mValueError: no memory\x1b[0m", *map(str, range(50)), "see above", "the end"]
    (tmp_path / "log").write_text("\n".join(lines) + "\n\n")
    assert tail_of(tmp_path / "log") == ["ValueError: no memory", "49", "see above", "the end"]
    assert tail_of(tmp_path / "nowhere") == []
