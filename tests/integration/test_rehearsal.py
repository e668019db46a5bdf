"""The rehearsal as it ships: faults of every kind behind the real client, and yet every seed ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.model_server import ANSWERED, Behaviour, read_log, server_process
from tests.support.runs import ROOT, dfj, model_config, status, tree_digest, write_config
from tests.support.seeds import write_seed_rows

CONFIG = ROOT / "configs" / "rehearsal.yaml"
RAY = ("--set", "engine.kind=ray", "--set", "engine.address=local", "--set", "engine.workers=2")


def test_the_shipped_rehearsal_passes_the_check() -> None:
    done = dfj("check", CONFIG, key="")
    assert done.returncode == 0, done.stderr
    assert "scripted" in done.stdout


def test_a_rehearsal_says_so_in_the_card(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 3)
    done = dfj("generate", CONFIG, *_here(tmp_path, "run"), key="")
    assert done.returncode == 0, done.stderr
    card = (tmp_path / "run" / "dfj-meta" / "dfj-meta-pointwise" / "README.md").read_text()
    assert "generator: a script (a rehearsal" in card
    assert status(tmp_path / "run")["cost_usd"] > 0


@pytest.mark.slow
def test_a_hundred_seeds_end_with_an_outcome_whatever_goes_wrong(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 100)
    done = dfj("generate", CONFIG, *_here(tmp_path, "run"), "--set", "models.double.latency_s=0.01", key="")
    assert done.returncode == 0, done.stderr
    _all_ended(tmp_path / "run")
    assert status(tmp_path / "run")["calls"]["retried"] > 100
    for fault in ("500", "429", "no answer within"):
        assert fault in done.stderr


@pytest.mark.slow
def test_ray_workers_rehearse_alike(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 12)
    for output, engine in (("local", ()), ("ray", RAY)):
        done = dfj("generate", CONFIG, *_here(tmp_path, output), *engine, key="")
        assert done.returncode == 0, done.stderr
    assert tree_digest(tmp_path / "ray" / "dfj-meta") == tree_digest(tmp_path / "local" / "dfj-meta")


@pytest.mark.slow
def test_no_more_answers_are_served_than_are_recorded(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 100)
    log, in_flight = tmp_path / "log", 32
    rates = {"500": 0.05, "429": 0.05, "garbage": 0.02, "refusal": 0.01, "hang": 0.005}
    with server_process(Behaviour(rates=rates, latency_s=0.02), log) as base_url:
        limits = model_config(base_url, max_in_flight=in_flight, timeout_s=3)
        done = dfj("generate", write_config(tmp_path, **limits))
        served = read_log(log)
    assert done.returncode == 0, done.stderr
    _all_ended(tmp_path / "run")
    kinds = {line["kind"] for line in served}
    assert kinds == {"answer", *rates}
    paid = [line["digest"] for line in served if line["kind"] in ANSWERED]
    assert len(paid) <= status(tmp_path / "run")["calls"]["answered"] + in_flight
    assert len(paid) == len(set(paid))


def _here(folder: Path, output: str) -> tuple[str | Path, ...]:
    return ("--output", folder / output, "--set", f"seeds={folder / 'seeds.jsonl'}")


def _all_ended(run: Path) -> None:
    books = status(run)
    assert books["state"] == "complete"
    assert books["seeds"]["total"] == 100
    assert books["seeds"]["failed"] == books["seeds"]["pending"] == 0
    assert books["seeds"]["complete"] + books["seeds"]["incomplete"] == 100
    assert books["trajectories"]["pending"] == books["trajectories"]["failed"] == 0
