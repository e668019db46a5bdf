"""What a run's answers depend on, and that a version which knows more or less of it locks nobody out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dfj_bootstrap.app.basis import basis_of
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.roles.generation import FORMS
from dfj_bootstrap.roles.identity import default_identity_of, identity_of, made_with_another
from dfj_bootstrap.tasks import generate as task
from dfj_bootstrap.tasks.generate import Generate

PAID = {"backend": "openai", "model": "m"}
ROLES = {role: {"model": "paid"} for role in ("writer", "generator", "evaluator", "paraphraser")}


def config(**values: Any) -> Config:
    return Config.model_validate({"seeds": "s.jsonl", "models": {"paid": PAID}} | ROLES | values)


def edited(identity: dict[str, Any], edit: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    edit(identity)
    return {"identity": identity}


@pytest.mark.parametrize(
    "edit",
    [
        lambda run: run.pop("writer"),
        lambda run: run["writer"].clear(),
        lambda run: run["generator"].pop("rng_seed"),
        lambda run: run["generator"].pop("fallback"),
        lambda run: run["generator"].pop("temperature"),
        lambda run: run["evaluator"].pop("justify_prompt"),
        lambda run: run["evaluator"].pop("pixels"),
        lambda run: run["evaluator"].update(of_a_later_version="x"),
        lambda run: run.update(role_of_a_later_version={"model": "x"}),
    ],
)
def test_a_run_of_a_version_that_knew_more_or_less_goes_on(edit: Callable[[dict[str, Any]], Any]) -> None:
    assert made_with_another(edited(identity_of(config(), FORMS), edit), config(), FORMS) == ""


@pytest.mark.parametrize(
    ("section", "setting", "named"),
    [
        ("generator", {"rng_seed": 3}, "generator.rng_seed (None, now 3)"),
        ("generator", {"temperature": 0.2}, "generator.temperature (0.9, now 0.2)"),
        ("evaluator", {"max_tokens": 9}, "evaluator.max_tokens (500, now 9)"),
    ],
)
def test_what_the_runs_version_did_not_know_may_not_be_set_now(
    section: str, setting: dict[str, Any], named: str
) -> None:
    now = config(**{section: ROLES[section] | setting})
    run = edited(identity_of(config(), FORMS), lambda run: [run[section].pop(name) for name in setting])
    assert made_with_another(run, now, FORMS) == named


def test_what_both_know_is_compared_and_the_model_of_a_role_before_all() -> None:
    run = {"identity": identity_of(config(), FORMS)}
    other = config(models={"paid": {"backend": "gemini", "model": "g", "thinking_budget": 3}})
    assert made_with_another(run, other, FORMS) == "writer.backend (openai, now gemini)"
    assert made_with_another(run, config(generator={}), FORMS) == "generator.backend (openai, now rules)"


def test_the_default_identity_is_that_of_a_config_which_only_names_models() -> None:
    much = {"temperature": 0.1, "rng_seed": 4, "max_tokens": 3, "fallback": ["other"]}
    models = {"paid": PAID | {"send_images": False, "reasoning_effort": "low"}, "other": PAID}
    now = config(models=models, generator=ROLES["generator"] | much)
    assert default_identity_of(now, FORMS) == identity_of(config(), FORMS)


def test_a_fallback_is_told_as_it_always_was() -> None:
    models = {
        "paid": PAID,
        "other": {"backend": "gemini", "model": "g"},
        "text": PAID | {"send_images": False},
    }
    now = config(models=models, generator=ROLES["generator"] | {"fallback": ["other", "text"]})
    assert identity_of(now, FORMS)["generator"]["fallback"] == (
        "backend gemini, endpoint other, model g, send_images True, pixels 3136–1003520, "
        "thinking_budget None; "
        "backend openai, endpoint text, model m, send_images False, pixels None, reasoning_effort None"
    )


def test_a_run_from_before_levels_of_thinking_goes_on_until_one_is_set() -> None:
    def with_level(**level: str) -> Config:
        return config(models={"paid": {"backend": "gemini", "model": "g", **level}})

    run = edited(
        identity_of(with_level(), FORMS), lambda run: [run[role].pop("thinking_level") for role in ROLES]
    )
    assert made_with_another(run, with_level(), FORMS) == ""
    now = with_level(thinking_level="low")
    assert "thinking_level" in made_with_another(run, now, FORMS)
    assert made_with_another({"identity": identity_of(now, FORMS)}, now, FORMS) == ""
    assert "thinking_level" in made_with_another({"identity": identity_of(now, FORMS)}, with_level(), FORMS)


def test_where_the_rules_that_decide_change_partitions_are_decided_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = basis_of(Generate(config()), {})
    assert basis_of(Generate(config()), {}) == before
    monkeypatch.setattr(task, "RULES_OF_DECISION", 10**6)
    assert basis_of(Generate(config()), {}) != before
