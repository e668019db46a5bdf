"""vLLM's servers come, die, come back and leave nothing behind. A stand-in plays vLLM, which isn't needed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from dfj_bootstrap.endpoints import supervisor as vllm_supervisor
from dfj_bootstrap.endpoints.vllm.command import free_port
from dfj_bootstrap.endpoints.vllm.process import MOST_RESTARTS, Launch, ServerProcess
from dfj_bootstrap.errors import EndpointRejected
from tests.support import stand_in_vllm
from tests.support.processes import when_gone, when_lines
from tests.support.runs import ENVIRONMENT, dfj, kill, start_dfj, status, write_config
from tests.support.seeds import write_seed_rows
from tests.support.stand_in_vllm import command_on_path, processes_of, read_note

KEY = "key-of-one-run-0123456789"
SUPERVISOR = [sys.executable, "-I", vllm_supervisor.__file__, "--grace-s", "1", "--"]
GRACE_S = 1.0

needs_no_vllm = pytest.mark.skipif(
    find_spec("vllm") is not None, reason="the real vLLM would be found before the stand-in"
)


def serve(note: Path, port: int, *words: str) -> list[str]:
    where = ["serve", "m", "--host", "127.0.0.1", "--port", str(port)]
    return [sys.executable, stand_in_vllm.__file__, *where, "--note", str(note), *words]


def supervised(folder: Path, *words: str) -> subprocess.Popen[str]:
    """A stand-in below a supervisor, whose parent is this process; returns when it has started."""
    note = folder / "note"
    process = subprocess.Popen(
        [*SUPERVISOR, *serve(note, free_port("127.0.0.1"), *words)],
        stdin=subprocess.PIPE,
        text=True,
        env={**ENVIRONMENT, "VLLM_API_KEY": KEY},
        start_new_session=True,
    )
    when_lines(note, 1, process)
    return process


@asynccontextmanager
async def server_process(
    folder: Path, *words: str, startup_timeout_s: float = 30, waits: list[float] | None = None
) -> AsyncIterator[ServerProcess]:
    port = free_port("127.0.0.1")

    async def sleep(seconds: float) -> None:
        (waits if waits is not None else []).append(seconds)

    server = ServerProcess(
        Launch(
            "models.m: vLLM replica 0", serve(folder / "note", port, *words),
            {**ENVIRONMENT, "VLLM_API_KEY": KEY}, f"http://127.0.0.1:{port}", folder / "logs" / "m.log",
            startup_timeout_s,
        ),
        grace_s=GRACE_S,
        sleep=sleep,
    )  # fmt: skip
    try:
        yield server
    finally:
        await server.aclose()


def test_server_and_engine_end_when_the_pipe_to_the_parent_closes(tmp_path: Path) -> None:
    with supervised(tmp_path) as process:
        assert process.stdin
        process.stdin.close()
        assert process.wait(30) == 128 + signal.SIGTERM
    when_gone(processes_of(tmp_path / "note"))


def test_what_ignores_the_kind_signal_is_killed(tmp_path: Path) -> None:
    with supervised(tmp_path, "--stubborn") as process:
        assert process.stdin
        process.stdin.close()
        process.wait(30)
    when_gone(processes_of(tmp_path / "note"))


@pytest.mark.parametrize("words", [(), ("--stubborn",)])
def test_a_parent_that_is_killed_takes_the_server_with_it(tmp_path: Path, words: tuple[str, ...]) -> None:
    note = tmp_path / "note"
    command = [*SUPERVISOR, *serve(note, free_port("127.0.0.1"), *words)]
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, *command], env={**ENVIRONMENT, "VLLM_API_KEY": KEY}, text=True
    )
    when_lines(note, 1, parent)
    kill(parent)
    when_gone(processes_of(note))


_PARENT = """
import subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, start_new_session=True)
process.wait()
"""


def test_parent_and_outer_supervisor_killed_together_leave_nothing(tmp_path: Path) -> None:
    """As Ray does it: an actor that goes away has its children killed."""
    with supervised(tmp_path, "--stubborn") as process:
        os.kill(process.pid, signal.SIGKILL)
        assert process.stdin
        process.stdin.close()
    when_gone(processes_of(tmp_path / "note"))


def test_a_supervisor_that_is_told_to_stop_ends_all(tmp_path: Path) -> None:
    with supervised(tmp_path) as process:
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM
    when_gone(processes_of(tmp_path / "note"))


def test_a_killed_server_leaves_no_engine_and_its_end_is_told(tmp_path: Path) -> None:
    with supervised(tmp_path) as process:
        os.kill(processes_of(tmp_path / "note")[-2], signal.SIGKILL)
        assert process.wait(30) == 128 + signal.SIGKILL
    when_gone(processes_of(tmp_path / "note"))


def test_the_supervisor_needs_the_standard_library_alone() -> None:
    probe = f"import runpy, sys; runpy.run_path({vllm_supervisor.__file__!r}); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", probe], capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert loaded <= {*sys.stdlib_module_names, "__main__"}


async def test_a_server_is_ready_when_it_answers_and_gone_when_it_is_closed(tmp_path: Path) -> None:
    async with server_process(tmp_path) as server:
        base_url = await server.ready()
        assert base_url == f"http://127.0.0.1:{read_note(tmp_path / 'note')[0]['port']}/v1"
        assert await server.ready() == base_url
    when_gone(processes_of(tmp_path / "note"))
    log = tmp_path / "logs" / "m.log"
    assert "serving m" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0
    with pytest.raises(EndpointRejected, match="was closed"):
        await server.ready()


def command_line(process: int) -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes()


async def test_the_key_is_on_no_command_line_and_in_no_log(tmp_path: Path) -> None:
    async with server_process(tmp_path) as server:
        await server.ready()
        seen = [command_line(pid) for pid in processes_of(tmp_path / "note")]
    assert any(b"stand_in_vllm" in line for line in seen)
    assert not [line for line in seen if KEY.encode() in line]
    assert KEY not in (tmp_path / "logs" / "m.log").read_text()


async def test_a_server_that_dies_comes_back_at_the_same_address(tmp_path: Path) -> None:
    async with server_process(tmp_path) as server:
        base_url = await server.ready()
        for victim in (0, 1, 2):  # the server, its outer and its inner supervisor
            lives = [line["processes"] for line in read_note(tmp_path / "note")]
            os.kill([lives[-1][0], lives[-1][3], lives[-1][2]][victim], signal.SIGKILL)
            await asyncio.to_thread(when_gone, lives[-1])
            assert await server.ready() == base_url
            assert len(read_note(tmp_path / "note")) == len(lives) + 1
    when_gone(processes_of(tmp_path / "note"))


async def test_a_server_that_keeps_dying_is_given_up_after_growing_waits(tmp_path: Path) -> None:
    waits: list[float] = []
    async with server_process(tmp_path, waits=waits) as server:
        await server.ready()
        for life in range(1, MOST_RESTARTS + 1):
            lives = [line["processes"] for line in read_note(tmp_path / "note")]
            assert len(lives) == life
            os.kill(lives[-1][0], signal.SIGKILL)
            await asyncio.to_thread(when_gone, lives[-1])
            await server.ready()
        last = read_note(tmp_path / "note")[-1]["processes"]
        os.kill(last[0], signal.SIGKILL)
        await asyncio.to_thread(when_gone, last)
        with pytest.raises(EndpointRejected, match=rf"ended with SIGKILL after {MOST_RESTARTS} restarts"):
            await server.ready()
    assert waits == [2.0**n for n in range(MOST_RESTARTS)]


async def test_a_server_that_was_never_ready_is_not_started_again_and_its_log_says_why(
    tmp_path: Path,
) -> None:
    waits: list[float] = []
    async with server_process(tmp_path, "--fail", waits=waits) as server:
        with pytest.raises(EndpointRejected) as error:
            await server.ready()
    said = str(error.value)
    assert said.startswith("models.m: vLLM replica 0 ended with exit code 1 before it was ready")
    assert said.endswith("ValueError: no such model")
    assert str(tmp_path / "logs" / "m.log") in said
    assert waits == []


async def test_a_server_that_takes_too_long_is_ended_and_given_up(tmp_path: Path) -> None:
    async with server_process(tmp_path, "--never-ready", startup_timeout_s=2) as server:
        with pytest.raises(EndpointRejected, match="was not ready within 2 s"):
            await server.ready()
    when_gone(processes_of(tmp_path / "note"))


async def test_a_server_that_cannot_even_be_started_is_told(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    async with server_process(tmp_path) as server:
        with pytest.raises(OSError, match="logs"):
            await server.ready()


def run_config(folder: Path, *words: str, replicas: int = 2, **values: Any) -> Path:
    model = {
        "backend": "vllm", "model": "m", "replicas": replicas, "gpus_per_replica": 0, "max_in_flight": 8,
        "args": ["--note", str(folder / "note"), *words], "startup_timeout_s": 60,
    }  # fmt: skip
    roles: dict[str, Any] = {
        role: {"model": "own"} for role in ("writer", "generator", "evaluator", "paraphraser")
    }
    return write_config(folder, models={"own": model}, **roles, **values)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Seeds, and the stand-in as the ``vllm`` command of every run that a test starts."""
    path = f"{command_on_path(tmp_path / 'bin')}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setitem(ENVIRONMENT, "PATH", path)
    write_seed_rows(tmp_path, 8)
    return tmp_path


def calls_of(folder: Path) -> list[dict[str, Any]]:
    return [line for line in read_note(folder / "note") if line["event"] == "call"]


@needs_no_vllm
def test_a_run_sends_each_seed_to_one_replica_and_leaves_no_process(folder: Path) -> None:
    done = dfj("generate", run_config(folder))
    assert done.returncode == 0, done.stderr
    ports = defaultdict(set)
    for call in calls_of(folder):
        ports[call["seed"]].add(call["port"])
    assert all(len(seen) == 1 for seen in ports.values())
    assert len(set.union(*ports.values())) == 2
    assert {call["pictures"] for call in calls_of(folder)} >= {1}
    when_gone(processes_of(folder / "note"))
    assert sorted(log.name for log in (folder / "run" / "logs").iterdir()) == [
        "vllm-own-0.log",
        "vllm-own-1.log",
    ]


@needs_no_vllm
def test_a_replica_that_dies_costs_no_seed(folder: Path) -> None:
    done = dfj("generate", run_config(folder, "--die-at", "10"))
    assert done.returncode == 0, done.stderr
    assert "ended with exit code 3; it starts again" in done.stderr
    assert status(folder / "run")["seeds"]["failed"] == 0
    starts = [line for line in read_note(folder / "note") if line["event"] == "start"]
    assert len(starts) > 2
    when_gone(processes_of(folder / "note"))


@needs_no_vllm
@pytest.mark.slow
@pytest.mark.parametrize("end", [lambda process: process.send_signal(signal.SIGINT), kill])
def test_a_run_that_is_stopped_or_killed_leaves_no_process(
    folder: Path, end: Callable[[subprocess.Popen[str]], None]
) -> None:
    with start_dfj("generate", run_config(folder, "--stubborn")) as process:
        when_lines(folder / "note", 12, process)
        end(process)
        process.communicate(timeout=60)
    when_gone(processes_of(folder / "note"))
    assert dfj("generate", run_config(folder)).returncode == 0
    assert status(folder / "run")["state"] == "complete"


@needs_no_vllm
def test_stopped_while_its_server_still_starts_a_run_ends_at_once(folder: Path) -> None:
    with start_dfj("generate", run_config(folder, "--never-ready", replicas=1)) as process:
        when_lines(folder / "note", 1, process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130
    when_gone(processes_of(folder / "note"))


@needs_no_vllm
def test_a_live_check_starts_the_server_for_one_call_and_no_run(folder: Path) -> None:
    done = dfj("check", run_config(folder, replicas=1), "--live")
    assert done.returncode == 0, done.stderr
    assert "models.own: m answered as m" in done.stdout
    assert not (folder / "run").exists()
    when_gone(processes_of(folder / "note"))


@needs_no_vllm
def test_a_run_whose_server_does_not_start_ends_with_the_reason(folder: Path) -> None:
    done = dfj("generate", run_config(folder, "--fail", replicas=1))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("ValueError: no such model")


@needs_no_vllm
def test_without_vllm_nothing_starts_and_the_extra_is_named(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 1)
    done = dfj("generate", run_config(tmp_path))
    assert done.returncode == 2
    assert 'pip install "dfj-bootstrap[vllm]"' in done.stderr
    assert "Traceback" not in done.stderr


@needs_no_vllm
@pytest.mark.slow
def test_under_ray_the_replicas_are_shared_by_all_workers_and_end_with_the_run(folder: Path) -> None:
    done = dfj("generate", run_config(folder, engine={"kind": "ray", "workers": 2}))
    assert done.returncode == 0, done.stderr
    starts = [line for line in read_note(folder / "note") if line["event"] == "start"]
    assert len(starts) == 2
    assert all(call["host"].startswith("127.") for call in calls_of(folder))  # as all of a Ray of our own
    when_gone(processes_of(folder / "note"))


@needs_no_vllm
@pytest.mark.slow
def test_under_ray_a_killed_driver_leaves_no_server(folder: Path) -> None:
    config = run_config(folder, "--stubborn", engine={"kind": "ray", "workers": 2})
    with start_dfj("generate", config) as process:
        when_lines(folder / "note", 12, process)
        kill(process)
    when_gone(processes_of(folder / "note"), within_s=60)
