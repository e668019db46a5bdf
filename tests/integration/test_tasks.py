"""The engine knows no job: one of ten lines (``tests/support/ask.py``) has all that generation has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.server import Capacity, serving
from tests.support.model_server import Behaviour, read_log, server_process
from tests.support.processes import when_lines
from tests.support.runs import ENVIRONMENT, KEY, ROOT, Paid, dfj, kill, status

ROWS = 48
LOCAL: dict[str, Any] = {"kind": "local"}
RAY: dict[str, Any] = {"kind": "ray", "workers": 2, "address": "local"}
ENGINES = [pytest.param(LOCAL, id="local"), pytest.param(RAY, id="ray", marks=pytest.mark.slow)]
PRICES = {"input": 1.0, "output": 10.0}


def asking(*arguments: str | Path) -> subprocess.Popen[str]:
    """The command that has the job, started."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.ask", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**ENVIRONMENT, "OPENAI_API_KEY": KEY},
        cwd=ROOT,
        start_new_session=True,
    )


def asked(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command that has the job, run to its end."""
    process = asking(*arguments)
    out, err = process.communicate(timeout=200)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def config_for(folder: Path, base_url: str, **values: Any) -> Path:
    model = {"backend": "openai", "model": "double", "base_url": base_url, "max_in_flight": 8}
    model |= values.pop("limits", {})
    tree = {"rows": "rows.jsonl", "output": "run", "models": {"m": model}, "asker": {"model": "m"}, **values}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def answers(run: Path) -> list[tuple[str, str]]:
    """What the job has come to, in the order of its tables."""
    from dfj_bootstrap.storage.reader import open_run

    return [(row["id"], row["text"]) for row in open_run(run).rows("answers")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [{"id": f"row-{n}", "text": f"text number {n}"} for n in range(ROWS)]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return tmp_path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """What comes out where nothing goes wrong."""
    folder = tmp_path_factory.mktemp("undisturbed")
    rows = [{"id": f"row-{n}", "text": f"text number {n}"} for n in range(ROWS)]
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with server_process(Behaviour(), folder / "log") as base_url:
        done = asked("ask", config_for(folder, base_url))
    assert done.returncode == 0, done.stderr
    found = answers(folder / "run")
    assert len(found) == len({name for name, text in found if text}) == ROWS
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_it_is_killed_and_goes_on_without_asking_twice(
    folder: Path, undisturbed: list[tuple[str, str]], engine: dict[str, Any]
) -> None:
    log, kills = folder / "log", 0
    with server_process(Behaviour(latency_s=0.1), log) as base_url:
        config = config_for(folder, base_url, engine=engine)
        for count in (7, 22):
            process = asking("ask", config)
            when_lines(log, count, process)
            kills += process.poll() is None
            kill(process)
        done = asked("ask", config)
        paid = Paid.of(read_log(log))
    assert done.returncode == 0, done.stderr
    assert kills == 2
    assert paid.repeated <= 2 * 8  # what was in flight at a kill
    assert answers(folder / "run") == undisturbed
    books = status(folder / "run")
    assert books["state"] == "complete"
    assert books["rows"] == {"total": ROWS, "ok": ROWS, "failed": 0, "pending": 0, "refused": 0}
    assert books["calls"]["answered"] + paid.repeated >= paid.answers
    assert books["calls"]["answered"] == ROWS


@pytest.mark.parametrize("engine", ENGINES)
def test_it_is_limited_over_all_workers(folder: Path, engine: dict[str, Any]) -> None:
    with serving(Capacity(mean_s=0.05)) as server:
        limits = {"max_in_flight": 3}
        done = asked("ask", config_for(folder, server.base_url, engine=engine, limits=limits))
        assert done.returncode == 0, done.stderr
        assert 1 < server.stats()["most_working"] <= 3


@pytest.mark.parametrize("engine", ENGINES)
def test_it_stops_at_its_budget_and_goes_on_with_a_larger_one(folder: Path, engine: dict[str, Any]) -> None:
    log = folder / "log"
    with server_process(Behaviour(latency_s=0.02), log) as base_url:
        few = {"engine": engine, "limits": {"prices": PRICES}, "budget_usd": 0.025}
        stopped = asked("ask", config_for(folder, base_url, **few))
        assert stopped.returncode == 4, stopped.stderr
        books = status(folder / "run")
        assert books["state"] == "budget"
        assert 0 < books["cost_usd"] <= 0.025
        assert 0 < books["rows"]["pending"] < ROWS
        done = asked("ask", config_for(folder, base_url, **few | {"budget_usd": 5.0}))
        assert done.returncode == 0, done.stderr
        assert Paid.of(read_log(log)).repeated == 0
    assert status(folder / "run")["rows"]["ok"] == ROWS


def test_a_row_that_failed_is_told_and_tried_again_by_the_next_start(
    folder: Path, undisturbed: list[tuple[str, str]]
) -> None:
    log = folder / "log"
    with server_process(Behaviour(script=dict.fromkeys((5, 6, 7), "500")), log) as base_url:
        config = config_for(folder, base_url, limits={"max_attempts": 1})
        assert asked("ask", config).returncode == 0
        failed = status(folder / "run")["rows"]["failed"]
        assert 0 < failed <= 3
        assert asked("ask", config).returncode == 0
        assert Paid.of(read_log(log)).repeated == 0
    assert status(folder / "run")["rows"]["failed"] == 0
    assert answers(folder / "run") == undisturbed


def test_its_calls_are_shown_with_their_prompts_where_the_job_is_known(folder: Path) -> None:
    with server_process(Behaviour(), folder / "log") as base_url:
        assert asked("ask", config_for(folder, base_url)).returncode == 0
    run = folder / "run"
    known = asked("calls", run, "--seed", "row-7")
    assert "text: text number 7" in known.stdout
    assert known.stdout.startswith("=== asker · row row-7 · ")
    unknown = dfj("calls", run, "--seed", "row-7")
    assert "the prompt can't be made again" in unknown.stdout
    shown = [json.loads(line) for line in dfj("calls", run, "--json").stdout.splitlines()]
    assert sorted(call["seed"] for call in shown) == sorted(f"row-{n}" for n in range(ROWS))
    assert "no row 'row-99' in this run" in dfj("calls", run, "--seed", "row-99").stderr
    assert "48 ok, 0 failed, 0 pending; 0 rows refused" in dfj("status", run).stdout


def test_the_folder_of_one_job_is_no_other_jobs(folder: Path) -> None:
    with server_process(Behaviour(), folder / "log") as base_url:
        assert asked("ask", config_for(folder, base_url)).returncode == 0
    before = (folder / "run" / "run.json").read_bytes()
    demo = dfj("generate", ROOT / "configs" / "demo.yaml", "--output", folder / "run")
    assert demo.returncode == 2
    assert "holds a run of another kind (ask)" in demo.stderr
    assert (folder / "run" / "run.json").read_bytes() == before
