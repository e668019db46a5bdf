"""Hostile rows, previews, two starts at once, kills and full disks, as the command line meets them."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.commands import ESCAPES, balanced, refusal
from tests.support.model_server import Behaviour, read_log, server_process
from tests.support.runs import (
    KEY,
    Paid,
    dfj,
    kill,
    model_config,
    refused,
    start_dfj,
    status,
    tree_digest,
    write_config,
)
from tests.support.seeds import BAD, seed_row, write_picture, write_rows, write_seed_rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with four seeds and a config for the rules."""
    write_seed_rows(tmp_path, 4)
    write_config(tmp_path)
    return tmp_path


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder with the broken and hostile rows."""
    shutil.copytree(BAD / "images", tmp_path / "in" / "images")
    shutil.copy(BAD / "rows.jsonl", tmp_path / "in" / "seeds.jsonl")
    write_config(tmp_path / "in", output="../out/run")
    return tmp_path


# Hostile input


def test_hostile_rows_go_through_a_whole_run_and_nothing_gets_out(hostile: Path) -> None:
    before = tree_digest(hostile / "in")
    done = dfj("generate", hostile / "in" / "config.yaml")
    assert done.returncode == 0, done.stderr
    assert not ESCAPES.search(done.stdout + done.stderr)
    found = status(hostile / "out" / "run")
    assert found["state"] == "complete"
    assert (found["seeds"]["total"], found["seeds"]["refused"]) == (13, 26)
    assert balanced(found)
    rows = refused(hostile / "out" / "run")
    assert len(rows) == 26
    assert all({"file", "line", "field", "why"} <= set(row) and row["why"] for row in rows)
    assert tree_digest(hostile / "in") == before
    assert {path.name for path in hostile.iterdir()} == {"in", "out"}
    assert {path.name for path in (hostile / "out").iterdir()} == {"run"}


def test_a_preview_of_hostile_rows_prints_nothing_that_a_terminal_obeys(hostile: Path) -> None:
    done = dfj("preview", hostile / "in" / "config.yaml", "--n", "13")
    assert done.returncode == 0, done.stderr
    assert "../../escape" in done.stdout
    assert not ESCAPES.search(done.stdout + done.stderr)


# Preview


def test_a_preview_shows_ladders_and_the_run_takes_over_what_it_paid(folder: Path) -> None:
    log = folder / "log"
    with server_process(Behaviour(), log) as base_url:
        config = write_config(folder, **model_config(base_url))
        shown = dfj("preview", config, "--n", "2")
        assert shown.returncode == 0, shown.stderr
        assert "seed-00000" in shown.stdout
        assert "seed-00001" in shown.stdout
        assert "seed-00002" not in shown.stdout
        assert (folder / "run.preview" / "run.json").is_file()
        assert not (folder / "run").exists()
        paid = len(read_log(log))
        assert paid
        assert dfj("preview", config, "--n", "2").returncode == 0
        assert len(read_log(log)) == paid
        made = dfj("generate", config)
        assert made.returncode == 0, made.stderr
        lines = read_log(log)
    assert Paid.of(lines).repeated == 0
    assert {line["seed"] for line in lines[paid:]} == {"seed-00002", "seed-00003"}
    assert not (folder / "run.preview").exists()
    assert status(folder / "run")["calls"]["answered"] == Paid.of(lines).answers


def test_a_preview_of_another_making_is_not_taken_over(folder: Path) -> None:
    assert dfj("preview", folder / "config.yaml", "--n", "1").returncode == 0
    with server_process(Behaviour(), folder / "log") as base_url:
        config = write_config(folder, **model_config(base_url))
        assert dfj("generate", config, "--limit", "1").returncode == 0
    assert (folder / "run.preview").exists()


def test_preview_json_has_the_ladders(folder: Path) -> None:
    done = dfj("preview", folder / "config.yaml", "--n", "1", "--json")
    assert done.returncode == 0, done.stderr
    (ladder,) = json.loads(done.stdout)["ladders"]
    assert ladder["seed_id"] == "seed-00000"
    assert [row["level"] for row in ladder["ladder"]] == [5, 4, 3, 2, 1]


# Two at once, kills, full disks


def waiting_run(folder: Path, base_url: str) -> subprocess.Popen[str]:
    """A run whose first call is never answered."""
    process = start_dfj("generate", write_config(folder, **model_config(base_url, timeout_s=200)))
    assert process.stdout
    for line in process.stdout:
        if line.startswith("working: 0/"):
            return process
    raise AssertionError("the run ended before it worked")


def test_a_second_start_is_refused_and_says_who_holds_the_run(folder: Path) -> None:
    with server_process(Behaviour(rates={"hang": 1.0}), folder / "log") as base_url:
        process = waiting_run(folder, base_url)
        try:
            said = refusal(dfj("generate", folder / "config.yaml"))
            assert "another process is working on this run" in said
            assert f"pid {process.pid} on " in said
            found = status(folder / "run")
            assert found["state"] == "running"
            assert balanced(found)
        finally:
            kill(process)
    found = status(folder / "run")
    assert found["state"] == "stopped"
    assert found["seeds"]["total"] == found["seeds"]["pending"] == 4
    assert balanced(found)


def test_a_run_that_was_killed_holds_nobody_up(folder: Path) -> None:
    with server_process(Behaviour(rates={"hang": 1.0}), folder / "log") as base_url:
        kill(waiting_run(folder, base_url))
    with server_process(Behaviour(), folder / "log") as base_url:
        done = dfj("generate", write_config(folder, **model_config(base_url)))
    assert done.returncode == 0, done.stderr
    assert status(folder / "run")["state"] == "complete"


@pytest.mark.slow
def test_stopped_while_it_reads_seeds_it_exits_with_130_and_goes_on_later(tmp_path: Path) -> None:
    pictures = 400
    for number in range(pictures):
        write_picture(tmp_path / "images" / f"{number:05d}.png", number, (900, 700))
    write_rows(tmp_path / "seeds.jsonl", [seed_row(number) for number in range(pictures)])
    process = start_dfj("generate", write_config(tmp_path), "--limit", str(pictures))
    assert process.stdout
    assert process.stdout.readline().startswith("planning")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert "interrupted; run again to go on" in output
    found = status(tmp_path / "run")
    assert found["state"] == "interrupted"
    assert balanced(found)
    assert dfj("generate", tmp_path / "config.yaml", "--limit", "2").returncode == 0


@pytest.mark.parametrize("kilobytes", [1, 8, 40])
def test_where_files_cannot_grow_as_on_a_full_disk_it_stops_with_one_line_and_goes_on_after(
    folder: Path, kilobytes: int
) -> None:
    def full_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, kilobytes * 1024))

    done = dfj("generate", folder / "config.yaml", preexec_fn=full_disk)
    said = refusal(done)
    assert str(folder / "run") in said or "set TMPDIR" in said
    again = dfj("generate", folder / "config.yaml")
    assert again.returncode == 0, again.stderr
    found = status(folder / "run")
    assert found["state"] == "complete"
    assert balanced(found)
    assert not list((folder / "run").rglob("*.tmp"))


def test_where_a_journal_cannot_grow_no_paid_answer_that_was_written_is_lost(folder: Path) -> None:
    def full_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (6 * 1024, 6 * 1024))

    log = folder / "log"
    with server_process(Behaviour(key=KEY), log) as base_url:
        config = write_config(folder, **model_config(base_url, max_in_flight=4))
        refusal(dfj("generate", config, key="sk-wrong"))  # the plan is made, no call was answered
        said = refusal(dfj("generate", config, preexec_fn=full_disk))
        assert str(folder / "run") in said
        kept = status(folder / "run")["calls"]["answered"]
        assert kept
        assert dfj("generate", config).returncode == 0
        paid = Paid.of(read_log(log))
    assert paid.repeated <= paid.answers - kept
    assert paid.repeated <= 4 + 1  # in flight when the first answer could not be written, and its successor


def test_a_run_folder_that_cannot_be_written_is_refused_with_one_line(folder: Path) -> None:
    said = refusal(dfj("generate", folder / "config.yaml", "--output", folder / "seeds.jsonl" / "run"))
    assert "cannot write the run folder" in said
