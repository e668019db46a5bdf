"""Limits and budget of whole runs against a real server: over one process, and over Ray workers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.server import Capacity, Running, serving
from tests.support.model_server import Behaviour, read_log, server_process
from tests.support.runs import Paid, dfj, model_config, status, tree_digest, write_config
from tests.support.seeds import write_seed_rows

PRICES = {"input": 1.0, "output": 5.0}


def run(folder: Path, server: Running, **values: Any) -> None:
    limits = values.pop("limits", {})
    config = write_config(folder, **model_config(server.base_url, **limits), **values)
    done = dfj("generate", config)
    assert done.returncode == 0, done.stderr


def test_a_server_smaller_than_the_client_was_told_loses_no_call_and_refuses_few(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 40)
    with serving(Capacity(slots=8, mean_s=0.05, refuse=True)) as server:
        run(tmp_path, server, limits={"max_in_flight": 24})
        stats = server.stats()
    books = status(tmp_path / "run")
    assert books["seeds"]["failed"] == 0
    assert books["calls"]["answered"] == stats["answers"]
    assert stats["refusals"] < 0.1 * stats["answers"]


def test_stray_429s_cost_no_call_and_hardly_any_speed(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 12)
    with serving(Capacity(slots=1000, mean_s=0.05, stray=0.03, retry_after="0.2")) as server:
        run(tmp_path, server, limits={"max_in_flight": 16})
        stats = server.stats()
    assert status(tmp_path / "run")["seeds"]["failed"] == 0
    assert stats["refusals"] > 0
    assert stats["most_working"] >= 15


@pytest.mark.slow
def test_a_rate_is_kept_by_three_ray_workers_together(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 12)
    with serving(Capacity(mean_s=0.05)) as server:
        run(
            tmp_path, server, limits={"requests_per_minute": 1200}, engine={"kind": "ray", "workers": 3}
        )  # fmt: skip
        came = server.stats()["came"]
    used = (len(came) - 1) / (came[-1] - came[0]) / 20
    assert 0.75 < used <= 1.1
    assert max(sum(1 for later in came if at <= later <= at + 10) for at in came) <= 1.3 * 200


def test_the_budget_stops_a_run_before_it_is_passed_and_a_larger_one_lets_it_go_on(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 6)
    log = tmp_path / "log"
    with server_process(Behaviour(latency_s=0.01), log) as base_url:
        config = write_config(
            tmp_path, **model_config(base_url, prices=PRICES, max_in_flight=8), budget_usd=0.1
        )
        stopped = dfj("generate", config)
        assert stopped.returncode == 4, stopped.stderr
        assert "larger budget_usd" in stopped.stderr
        books = status(tmp_path / "run")
        assert books["state"] == "budget"
        assert books["why"] in stopped.stderr
        assert 0.05 < books["cost_usd"] <= 0.1
        answers = len(read_log(log))
        assert books["calls"]["answered"] == answers
        again = dfj("generate", config)
        assert again.returncode == 4
        assert status(tmp_path / "run")["cost_usd"] <= 0.1
        assert len(read_log(log)) <= answers + 8
        done = dfj("generate", config, "--set", "budget_usd=50")
        assert done.returncode == 0, done.stderr
    assert Paid.of(read_log(log)).repeated == 0
    books = status(tmp_path / "run")
    assert books["state"] == "complete"
    assert "why" not in books


@pytest.mark.slow
def test_the_budget_holds_over_ray_workers(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 12)
    with server_process(Behaviour(latency_s=0.02), tmp_path / "log") as base_url:
        config = write_config(
            tmp_path,
            **model_config(base_url, prices=PRICES, max_in_flight=16),
            engine={"kind": "ray", "workers": 2},
            budget_usd=0.3,
        )
        stopped = dfj("generate", config)
    assert stopped.returncode == 4, stopped.stderr
    books = status(tmp_path / "run")
    assert books["state"] == "budget"
    assert 0.2 < books["cost_usd"] <= 0.3


def test_a_budget_needs_prices_and_says_of_which_model(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 1)
    config = write_config(tmp_path, **model_config("http://127.0.0.1:9/v1"), budget_usd=1)
    done = dfj("generate", config)
    assert done.returncode == 2
    assert "models.double" in done.stderr
    assert "prices" in done.stderr


def test_limits_change_nothing_in_the_dataset(tmp_path: Path) -> None:
    digests = []
    for name, limits in (("free", {}), ("tight", {"max_in_flight": 2, "tokens_per_minute": 3_000_000})):
        folder = tmp_path / name
        write_seed_rows(folder, 3)
        with server_process(Behaviour(), folder / "log") as base_url:
            done = dfj("generate", write_config(folder, **model_config(base_url, **limits)))
        assert done.returncode == 0, done.stderr
        digests.append(tree_digest(folder / "run" / "dfj-meta"))
    assert digests[0] == digests[1]


def test_the_first_call_goes_alone(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 4)
    log = tmp_path / "log"
    with server_process(Behaviour(key="another", latency_s=0.2), log) as base_url:
        done = dfj("generate", write_config(tmp_path, **model_config(base_url)))
    assert done.returncode == 2
    assert len([json.dumps(line) for line in read_log(log)]) == 1
