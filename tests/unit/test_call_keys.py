"""The keys by which recorded answers are found: the same digests in every version, or old runs pay again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from dfj_bootstrap.calls.call import IMAGE, Call, Place, Reply
from dfj_bootstrap.config.roles import EvaluatorRole, GeneratorRole, ParaphraserRole, WriterRole
from dfj_bootstrap.domain.rationale import Label, Rationale
from dfj_bootstrap.domain.trajectory import Brief, Candidate, Evaluation, Round
from dfj_bootstrap.errors import CallFailed
from dfj_bootstrap.prompting.templates import load_prompt
from dfj_bootstrap.roles.model import ModelEvaluator, ModelGenerator, ModelParaphraser, ModelWriter
from dfj_bootstrap.roles.model_asking import Line
from dfj_bootstrap.roles.recorded import RecordedSimilarity
from dfj_bootstrap.tasks.samples import samples_of
from tests.support.seeds import make_seed

SEED = make_seed()
GOLD = Rationale("The ball has no shadow.", Label.FAKE)
CALL = Call(
    role="generator",
    endpoint="fast",
    model="gpt-4o-mini",
    prompt="prompt-digest",
    parts=("Look: ", IMAGE, "Write."),
    image=SEED.image,
    fields={"reasoning": {"type": "string"}, "answer": {"type": "string"}},
    temperature=0.9,
    max_tokens=700,
    place=Place("seed-1", 3, 1, 0, 2),
    label="fake",
)


@pytest.mark.parametrize(
    ("call", "key"),
    [
        (CALL, "2e2108b4f107245ace5bdb039404acd1"),
        (replace(CALL, rng_seed=123456789012), "0c3c3cc0b0a764cacddfc6d9bff88633"),
        (
            replace(CALL, image=None, parts=("Write.",), place=Place("seed-1")),
            "15f4db4e9b301c39175c7238b9b060e3",
        ),
        (
            replace(
                CALL,
                parts=("Größe 图 🙂 e\N{COMBINING ACUTE ACCENT} \"\\\n",),
                model="модель",
                place=Place("图-1", 1, 0, 1, 0),
            ),
            "1dce77890ce452499264622b9eb5d5f1",
        ),
        (
            replace(CALL, role="evaluator", temperature=0.0, max_tokens=500, place=Place("seed-1")),
            "e7e0a08056634db907fb0e2695cb5a41",
        ),
    ],
)  # fmt: skip
def test_a_calls_key_is_what_it_always_was(call: Call, key: str) -> None:
    assert call.key == key


def test_what_does_not_change_the_answer_does_not_change_the_key() -> None:
    picture = replace(SEED.image, name="x.png", path="/elsewhere/x.png")
    assert replace(CALL, label="real", logprobs=True, image=picture).key == CALL.key
    assert replace(CALL, fields={name: {} for name in CALL.fields}).key == CALL.key


class Listener:
    """An endpoint that hears the first question and answers nothing."""

    def __init__(self) -> None:
        self.heard: list[Call] = []

    async def complete(self, call: Call) -> Reply:
        self.heard.append(call)
        raise CallFailed("not answered")

    def stop_admission(self) -> None: ...

    async def aclose(self) -> None: ...


BRIEF = Brief(SEED.id, 3)
OFF = Round(0, Candidate(GOLD), Evaluation(5, "Too good."))

Ask = Callable[[Line], Awaitable[Any]]
ASKED: dict[str, tuple[Ask, str]] = {
    "writer": (
        lambda line: ModelWriter(line, WriterRole(), load_prompt("writer/v1")).write(SEED, Brief(SEED.id, 5)),
        "b9d153834764dad56bb686f9f11f4d55",
    ),
    "generator": (
        lambda line: ModelGenerator(line, GeneratorRole(), load_prompt("generator/v1")).generate(
            SEED, GOLD, BRIEF, ()
        ),
        "06b02a137cec9cb994b2f9401e13a3f3",
    ),
    "generator, second round": (
        lambda line: ModelGenerator(line, GeneratorRole(rng_seed=7), load_prompt("generator/v1")).generate(
            SEED, GOLD, BRIEF, (OFF,)
        ),
        "f27cabff9845dbeea1806d5de06205fe",
    ),
    "evaluator": (
        lambda line: evaluator(line).evaluate(SEED, GOLD, GOLD, 1),
        "bce3b58890990a3caa6f1218367f2521",
    ),
    "justify": (
        lambda line: evaluator(line).justify(SEED, GOLD, GOLD, 4),
        "a53c17ac022084f3f458618164e74102",
    ),
    "paraphraser": (
        lambda line: ModelParaphraser(line, ParaphraserRole(), load_prompt("paraphraser/v1")).paraphrase(
            SEED, GOLD, BRIEF, 2, ()
        ),
        "51a21fa4250bceb9828e380384c5512c",
    ),
}  # fmt: skip


def evaluator(line: Line) -> ModelEvaluator:
    prompts = (load_prompt("evaluator/v1"), load_prompt("evaluator/justify-v1"))
    return ModelEvaluator(line, EvaluatorRole(), *prompts)


@pytest.mark.parametrize("name", ASKED)
def test_a_roles_question_has_the_key_that_it_always_had(name: str) -> None:
    ask, key = ASKED[name]
    listener = Listener()
    with pytest.raises(CallFailed):
        asyncio.run(_awaited(ask(Line(listener, "fast", "gpt-4o-mini", send_images=True))))
    assert [call.key for call in listener.heard] == [key]


async def _awaited(asking: Awaitable[Any]) -> None:
    await asking


class Facts(dict[str, Any]):
    """Recorded facts."""

    def append(self, key: str, value: Any, **about: Any) -> None:
        self[key] = value


def test_a_similarity_is_found_under_the_key_that_it_always_had() -> None:
    class Never:
        async def similarity(self, a: str, b: str) -> float | None:
            raise AssertionError("it is recorded")

    facts = Facts({"8330c89b4e7a5a0df715a288ecfb473d": 0.5})
    verdict = RecordedSimilarity(Never(), "package:m", facts).similarity("a é", "b")
    assert asyncio.run(verdict) == 0.5


def test_a_level_that_was_started_over_is_found_under_the_key_that_it_always_had() -> None:
    facts = Facts(
        {"start-over:3:1:seed-1": True, "start-over:3:2:seed-1": True, "start-over:1:1:seed-2": True}
    )
    assert samples_of(facts, "seed-1") == {1: 0, 2: 0, 3: 2, 4: 0, 5: 0}
