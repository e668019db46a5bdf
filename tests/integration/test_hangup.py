"""SIGHUP, terminals that go away, streams that nobody reads, and disks that are full to the last byte."""

from __future__ import annotations

import json
import os
import pty
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.model_server import Behaviour, read_log, server_process
from tests.support.processes import when_gone, when_lines
from tests.support.runs import (
    ENVIRONMENT,
    KEY,
    Paid,
    dfj,
    kill,
    model_config,
    start_dfj,
    status,
    write_config,
)
from tests.support.seeds import write_seed_rows

SEEDS = 12
RAY = ("--set", "engine.kind=ray", "--set", "engine.address=local", "--set", "engine.workers=2")
SLOW_S = 2.0
"""Of an answer: long enough that whatever ends at once loses it."""

ENGINES = [pytest.param((), id="local"), pytest.param(RAY, id="ray", marks=pytest.mark.slow)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_seed_rows(tmp_path, SEEDS)
    return tmp_path


def hang_up_all(process: int) -> None:
    """What a shell and the kernel do as a terminal goes away: each tells the whole group."""
    os.killpg(process, signal.SIGHUP)
    os.killpg(process, signal.SIGHUP)


def others_of_group(leader: int) -> list[Path]:
    """What a run has started in its own process group: all that the terminal tells besides the run itself."""
    processes = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [entry for entry in processes if int(entry.name) != leader and _group(entry) == leader]


def _group(entry: Path) -> int:
    try:
        return os.getpgid(int(entry.name))
    except ProcessLookupError:
        return 0


def ignores_hangup(entry: Path) -> bool:
    """Whether a process ignores SIGHUP; one that has ended meanwhile does no harm either."""
    try:
        said = (entry / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    mask = next(line.split()[1] for line in said.splitlines() if line.startswith("SigIgn:"))
    return bool(int(mask, 16) >> (signal.SIGHUP - 1) & 1)


@pytest.mark.parametrize("engine", ENGINES)
def test_sighup_records_what_is_in_flight_as_sigterm_does(folder: Path, engine: tuple[str, ...]) -> None:
    log = folder / "log"
    with server_process(Behaviour(latency_s=SLOW_S), log) as base_url:
        config = write_config(folder, **model_config(base_url, max_in_flight=16))
        process = start_dfj("generate", config, *engine)
        when_lines(log, 16, process)
        deaf = [ignores_hangup(other) for other in others_of_group(process.pid)]
        hang_up_all(process.pid)
        output, _ = process.communicate(timeout=60)
        assert all(deaf)
        assert process.returncode == 130, output
        assert "Traceback" not in output
        assert status(folder / "run")["state"] == "interrupted"
        assert status(folder / "run")["calls"]["answered"] == Paid.of(read_log(log)).answers
        assert dfj("generate", config).returncode == 0
        assert Paid.of(read_log(log)).repeated == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_terminal_that_goes_away_costs_no_answer(folder: Path, engine: tuple[str, ...]) -> None:
    log = folder / "log"
    with server_process(Behaviour(latency_s=SLOW_S), log) as base_url:
        config = write_config(folder, **model_config(base_url, max_in_flight=16))
        with on_terminal("generate", config, *engine) as process:
            when_lines(log, 16, process)
        hang_up_all(process.pid)
        when_gone([process.pid], within_s=60)
        assert process.wait() == 130
        assert status(folder / "run")["state"] == "interrupted"
        assert status(folder / "run")["calls"]["answered"] == Paid.of(read_log(log)).answers
        assert dfj("generate", config).returncode == 0
        assert Paid.of(read_log(log)).repeated == 0


@contextmanager
def on_terminal(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """The command with a terminal of its own, which is gone afterwards."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", sys.executable, "-m", "dfj_bootstrap", *map(str, arguments)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        text=True,
        env={**ENVIRONMENT, "OPENAI_API_KEY": KEY, "TERM": "xterm"},
    )
    os.close(theirs)
    reader = subprocess.Popen(["cat"], stdin=ours, stdout=subprocess.DEVNULL)  # a terminal that is read
    try:
        yield process
    finally:
        reader.kill()
        reader.wait()
        os.close(ours)


def test_under_nohup_a_hangup_is_nothing(folder: Path) -> None:
    log = folder / "log"

    def as_nohup() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with server_process(Behaviour(latency_s=0.05), log) as base_url:
        config = write_config(folder, **model_config(base_url))
        process = start_dfj("generate", config, preexec_fn=as_nohup)
        when_lines(log, 20, process)
        hang_up_all(process.pid)
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert status(folder / "run")["state"] == "complete"


def test_a_sighup_behind_a_sigterm_does_not_hurry_it(folder: Path) -> None:
    log = folder / "log"
    with server_process(Behaviour(latency_s=0.3), log) as base_url:
        config = write_config(folder, **model_config(base_url, max_in_flight=16))
        process = start_dfj("generate", config)
        when_lines(log, 40, process)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGHUP)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 130, output
        assert status(folder / "run")["calls"]["answered"] == Paid.of(read_log(log)).answers


@pytest.mark.parametrize("closed", ["| true", ">&- 2>&-", "2>/dev/full", "<&- >&- 2>&-", "2>&1 | head -n 1"])
def test_where_nobody_listens_the_work_is_done_all_the_same(folder: Path, closed: str) -> None:
    config = write_config(folder)
    command = f"{sys.executable} -m dfj_bootstrap generate {config} {closed}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], env=ENVIRONMENT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert status(folder / "run")["state"] == "complete"
    assert dfj("verify", folder / "run").returncode == 0


# Full disks


def test_where_a_journal_cannot_grow_the_state_is_failed_and_says_why(folder: Path) -> None:
    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))

    with server_process(Behaviour(), folder / "log") as base_url:
        config = write_config(folder, **model_config(base_url))
        done = dfj("generate", config, preexec_fn=little_room)
    assert done.returncode == 2, done.stderr
    found = status(folder / "run")
    assert found["state"] == "failed"
    assert found["why"] in done.stderr
    assert not (folder / "run" / "run.spare").exists()


_ON_A_SMALL_DISK = """\
mount -t tmpfs -o size=256k none {disk} || exit 99
"$@"; code=$?
{python} -m dfj_bootstrap status {disk}/run --json > {status}
exit $code
"""


def test_on_a_disk_without_a_free_block_the_state_is_failed_and_says_why(folder: Path) -> None:
    disk, said = folder / "disk", folder / "status.json"
    disk.mkdir()
    script = _ON_A_SMALL_DISK.format(disk=disk, status=said, python=sys.executable)
    with server_process(Behaviour(), folder / "log") as base_url:
        config = write_config(folder, **model_config(base_url), output=str(disk / "run"))
        command = [sys.executable, "-m", "dfj_bootstrap", "generate", str(config)]
        done = subprocess.run(
            ["unshare", "--map-root-user", "--mount", "bash", "-c", script, "small-disk", *command],
            env={**ENVIRONMENT, "OPENAI_API_KEY": KEY},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2, done.stderr
    found = json.loads(said.read_text())
    assert found["state"] == "failed"
    assert "No space left on device" in found["why"]
    assert found["why"] in done.stderr
    assert found["calls"]["answered"] > 0


def test_of_a_run_that_was_killed_status_says_that_it_could_not_say_why(folder: Path) -> None:
    with server_process(Behaviour(rates={"hang": 1.0}), folder / "log") as base_url:
        process = start_dfj("generate", write_config(folder, **model_config(base_url)))
        assert process.stdout
        next(line for line in process.stdout if line.startswith("working: 0/"))
        kill(process)
    found = status(folder / "run")
    assert found["state"] == "stopped"
    assert "ended without a word" in found["why"]
