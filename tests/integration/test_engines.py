"""One dataset, whatever carried the work: local, Ray with one or three workers, or killed in the middle."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from tests.support.model_server import Behaviour, read_log, server_process
from tests.support.runs import (
    ENVIRONMENT,
    ROOT,
    Paid,
    dfj,
    kill,
    model_config,
    start_dfj,
    status,
    tree_digest,
    write_config,
)
from tests.support.seeds import write_seed_rows

pytestmark = pytest.mark.slow

SEEDS = 40
RAY = ("--set", "engine.kind=ray", "--set", "engine.address=local")


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeds")
    write_seed_rows(folder, SEEDS)
    return folder


@pytest.fixture(scope="module")
def local(seeds: Path) -> dict[str, str]:
    """The dataset as the local engine makes it."""
    config = write_config(seeds)
    assert dfj("generate", config, "--output", seeds / "local").returncode == 0
    return tree_digest(seeds / "local" / "dfj-meta")


@pytest.mark.parametrize("workers", [1, 3])
def test_ray_makes_the_same_bytes(seeds: Path, local: dict[str, str], workers: int) -> None:
    run = seeds / f"ray-{workers}"
    arguments = ("generate", seeds / "config.yaml", "--output", run, *RAY)
    done = dfj(*arguments, "--set", f"engine.workers={workers}")
    assert done.returncode == 0, done.stderr
    assert tree_digest(run / "dfj-meta") == local
    again = dfj(*arguments, "--set", f"engine.workers={workers}")
    assert "complete already" in again.stdout


def test_killed_at_random_moments_it_ends_with_the_same_bytes(seeds: Path, local: dict[str, str]) -> None:
    draw = random.Random(7)
    run = seeds / "killed"
    arguments = ("generate", seeds / "config.yaml", "--output", run)
    for n in range(5):
        process = start_dfj(*arguments)
        _after(draw.uniform(0.2, 1.5 + n), process)
        kill(process)
    assert dfj(*arguments).returncode == 0
    assert tree_digest(run / "dfj-meta") == local


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_seed_rows(tmp_path, 12)
    return tmp_path


def test_a_killed_worker_costs_what_it_had_in_flight_and_its_partitions_go_on(folder: Path) -> None:
    log = folder / "log"
    with server_process(Behaviour(latency_s=0.1), log) as base_url:
        config = write_config(folder, **model_config(base_url, max_in_flight=16))
        process = start_dfj("generate", config, *RAY, "--set", "engine.workers=2")
        _when_logged(log, 60, process)
        victims = _workers_of(process.pid)
        assert len(victims) == 2
        os.kill(victims[0], signal.SIGKILL)
        output, _ = process.communicate(timeout=120)
        paid = Paid.of(read_log(log))
    assert process.returncode == 0, output
    assert "its partitions go on" in output
    assert status(folder / "run")["seeds"]["complete"] + status(folder / "run")["seeds"]["incomplete"] == 12
    assert paid.repeated <= 16


def test_a_killed_driver_leaves_no_worker_and_another_one_goes_on(folder: Path) -> None:
    log = folder / "log"
    with server_process(Behaviour(latency_s=0.1), log) as base_url:
        config = write_config(folder, **model_config(base_url, max_in_flight=16))
        process = start_dfj("generate", config, *RAY, "--set", "engine.workers=2")
        _when_logged(log, 60, process)
        workers = _workers_of(process.pid)
        kill(process)
        _when_gone(workers)
        done = dfj("generate", config, *RAY, "--set", "engine.workers=2")
        paid = Paid.of(read_log(log))
    assert done.returncode == 0, done.stderr
    assert paid.repeated <= 16


def test_interrupted_under_ray_it_keeps_what_was_in_flight(folder: Path) -> None:
    log = folder / "log"
    with server_process(Behaviour(latency_s=0.1), log) as base_url:
        config = write_config(folder, **model_config(base_url, max_in_flight=16))
        process = start_dfj("generate", config, *RAY, "--set", "engine.workers=2")
        _when_logged(log, 60, process)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 130, output
        stopped = status(folder / "run")
        assert stopped["state"] == "interrupted"
        assert stopped["calls"]["answered"] == Paid.of(read_log(log)).answers
        assert dfj("generate", config).returncode == 0  # by the other engine: the journal is the same
        assert Paid.of(read_log(log)).repeated == 0


def test_a_job_submitted_to_a_head_node_runs_and_submitted_again_finds_it_complete(folder: Path) -> None:
    config = write_config(folder, output=str(folder / "run"), engine={"kind": "ray", "workers": 2})
    with _head_node(folder) as address:
        first = _submit(address, config)
        assert first.returncode == 0, first.stdout + first.stderr
        assert "exit code 0: done" in first.stdout
        again = _submit(address, config)
        assert "complete already" in again.stdout, again.stdout + again.stderr
        bad = _submit(address, config, "--set", "refine.max_round=1")
        assert bad.returncode == 1
        assert "exit code 2: the run cannot go on" in bad.stdout
    assert status(folder / "run")["state"] == "complete"


def _after(seconds: float, process: subprocess.Popen[str]) -> None:
    """A random moment in the life of a process, or its end."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _when_logged(log: Path, lines: int, process: subprocess.Popen[str]) -> None:
    reached = threading.Event()

    def follow() -> None:
        command = ["tail", "-n", "+1", "-F", f"--pid={process.pid}", str(log)]  # ends with the process
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as tail:
            assert tail.stdout
            for seen, _ in enumerate(tail.stdout, start=1):
                if seen >= lines:
                    break
            tail.terminate()
        reached.set()

    threading.Thread(target=follow, daemon=True).start()
    assert reached.wait(120), process.poll()


def _workers_of(driver: int) -> list[int]:
    """The process ids of the worker actors below a driver."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            name = (entry / "cmdline").read_bytes()
            session = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[3])
        except OSError:
            continue
        if b"ray::RayWorker" in name and session == os.getsid(driver):
            found.append(int(entry.name))
    return found


def _when_gone(processes: list[int]) -> None:
    """Wait until processes that aren't our children have ended."""
    for process in processes:
        try:
            descriptor = os.pidfd_open(process)
        except ProcessLookupError:
            continue
        with os.fdopen(descriptor) as file:
            import select

            ready, _, _ = select.select([file], [], [], 60)
            assert ready, f"worker {process} outlived its driver"


@contextmanager
def _head_node(folder: Path) -> Iterator[str]:
    """A Ray head of our own in one process tree, ended by its id."""
    import tempfile

    port, dashboard, metrics, agent = map(str, random.sample(range(20000, 32000), 4))
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp", ignore_cleanup_errors=True) as short:
        command = [
            str(Path(sys.executable).parent / "ray"), "start", "--head", "--block", f"--port={port}",
            "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}", f"--metrics-export-port={metrics}",
            f"--dashboard-agent-listen-port={agent}", "--num-cpus=2",
            "--object-store-memory=100000000", f"--temp-dir={short}",
        ]  # fmt: skip
        with (
            (folder / "head.log").open("w") as output,
            subprocess.Popen(command, env=ENVIRONMENT, stdout=output, stderr=output) as head,
        ):
            try:
                yield f"http://127.0.0.1:{dashboard}"
            finally:
                head.terminate()


def _submit(address: str, config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    excludes = '{"excludes": [".git", ".venv", "runs", "tests", "examples"]}'
    command = [
        str(Path(sys.executable).parent / "ray"), "job", "submit", "--address", address,
        "--working-dir", str(ROOT), "--runtime-env-json", excludes,
        "--", sys.executable, "jobs/generate.py", str(config), *arguments,
    ]  # fmt: skip
    return _accepted(command)


@retry(
    retry=retry_if_result(
        lambda done: "No available agent" in done.stdout + done.stderr or "Failed to connect" in done.stderr
    ),
    wait=wait_fixed(0.5),
    stop=stop_after_delay(60),
)
def _accepted(command: list[str]) -> subprocess.CompletedProcess[str]:
    """A submission, as soon as the head node has come up far enough to take it."""
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=180, check=False)
