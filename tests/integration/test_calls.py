"""``dfj calls`` shows what was asked and answered, and the key is in nothing that a run leaves or says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dfj_bootstrap.dataset.ladder_tables import TABLES
from dfj_bootstrap.endpoints.scripted.replay import Recording
from dfj_bootstrap.resources import shipped
from dfj_bootstrap.storage.reader import open_run
from tests.support.model_server import Behaviour, server_process
from tests.support.runs import KEY, dfj, kill, model_config, start_dfj, status, tree_digest, write_config
from tests.support.seeds import write_seed_rows

ROLES = ("writer", "generator", "evaluator", "paraphraser")
SEED = "seed-00002"


def rehearsal(folder: Path, output: str = "run", **model: Any) -> Path:
    scripted = {"backend": "scripted", "latency_s": 0, "prices": {"input": 1, "output": 2}, **model}
    roles = {role: {"model": "double"} for role in ROLES}
    return write_config(folder, f"{output}.yaml", output=output, models={"double": scripted}, **roles)


def calls(run: Path, *arguments: str) -> list[dict[str, Any]]:
    done = dfj("calls", run, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run in ``run``."""
    folder = tmp_path_factory.mktemp("calls")
    write_seed_rows(folder, 6)
    done = dfj("generate", rehearsal(folder, faults={"garbage": 0.05}))
    assert done.returncode == 0, done.stderr
    return folder


def test_every_answered_call_is_shown_with_its_prompt(folder: Path) -> None:
    seen = calls(folder / "run")
    books = status(folder / "run")
    assert len(seen) == books["calls"]["answered"]
    assert all(call["prompt"] and call["answer"] for call in seen)
    assert sum(call["cost_usd"] for call in seen) == pytest.approx(books["cost_usd"], abs=1e-5)
    assert {call["role"] for call in seen} == {"generator", "evaluator", "paraphraser"}
    assert {call["image"] for call in seen if call["role"] == "paraphraser"} == {None}
    assert all(call["image"] for call in seen if call["role"] != "paraphraser")


def test_a_rating_is_shown_with_the_level_it_was_not_told(folder: Path) -> None:
    rated = calls(folder / "run", "--seed", SEED, "--level", "3", "--role", "evaluator")
    assert rated
    assert all(call["level"] is None and 3 in call["rates"] for call in rated)
    (first, *_) = calls(folder / "run", "--seed", SEED, "--level", "3", "--role", "generator")
    assert json.loads(first["answer"])["reasoning"] in rated[0]["prompt"]


def test_what_is_wanted_can_be_narrowed(folder: Path) -> None:
    second = calls(folder / "run", "--level", "2", "--round", "1", "--role", "generator")
    assert second
    assert {(call["role"], call["level"], call["round"]) for call in second} == {("generator", 2, 1)}
    assert all("That is too" in call["prompt"] for call in second)
    assert {call["seed"] for call in calls(folder / "run", "--seed", SEED)} == {SEED}


def test_people_get_text(folder: Path) -> None:
    done = dfj("calls", folder / "run", "--seed", SEED, "--level", "1", "--role", "generator")
    assert f"=== generator · seed {SEED} · level 1 · round 0 · try 0 ===" in done.stdout
    assert "Write the rationale of level 1." in done.stdout
    assert "--- double: scripted · stop · " in done.stdout
    nothing = dfj("calls", folder / "run", "--round", "99")
    assert (nothing.returncode, nothing.stdout) == (0, "no answered call fits\n")


@pytest.mark.parametrize("seed", ["seed-99999", "\x1b[31m"])
def test_a_seed_that_is_not_there_is_said_so(folder: Path, seed: str) -> None:
    done = dfj("calls", folder / "run", "--seed", seed)
    assert done.returncode == 2
    assert "no seed" in done.stderr
    assert "\x1b" not in done.stderr


def test_a_folder_without_a_run_is_said_so(tmp_path: Path) -> None:
    done = dfj("calls", tmp_path)
    assert done.returncode == 2
    assert "no run here" in done.stderr


def test_shown_calls_can_be_replayed_and_make_the_same_dataset(folder: Path) -> None:
    recorded = folder / "calls.jsonl"
    recorded.write_text("".join(json.dumps(call) + "\n" for call in calls(folder / "run")))
    config = rehearsal(folder, "again", replay=recorded.name, off_level=1, rng_seed=5)
    done = dfj("generate", config)
    assert done.returncode == 0, done.stderr
    assert tree_digest(folder / "again" / "dfj-meta") == tree_digest(folder / "run" / "dfj-meta")


def test_levels_that_were_started_over_are_shown_too(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 6)
    config = rehearsal(tmp_path, off_level=0.8)
    for arguments in ((), ("--retry-rejected",)):
        assert dfj("generate", config, "--set", "refine.max_rounds=1", *arguments).returncode == 0
    seen = calls(tmp_path / "run")
    assert len(seen) == status(tmp_path / "run")["calls"]["answered"]
    assert {call["sample"] for call in seen} == {0, 1}
    assert all(call["prompt"] for call in seen)


def test_without_the_old_prompt_the_answers_are_still_shown(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 1)
    own = tmp_path / "own.txt"
    own.write_bytes((shipped("prompts") / "generator" / "v1.txt").read_bytes())
    config = rehearsal(tmp_path)
    assert dfj("generate", config, "--set", f"generator.prompt={own}").returncode == 0
    own.write_text("Changed. " + own.read_text())
    seen = calls(tmp_path / "run")
    assert len(seen) == status(tmp_path / "run")["calls"]["answered"]
    assert {call["prompt"] for call in seen if call["role"] == "generator"} == {None}
    assert all(call["answer"] for call in seen)


@pytest.mark.slow
def test_a_killed_run_shows_what_it_was_answered(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 6)
    process = start_dfj("generate", rehearsal(tmp_path, latency_s=0.2, max_in_flight=8))
    assert process.stdout
    next(line for line in process.stdout if "working: " in line and " calls" in line)
    kill(process)
    seen = calls(tmp_path / "run")
    assert seen
    assert len(seen) == status(tmp_path / "run")["calls"]["answered"]
    assert all(call["prompt"] for call in seen)


def everything_written(folder: Path) -> Iterator[bytes]:
    """All files below a run as they are, and the rows of its compressed tables."""
    yield from (path.read_bytes() for path in folder.rglob("*") if path.is_file())
    for table in TABLES:
        yield from (json.dumps(row).encode() for row in open_run(folder).rows(table))


def test_a_server_that_repeats_the_key_in_its_errors_gets_it_into_nothing(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 5)
    rates = {"500_echo": 0.05, "400_echo": 0.01, "policy_echo": 0.05}
    run = tmp_path / "run"
    with server_process(Behaviour(rates=rates), tmp_path / "log") as base_url:
        config = write_config(tmp_path, **model_config(base_url, max_attempts=2))
        done = dfj("generate", config, "--debug")
    assert done.returncode == 3, done.stderr
    assert "[key]" in done.stderr
    assert b"[key]" in b"".join(everything_written(run))
    assert not [found for found in everything_written(run) if KEY.encode() in found]
    shown = [dfj("calls", run), dfj("calls", run, "--json"), dfj("status", run), dfj("status", run, "--json")]
    for said in (done, *shown):
        assert KEY not in said.stdout + said.stderr


def test_a_key_that_the_server_rejects_is_told_without_the_key(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 1)
    with server_process(Behaviour(key="another"), tmp_path / "log") as base_url:
        done = dfj("generate", write_config(tmp_path, **model_config(base_url)), "--debug")
    assert done.returncode == 2
    assert KEY not in done.stdout + done.stderr
    assert not [found for found in everything_written(tmp_path / "run") if KEY.encode() in found]


def test_a_password_in_an_address_is_refused_and_not_repeated(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 1)
    config = write_config(tmp_path, **model_config(f"http://me:{KEY}@127.0.0.1:9/v1"))
    done = dfj("check", config)
    assert done.returncode == 2
    assert "models.double.base_url" in done.stderr
    assert KEY not in done.stdout + done.stderr


def test_a_recording_may_hold_what_calls_prints(folder: Path) -> None:
    (first, *_) = calls(folder / "run", "--role", "evaluator")
    request = {"role": "evaluator", "seed": first["seed"], "level": None, "round": str(first["round"])}
    found = Recording([first]).find(request | {"prompt": first["prompt"]}, "digest")
    assert found
    assert found.answer == first["answer"]
