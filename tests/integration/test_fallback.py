"""Refusals: another model takes over, they are counted, and the card tells who made what."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dfj_bootstrap.calls.call import Call, Reply
from dfj_bootstrap.config.roles import GeneratorRole
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.domain.rationale import Rationale
from dfj_bootstrap.domain.trajectory import Brief
from dfj_bootstrap.errors import Unusable
from dfj_bootstrap.prompting.templates import load_prompt
from dfj_bootstrap.roles.model import ModelGenerator
from dfj_bootstrap.roles.model_asking import Line
from tests.support.model_server import Behaviour, read_log, server_process
from tests.support.runs import dfj, status, tree_digest, write_config
from tests.support.seeds import GOLD, make_seed, write_seed_rows

REFUSED = Reply("No.", Finish.REFUSED, "m", input_tokens=5)
GOOD = Reply(json.dumps({"reasoning": "Bent.", "answer": "fake"}), Finish.STOP, "m", input_tokens=7)
GARBAGE = Reply("hm", Finish.STOP, "m")


@dataclass
class Model:
    """Answers from a list; the last answer goes on for ever."""

    name: str
    replies: Sequence[Reply]
    calls: list[Call] = field(default_factory=list)

    async def complete(self, call: Call) -> Reply:
        self.calls.append(call)
        return self.replies[min(len(self.calls), len(self.replies)) - 1]

    def stop_admission(self) -> None: ...

    async def aclose(self) -> None:
        """Nothing is open."""


async def generate(*models: Model, **settings: Any) -> Any:
    line: Line | None = None
    for model in reversed(models):
        line = Line(model, model.name, f"{model.name}-1", model is models[0], line)
    assert line
    role = ModelGenerator(line, GeneratorRole(**settings), load_prompt("generator/v1"))
    seed = make_seed()
    return await role.generate(seed, Rationale(GOLD, seed.label), Brief(seed.id, 4), ())


async def test_a_refused_call_goes_to_the_next_model_as_it_is() -> None:
    first, second, third = Model("a", [REFUSED]), Model("b", [REFUSED]), Model("c", [GOOD])
    candidate = await generate(first, second, third)
    (one,), (two,), (three,) = first.calls, second.calls, third.calls
    assert candidate.rationale.reasoning == "Bent."
    assert candidate.provenance.input_tokens == 17
    assert [call.endpoint for call in (one, two, three)] == ["a", "b", "c"]
    assert two.model == "b-1"
    assert two.parts == three.parts == tuple(part for part in one.parts if part != "\0image")
    assert {call.place.try_index for call in (one, two, three)} == {0}
    assert len({call.key for call in (one, two, three)}) == 3


async def test_who_took_over_stays_for_the_further_tries_at_that_question() -> None:
    first, second = Model("a", [REFUSED, GOOD]), Model("b", [GARBAGE, GOOD])
    await generate(first, second)
    assert (len(first.calls), len(second.calls)) == (1, 2)


async def test_once_the_list_is_used_up_the_refusal_stands() -> None:
    first, second = Model("a", [REFUSED]), Model("b", [REFUSED])
    with pytest.raises(Unusable, match="generator_refused"):
        await generate(first, second)
    assert (len(first.calls), len(second.calls)) == (1, 3)


async def test_an_unreadable_answer_is_no_refusal() -> None:
    first, second = Model("a", [GARBAGE, GARBAGE, GOOD]), Model("b", [GOOD])
    await generate(first, second)
    assert (len(first.calls), len(second.calls)) == (3, 0)


async def test_each_call_has_a_seed_of_its_own_that_follows_from_the_roles() -> None:
    models = [Model("a", [GARBAGE, GOOD]) for _ in range(3)]
    for model, rng_seed in zip(models, (1, 1, 2), strict=True):
        await generate(model, rng_seed=rng_seed)
    drawn = [[call.rng_seed for call in model.calls] for model in models]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 2
    plain = Model("a", [GOOD])
    await generate(plain)
    assert plain.calls[0].rng_seed is None


@pytest.mark.parametrize(
    ("fallback", "why"),
    [(["other"], "no model named 'other'"), (["rules"], "rules"), (["a"], "twice"), (["b", "b"], "twice")],
)
def test_a_list_that_can_not_work_is_refused(fallback: list[str], why: str) -> None:
    models = {name: {"backend": "scripted"} for name in ("a", "b")}
    with pytest.raises(ValueError, match=why):
        Config.model_validate(
            {"seeds": "s", "models": models, "generator": {"model": "a", "fallback": fallback}}
        )


def test_a_run_with_refusals_counts_them_and_tells_who_made_what(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 6)
    log, run = tmp_path / "log", tmp_path / "run"
    with server_process(Behaviour(rates={"refusal": 0.2}, off_level=0.1), log) as base_url:
        config = _two_models(tmp_path, base_url)
        done = dfj("generate", config)
        assert done.returncode == 0, done.stderr
        served = read_log(log)
        dataset = tree_digest(run / "dfj-meta")
        again = dfj("generate", config, "--set", "paraphraser.count=2")  # decided anew, from the journal
        assert again.returncode == 0, again.stderr
        assert len(read_log(log)) == len(served)
        assert dfj("generate", config).returncode == 0
    assert tree_digest(run / "dfj-meta") == dataset

    refusals = status(run)["refusals"]
    counts = Counter(line["level"] or "any" for line in served if line["kind"] == "refusal")
    assert counts.keys() == {"1", "2", "3", "4", "5", "any"}
    assert {
        level: sum(sum(refusals.get(model, {}).get(level, {}).values()) for model in ("strict", "mild"))
        for level in counts
    } == counts
    refused = {model: sum(sum(labels.values()) for labels in refusals[model].values()) for model in refusals}
    assert refused["strict"] > refused["mild"] > 0
    assert {label for labels in refusals["strict"].values() for label in labels} == {"fake", "edited", "real"}
    assert "refusals     strict: " in done.stdout

    card = (run / "dfj-meta" / "dfj-meta-pointwise" / "README.md").read_text()
    for what in ("rationales", "paraphrases", "ratings"):
        assert f"| {what} | strict-1 |" in card
        assert f"| {what} | mild-1 |" in card


def test_another_list_makes_another_run(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 1)
    with server_process(Behaviour(), tmp_path / "log") as base_url:
        config = _two_models(tmp_path, base_url)
        assert dfj("generate", config).returncode == 0
        changed = dfj("generate", config, "--set", "evaluator.fallback=[]")
    assert changed.returncode == 2
    assert "evaluator.fallback" in changed.stderr


def _two_models(folder: Path, base_url: str) -> Path:
    model = {"backend": "openai", "base_url": base_url, "timeout_s": 20}
    models = {"strict": model | {"model": "strict-1"}, "mild": model | {"model": "mild-1"}}
    names = ("writer", "generator", "evaluator", "paraphraser")
    roles: dict[str, Any] = {name: {"model": "strict", "fallback": ["mild"]} for name in names}
    return write_config(folder, models=models, **roles)
