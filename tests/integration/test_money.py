"""Whole runs against servers that are odd over money, refusals and replies: what they cost and end as."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import balanced, refusal
from tests.support.model_server import Behaviour, read_log, server_process
from tests.support.processes import when_lines
from tests.support.runs import Paid, dfj, kill, model_config, start_dfj, status, tree_digest, write_config
from tests.support.seeds import write_seed_rows

PRICES = {"input": 1.0, "output": 5.0}
BLOCKED = 'body:{"choices": null, "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}'
EMPTY = 'body:{"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 0}}'


def config_for(folder: Path, base_url: str, **values: Any) -> Path:
    limits = {"prices": PRICES, "max_in_flight": 8} | values.pop("limits", {})
    few = {"paraphraser": {"model": "double", "count": 1}}
    return write_config(folder, **(model_config(base_url, **limits) | few | values))


def two_models(folder: Path, base_url: str, **values: Any) -> Path:
    """All roles with a second model that steps in."""
    model = {"backend": "openai", "base_url": base_url, "timeout_s": 20}
    models = {"strict": model | {"model": "strict-1"}, "mild": model | {"model": "mild-1"}}
    names = ("writer", "generator", "evaluator", "paraphraser")
    roles: dict[str, Any] = {name: {"model": "strict", "fallback": ["mild"]} for name in names}
    return write_config(folder, models=models, **roles, **values)


def test_a_budget_holds_where_no_answer_tells_what_it_took(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 6)
    log = tmp_path / "log"
    with server_process(Behaviour(rates={"usage:null": 1}), log) as base_url:
        config = config_for(tmp_path, base_url, budget_usd=0.1)
        stopped = dfj("generate", config)
        assert stopped.returncode == 4, stopped.stderr
        told = [line for line in stopped.stderr.splitlines() if "do not tell the tokens" in line]
        assert len(told) == 1
        books = status(tmp_path / "run")
        answers = len(read_log(log))
        assert 0.05 < books["cost_usd"] <= 0.1
        assert books["estimated"] == {"double": answers}
        assert dfj("generate", config).returncode == 4
        assert status(tmp_path / "run")["cost_usd"] <= 0.1
        assert len(read_log(log)) <= answers + 8
        done = dfj("generate", config, "--set", "budget_usd=50")
    assert done.returncode == 0, done.stderr
    assert "answers told no tokens; each counts at its worst case" in done.stdout
    assert balanced(status(tmp_path / "run"))


def test_a_plan_is_not_misled_by_answers_that_told_no_tokens(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 6)
    with server_process(Behaviour(rates={"usage:null": 1}), tmp_path / "log") as base_url:
        config = config_for(tmp_path, base_url)
        assert dfj("preview", config, "--n", "2", "--json").returncode == 0
        planned = json.loads(dfj("plan", config, "--json").stdout)
    assert planned["total"]["input_tokens"]["likely"] > 10_000
    assert planned["total"]["cost_usd"]["likely"] > 0.01


def test_attempts_that_may_have_been_paid_count_against_the_budget_over_all_starts(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 6)
    log = tmp_path / "log"
    rates = {"drop": 0.15, "garbage_body": 0.1, "json:504:{}": 0.1}
    with server_process(Behaviour(rates=rates, latency_s=0.02), log) as base_url:
        config = config_for(tmp_path, base_url, budget_usd=0.15)
        stopped = dfj("generate", config)
        assert stopped.returncode == 4, stopped.stderr
        first = status(tmp_path / "run")
        lost = sum(line["kind"] not in ("answer",) for line in read_log(log))
        assert lost > 3
        assert first["maybe_usd"] >= lost * 500 * 5 / 1e6
        assert first["cost_usd"] + first["maybe_usd"] <= 0.15
        sent = len(read_log(log))
        assert dfj("generate", config).returncode == 4
        assert len(read_log(log)) <= sent + 8
        second = status(tmp_path / "run")
        assert second["maybe_usd"] >= first["maybe_usd"]
        assert second["cost_usd"] + second["maybe_usd"] <= 0.15
        done = dfj("generate", config, "--set", "budget_usd=50")
    assert done.returncode == 0, done.stderr
    assert "more may have been paid, for attempts without an answer" in done.stdout
    assert Paid.of(read_log(log)).repeated == 0
    books = status(tmp_path / "run")
    assert books["maybe_usd"] > second["maybe_usd"]
    assert balanced(books)


def test_what_may_have_been_paid_is_known_after_a_kill(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 6)
    log, run = tmp_path / "log", tmp_path / "run"
    with server_process(Behaviour(rates={"drop": 0.3}, latency_s=0.05), log) as base_url:
        config = config_for(tmp_path, base_url, budget_usd=50)
        process = start_dfj("generate", config)
        when_lines(log, 10, process, having='"kind": "drop"')
        kill(process)
        killed = status(run)
        done = dfj("generate", config)
    assert done.returncode == 0, done.stderr
    assert killed["maybe_usd"] > 0
    assert status(run)["maybe_usd"] >= killed["maybe_usd"]


@pytest.mark.slow
def test_what_may_have_been_paid_counts_over_ray_workers(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 8)
    rates = {"drop": 0.2, "usage:null": 0.5}
    with server_process(Behaviour(rates=rates, latency_s=0.02), tmp_path / "log") as base_url:
        config = config_for(tmp_path, base_url, engine={"kind": "ray", "workers": 2}, budget_usd=0.4)
        stopped = dfj("generate", config)
        assert stopped.returncode == 4, stopped.stderr
        books = status(tmp_path / "run")
        assert books["maybe_usd"] > 0
        assert books["estimated"]["double"] > 0
        assert books["cost_usd"] + books["maybe_usd"] <= 0.4
        done = dfj("generate", config, "--set", "budget_usd=50")
    assert done.returncode == 0, done.stderr
    assert balanced(status(tmp_path / "run"))


def test_a_paid_answer_without_choices_is_counted(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 4)
    log = tmp_path / "log"
    with server_process(Behaviour(rates={f"always:{EMPTY}": 0.15}), log) as base_url:
        done = dfj("generate", config_for(tmp_path, base_url))
    assert done.returncode == 0, done.stderr
    kinds = Counter(line["kind"] for line in read_log(log))
    assert kinds[EMPTY] > 5
    books = status(tmp_path / "run")
    assert books["calls"]["answered"] == kinds.total()
    assert balanced(books)


def test_refusals_in_any_spelling_reach_the_fallback(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 4)
    log, run = tmp_path / "log", tmp_path / "run"
    spellings = (
        BLOCKED,
        "finish:SAFETY",
        "finish:sensitive",
        'json:400:{"error": {"code": "content_policy_violation"}}',
    )
    rates = {f"always:{kind}": 0.04 for kind in spellings}
    with server_process(Behaviour(rates=rates, off_level=0.1), log) as base_url:
        done = dfj("generate", two_models(tmp_path, base_url))
    assert done.returncode == 0, done.stderr
    kinds = Counter(line["kind"] for line in read_log(log))
    assert all(kinds[kind] for kind in spellings)
    books = status(run)
    counted = sum(
        n for levels in books["refusals"].values() for labels in levels.values() for n in labels.values()
    )
    assert counted == kinds.total() - kinds["answer"]
    assert books["refusals"]["mild"].keys() <= books["refusals"]["strict"].keys()


@pytest.mark.parametrize("kind", ["page:403", 'json:403:{"error": {"message": "forbidden"}}'])
def test_one_blocked_prompt_does_not_make_a_run_unfinishable(tmp_path: Path, kind: str) -> None:
    write_seed_rows(tmp_path, 6)
    log, run = tmp_path / "log", tmp_path / "run"
    with server_process(Behaviour({1: "answer"}, {f"always:{kind}": 0.06}), log) as base_url:
        config = config_for(tmp_path, base_url, limits={"max_attempts": 2})
        done = dfj("generate", config)
        assert done.returncode == 0, done.stderr
        came = read_log(log)
        again = dfj("generate", config)
        assert again.returncode == 0, again.stderr
        assert len(read_log(log)) == len(came)
    assert kind in {line["kind"] for line in came}
    assert status(run)["refusals"]
    assert balanced(status(run))


def test_a_blocked_prompt_that_comes_first_does_not_lock_a_run_that_was_answered_before(
    tmp_path: Path,
) -> None:
    blocked = 'json:403:{"error": {"message": "forbidden"}}'
    write_seed_rows(tmp_path, 2)
    with server_process(Behaviour(), tmp_path / "log") as base_url:
        assert dfj("generate", config_for(tmp_path, base_url)).returncode == 0
    write_seed_rows(tmp_path, 4)
    with server_process(Behaviour({1: blocked}), tmp_path / "log") as base_url:
        done = dfj("generate", config_for(tmp_path, base_url))
    assert done.returncode == 0, done.stderr
    with server_process(Behaviour({1: blocked}), tmp_path / "log") as base_url:
        fresh = dfj("generate", config_for(tmp_path, base_url), "--output", tmp_path / "fresh")
    assert fresh.returncode == 2  # to a run that was never answered it is the key


def test_stray_refusals_of_access_cost_no_seed(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 4)
    stray = {9: 'json:401:{"error": {"message": "stray"}}', 15: 'json:404:{"detail": "x"}', 21: "page:403"}
    with server_process(Behaviour(stray), tmp_path / "log") as base_url:
        done = dfj("generate", config_for(tmp_path, base_url))
        kinds = {line["kind"] for line in read_log(tmp_path / "log")}
    assert done.returncode == 0, done.stderr
    assert set(stray.values()) <= kinds
    assert not status(tmp_path / "run")["refusals"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"code": 402, "message": "Insufficient credits."}}, "Insufficient credits."),
        ({"code": "invalid_api_key", "message": "who are you?"}, "who are you?"),
    ],
)
def test_an_error_within_a_200_ends_the_run_with_its_words(tmp_path: Path, body: Any, words: str) -> None:
    write_seed_rows(tmp_path, 2)
    with server_process(Behaviour(rates={f"body:{json.dumps(body)}": 1}), tmp_path / "log") as base_url:
        done = dfj("generate", config_for(tmp_path, base_url))
    assert words in refusal(done)


def test_answers_that_end_for_no_known_reason_are_asked_again(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 4)
    log, run = tmp_path / "log", tmp_path / "run"
    with server_process(Behaviour(rates={"cut:out_of_luck": 0.1, "finish:tool_calls": 0.1}), log) as base_url:
        config = config_for(tmp_path, base_url)
        done = dfj("generate", config)
        assert done.returncode == 0, done.stderr
        dataset, came = tree_digest(run / "dfj-meta"), len(read_log(log))
        assert dfj("generate", config, "--set", "dataset.rng_seed=18").returncode == 0
        assert dfj("generate", config).returncode == 0
    assert len(read_log(log)) == came == status(run)["calls"]["answered"]
    assert tree_digest(run / "dfj-meta") == dataset


@pytest.mark.parametrize("kind", ["garbage", "cut:out_of_luck"])
def test_a_run_whose_replies_can_not_be_used_stops_before_all_is_paid(tmp_path: Path, kind: str) -> None:
    write_seed_rows(tmp_path, 20)
    log, run = tmp_path / "log", tmp_path / "run"
    with server_process(Behaviour(rates={f"always:{kind}": 1}), log) as base_url:
        config = config_for(tmp_path, base_url)
        stopped = dfj("generate", config)
        why = refusal(stopped)
        assert "max_unusable_share" in why
        assert status(run)["why"] in why
        assert status(run)["state"] == "failed"
        first = len(read_log(log))
        assert first < 120
        again = dfj("generate", config)  # what was answered before doesn't count, so it is tried again
        assert "max_unusable_share" in refusal(again)
        assert first < len(read_log(log)) < 2 * first + 40
        on = dfj("generate", config, "--set", "max_unusable_share=null")
    assert on.returncode == 0, on.stderr
    assert Paid.of(read_log(log)).repeated == 0


def test_levels_that_are_only_off_stop_no_run(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 12)
    with server_process(Behaviour(off_level=1.0), tmp_path / "log") as base_url:
        done = dfj("generate", config_for(tmp_path, base_url, refine={"max_rounds": 2}))
    assert done.returncode == 0, done.stderr
    assert status(tmp_path / "run")["trajectories"]["rejected"] > 30


@pytest.mark.slow
def test_unusable_replies_stop_a_run_over_ray_workers(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 40)
    log = tmp_path / "log"
    with server_process(Behaviour(rates={"always:garbage": 1}), log) as base_url:
        config = config_for(tmp_path, base_url, engine={"kind": "ray", "workers": 2})
        stopped = dfj("generate", config)
    assert "max_unusable_share" in refusal(stopped)
    assert len(read_log(log)) < 300
