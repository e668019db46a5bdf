"""Nothing paid twice, nothing lost: runs against a real server are killed, stopped and started again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.support.model_server import Behaviour, read_log, server_process
from tests.support.runs import (
    ENVIRONMENT,
    KEY,
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

SEEDS = 12
IN_FLIGHT = 16


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The dataset of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    write_seed_rows(folder, SEEDS)
    with server_process(Behaviour(), folder / "log") as base_url:
        config = write_config(folder, **model_config(base_url))
        done = dfj("generate", config)
    assert done.returncode == 0, done.stderr
    paid = Paid.of(read_log(folder / "log"))
    assert paid.repeated == 0
    assert status(folder / "run")["calls"] == {"answered": paid.answers, "replayed": 0, "retried": 0}
    return tree_digest(folder / "run" / "dfj-meta")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_seed_rows(tmp_path, SEEDS)
    return tmp_path


def when_answered(log: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until the server has logged so many answers, or the process has ended by itself."""
    reached = threading.Event()

    def follow() -> None:
        for seen, _ in enumerate(_lines_as_they_come(log, process), start=1):
            if seen >= count:
                break
        reached.set()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    assert reached.wait(120)


def _lines_as_they_come(log: Path, process: subprocess.Popen[str]) -> Iterator[str]:
    command = ["tail", "-n", "0", "-F", f"--pid={process.pid}", str(log)]  # ends with the process
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as tail:
        try:
            stream: IO[str] | None = tail.stdout
            assert stream
            yield from stream
        finally:
            tail.terminate()


@pytest.mark.slow
@pytest.mark.parametrize("rng_seed", [1, 2, 3])
def test_killed_again_and_again_it_ends_with_the_same_bytes_and_repeats_no_journalled_call(
    folder: Path, undisturbed: dict[str, str], rng_seed: int
) -> None:
    draw = random.Random(rng_seed)
    kills = 0
    log = folder / "log"
    with server_process(Behaviour(latency_s=0.05), log) as base_url:
        config = write_config(folder, **model_config(base_url, max_in_flight=IN_FLIGHT))
        for _ in range(4):
            process = start_dfj("generate", config)
            when_answered(log, draw.randrange(1, 120), process)
            kills += process.poll() is None
            kill(process)
        done = dfj("generate", config)
        assert done.returncode == 0, done.stderr
        paid = Paid.of(read_log(log))
    assert kills >= 2
    assert tree_digest(folder / "run" / "dfj-meta") == undisturbed
    calls = status(folder / "run")["calls"]
    assert paid.answers <= calls["answered"] + kills * IN_FLIGHT
    assert paid.repeated <= kills * IN_FLIGHT


def test_added_seeds_are_worked_on_alone_and_move_nobody(folder: Path) -> None:
    rows = (folder / "seeds.jsonl").read_text().splitlines(keepends=True)
    (folder / "seeds.jsonl").write_text("".join(rows[:8]))
    log = folder / "log"
    with server_process(Behaviour(), log) as base_url:
        config = write_config(folder, **model_config(base_url))
        assert dfj("generate", config).returncode == 0
        before, splits = len(read_log(log)), _splits(folder / "run")
        (folder / "seeds.jsonl").write_text("".join(rows))
        assert dfj("generate", config).returncode == 0
        added = read_log(log)[before:]
    new = {f"seed-{n:05d}" for n in range(8, SEEDS)}
    assert {line["seed"] for line in added} == new
    after = _splits(folder / "run")
    assert {seed: after[seed] for seed in splits} == splits
    assert status(folder / "run")["seeds"]["total"] == SEEDS


def test_interrupted_it_says_so_and_goes_on_where_it_stopped(
    folder: Path, undisturbed: dict[str, str]
) -> None:
    log = folder / "log"
    with server_process(Behaviour(latency_s=0.05), log) as base_url:
        config = write_config(folder, **model_config(base_url, max_in_flight=IN_FLIGHT))
        process = start_dfj("generate", config)
        when_answered(log, 40, process)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 130, output
        assert "Traceback" not in output
        stopped = status(folder / "run")
        assert stopped["state"] == "interrupted"
        assert stopped["calls"]["answered"] == Paid.of(read_log(log)).answers  # in-flight answers were kept
        assert dfj("generate", config).returncode == 0
        assert Paid.of(read_log(log)).repeated == 0
    assert tree_digest(folder / "run" / "dfj-meta") == undisturbed


def test_thresholds_are_decided_anew_from_the_journal(folder: Path) -> None:
    log = folder / "log"
    with server_process(Behaviour(), log) as base_url:
        config = write_config(folder, **model_config(base_url), refine={"max_rounds": 3})
        assert dfj("generate", config).returncode == 0
        before = read_log(log)
        rejected = status(folder / "run")["trajectories"]["rejected"]
        fewer = dfj("generate", config, "--set", "refine.max_rounds=1")
        assert fewer.returncode == 0, fewer.stderr
        assert read_log(log) == before  # fewer rounds need no new call
    found = status(folder / "run")
    assert found["trajectories"]["rejected"] > rejected
    assert found["calls"]["replayed"] > 0


def test_another_model_prompt_or_temperature_is_refused_by_name(folder: Path) -> None:
    with server_process(Behaviour(), folder / "log") as base_url:
        config = write_config(folder, **model_config(base_url))
        assert dfj("generate", config, "--limit", "1").returncode == 0
        before = len(read_log(folder / "log"))
        for change in ("models.double.model=other", "generator.temperature=0.1", "paraphraser.max_tokens=9"):
            refused = dfj("generate", config, "--set", change)
            assert refused.returncode == 2
            assert "dfj regenerate" in refused.stderr
            assert change.split(".")[-1].split("=")[0] in refused.stderr
        allowed = ("models.double.max_in_flight=2", "engine.workers=1", "models.double.timeout_s=9")
        for change in allowed:
            assert dfj("generate", config, "--limit", "1", "--set", change).returncode == 0
        assert len(read_log(folder / "log")) == before


def test_technical_failures_exit_with_3_and_only_they_are_tried_again(
    folder: Path, undisturbed: dict[str, str]
) -> None:
    log = folder / "log"
    broken = Behaviour(rates={"500": 0.5}, rng_seed=3)
    with server_process(broken, log) as base_url:
        config = write_config(folder, **model_config(base_url, max_attempts=1))
        first = dfj("generate", config)
    assert first.returncode == 3, first.stderr
    assert status(folder / "run")["seeds"]["failed"] > 0
    with server_process(Behaviour(), log) as base_url:
        write_config(folder, **model_config(base_url))
        second = dfj("generate", config)
    assert second.returncode == 0, second.stderr
    assert Paid.of(read_log(log)).repeated == 0
    assert tree_digest(folder / "run" / "dfj-meta") == undisturbed


def test_a_rejected_key_stops_the_run_with_one_line_and_the_key_is_written_nowhere(folder: Path) -> None:
    with server_process(Behaviour(key="another"), folder / "log") as base_url:
        done = dfj("generate", write_config(folder, **model_config(base_url)))
    assert done.returncode == 2
    assert "OPENAI_API_KEY" in done.stderr
    found = status(folder / "run")
    assert found["state"] == "failed"
    assert found["why"] in done.stderr
    assert f"why          {found['why']}" in dfj("status", folder / "run").stdout
    written = b"".join(path.read_bytes() for path in (folder / "run").rglob("*") if path.is_file())
    assert KEY.encode() not in written
    assert KEY not in done.stdout + done.stderr


def test_rejected_levels_get_another_go_on_request_only(folder: Path) -> None:
    log = folder / "log"
    with server_process(Behaviour(off_level=0.7), log) as base_url:
        config = write_config(folder, **model_config(base_url), refine={"max_rounds": 2})
        assert dfj("generate", config).returncode == 0
        before, rejected = len(read_log(log)), status(folder / "run")["trajectories"]["rejected"]
        assert rejected > 0
        assert dfj("generate", config).returncode == 0
        assert len(read_log(log)) == before
        dataset = tree_digest(folder / "run" / "dfj-meta")
        assert dfj("generate", config, "--retry-rejected").returncode == 0
        assert tree_digest(folder / "run" / "dfj-meta") != dataset
        again = status(folder / "run")["trajectories"]["rejected"]
        assert again < rejected
        assert len(read_log(log)) > before
        assert dfj("generate", config).returncode == 0
        assert status(folder / "run")["trajectories"]["rejected"] == again


def _splits(run: Path) -> dict[str, str]:
    import json

    return {
        json.loads(line)["seed_id"]: split
        for split in ("train", "test")
        for line in _rows(run / "dfj-meta" / "dfj-meta-pointwise" / split / "data.jsonl")
    }


def _rows(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_a_limit_below_what_the_run_has_read_is_refused_and_shrinks_nothing(folder: Path) -> None:
    config = write_config(folder)
    assert dfj("generate", config, "--limit", "3").returncode == 0
    assert status(folder / "run")["state"] == "interrupted"
    assert dfj("generate", config).returncode == 0
    before = tree_digest(folder / "run" / "dfj-meta")
    smaller = dfj("generate", config, "--limit", "3")
    assert smaller.returncode == 2
    assert "never shrinks" in smaller.stderr
    assert tree_digest(folder / "run" / "dfj-meta") == before


def test_a_damaged_answer_is_named_and_asked_again_and_the_others_are_not(folder: Path) -> None:
    log = folder / "log"
    with server_process(Behaviour(), log) as base_url:
        config = write_config(folder, **model_config(base_url))
        assert dfj("generate", config).returncode == 0
        journal = max(
            (folder / "run" / "journal").rglob("epoch-*.jsonl"), key=lambda path: path.stat().st_size
        )
        lines = journal.read_bytes().splitlines(keepends=True)
        middle = next(n for n in range(len(lines) // 2, len(lines)) if b'"role":"generator"' in lines[n])
        lines[middle] = lines[middle].replace(b"reasoning", b"reasonimg")
        journal.write_bytes(b"".join(lines))
        again = dfj("generate", config, "--set", "refine.max_rounds=5")
        assert again.returncode == 0, again.stderr
    place = f"{journal.parent.name}/{journal.name} line {middle + 1}"
    assert f"{place} can't be read" in again.stderr
    assert f"1 damaged lines, whose answers were asked again: {place}" in again.stdout
    assert Paid.of(read_log(log)).repeated == 1


FAILING_FSYNC = """
import errno, os, sys
real, failed = os.fsync, []

def fsync(descriptor):
    if "/journal/part-" in os.readlink(f"/proc/self/fd/{descriptor}") and len(failed) < int(sys.argv[1]):
        failed.append(descriptor)
        if len(failed) == int(sys.argv[1]):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
    return real(descriptor)

os.fsync = fsync
from dfj_bootstrap.cli.main import run
sys.exit(run(sys.argv[2:]))
"""


@pytest.mark.parametrize("which", [1, 12, 20])
def test_an_fsync_that_fails_once_stops_the_run_and_the_next_one_completes_it(
    folder: Path, which: int
) -> None:
    with server_process(Behaviour(), folder / "log") as base_url:
        config = write_config(folder, **model_config(base_url, max_in_flight=IN_FLIGHT))
        command = [sys.executable, "-c", FAILING_FSYNC, str(which), "generate", str(config)]
        environment = {**ENVIRONMENT, "OPENAI_API_KEY": KEY}
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=120, check=False
        )
        assert done.returncode == 2, done.stderr
        assert "Input/output error" in done.stderr
        assert "Traceback" not in done.stderr
        assert status(folder / "run")["state"] == "failed"
        assert dfj("generate", config).returncode == 0
        assert Paid.of(read_log(folder / "log")).repeated <= IN_FLIGHT  # what came after the disk had failed


FULL_FOR_PROGRESS = """
import errno, os, pathlib, sys
real = pathlib.Path.replace

def replace(path, target):
    if pathlib.Path(target).name == "progress.json":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return real(path, target)

pathlib.Path.replace = replace
from dfj_bootstrap.cli.main import run
sys.exit(run(sys.argv[1:]))
"""


def script(text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command with something about its operating system changed."""
    return subprocess.run(
        [sys.executable, "-c", text, *arguments],
        capture_output=True,
        text=True,
        env={**ENVIRONMENT, "OPENAI_API_KEY": KEY},
        timeout=120,
        check=False,
    )


def test_progress_that_cannot_be_written_stops_nothing(folder: Path) -> None:
    done = script(FULL_FOR_PROGRESS, "generate", str(write_config(folder)))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("cannot write the progress") == 1
    assert status(folder / "run")["state"] == "complete"
