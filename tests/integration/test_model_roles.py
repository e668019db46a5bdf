"""Roles that a model plays: what they ask, what they take, and whole ladders over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from dfj_bootstrap.calls.call import IMAGE, Call, Endpoint, Reply
from dfj_bootstrap.config.models import OpenAIModel
from dfj_bootstrap.config.roles import EvaluatorRole, GeneratorRole, ParaphraserRole, WriterRole
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.domain.rationale import LEVELS, Label, Rationale
from dfj_bootstrap.domain.seed import Annotation, Seed
from dfj_bootstrap.domain.trajectory import Brief, Candidate, Evaluation, Ladder, Paraphrase, Round
from dfj_bootstrap.endpoints.openai.endpoint import OpenAIEndpoint
from dfj_bootstrap.errors import ConfigError, Unusable
from dfj_bootstrap.limits.gate import Gate
from dfj_bootstrap.policy import fidelity
from dfj_bootstrap.policy.fidelity import Window
from dfj_bootstrap.prompting.templates import load_prompt, parse_prompt
from dfj_bootstrap.roles.model import ModelEvaluator, ModelGenerator, ModelParaphraser, ModelWriter
from dfj_bootstrap.roles.model_asking import Line
from dfj_bootstrap.stages.ladder import Recipe, build_ladder
from dfj_bootstrap.stages.paraphrase import ParaphraseOptions
from dfj_bootstrap.stages.protocols import Roles
from tests.support.ladders import make_picture
from tests.support.model_server import Behaviour, ModelServer, read_log, server_process

GOLD = Rationale("The left hand has six fingers and the window frame bends.", Label.FAKE)


@dataclass
class Replies:
    """An endpoint that answers from a list; the last answer goes on for ever."""

    texts: Sequence[str | Reply]
    calls: list[Call] = field(default_factory=list)

    async def complete(self, call: Call) -> Reply:
        text = self.texts[min(len(self.calls), len(self.texts) - 1)]
        self.calls.append(call)
        if isinstance(text, Reply):
            return text
        return Reply(
            text, Finish.STOP, "tiny", input_tokens=10, output_tokens=2, cached_tokens=1, cost_usd=0.5
        )

    def stop_admission(self) -> None: ...

    async def aclose(self) -> None:
        """Nothing is open."""

    def line(self, send_images: bool = True) -> Line:
        return Line(self, "fast", "tiny", send_images)


def rationale(reasoning: str = "Six fingers.", answer: str = "fake") -> str:
    return json.dumps({"reasoning": reasoning, "answer": answer})


def rating(score: object = 3, feedback: str = "Name the hand.") -> str:
    return json.dumps({"reasoning": "Class right.", "feedback": feedback, "score": score})


def a_seed(folder: Path, seed_id: str = "s1", label: Label = Label.FAKE, gold: str | None = None) -> Seed:
    return Seed(
        id=seed_id,
        image=make_picture(folder),
        label=label,
        gold=gold or GOLD.reasoning,
        annotations=(Annotation("six fingers", "Object Completeness & Counts"),),
        group=seed_id,
    )


def generator(line: Line) -> ModelGenerator:
    return ModelGenerator(line, GeneratorRole(), load_prompt("generator/v1"))


def evaluator(line: Line) -> ModelEvaluator:
    return ModelEvaluator(
        line, EvaluatorRole(), load_prompt("evaluator/v1"), load_prompt("evaluator/justify-v1")
    )


def paraphraser(line: Line) -> ModelParaphraser:
    return ModelParaphraser(line, ParaphraserRole(), load_prompt("paraphraser/v1"))


async def test_a_generator_writes_what_it_was_asked_for(tmp_path: Path) -> None:
    replies = Replies([rationale(answer="Real.")])
    candidate = await generator(replies.line()).generate(a_seed(tmp_path), GOLD, Brief("s1", 1, 4), ())
    (call,) = replies.calls
    assert candidate.rationale == Rationale("Six fingers.", Label.REAL)
    assert (call.role, call.endpoint, call.model) == ("generator", "fast", "tiny")
    assert (call.place.level, call.place.round_index, call.place.sample) == (1, 0, 4)
    assert (call.temperature, call.max_tokens) == (0.9, 700)
    assert call.prompt == candidate.provenance.prompt == load_prompt("generator/v1").digest
    assert call.parts[1] == IMAGE
    assert call.image is not None


async def test_a_text_only_model_gets_no_picture(tmp_path: Path) -> None:
    replies = Replies([rationale()])
    await generator(replies.line(send_images=False)).generate(a_seed(tmp_path), GOLD, Brief("s1", 4), ())
    assert IMAGE not in replies.calls[0].parts
    assert replies.calls[0].image is None


async def test_a_second_round_is_another_call_that_holds_the_feedback(tmp_path: Path) -> None:
    replies = Replies([rationale()])
    before = Candidate(Rationale("Looks fine.", Label.REAL))
    round_ = Round(0, before, Evaluation(3, "Say which hand."))
    await generator(replies.line()).generate(a_seed(tmp_path), GOLD, Brief("s1", 1), (round_,))
    (call,) = replies.calls
    assert call.place.round_index == 1
    assert "That is too good" in call.parts[-1]
    assert "Say which hand." in call.parts[-1]


async def test_an_unreadable_reply_is_asked_again_with_the_reason_and_all_tries_are_counted(
    tmp_path: Path,
) -> None:
    replies = Replies(["", rationale(answer="AI"), rationale()])
    candidate = await generator(replies.line()).generate(a_seed(tmp_path), GOLD, Brief("s1", 4), ())
    assert [call.place.try_index for call in replies.calls] == [0, 1, 2]
    assert len({call.key for call in replies.calls}) == 3
    assert "the reply was empty" in replies.calls[1].parts[-1]
    assert "one of real, fake, edited" in replies.calls[2].parts[-1]
    spent = candidate.provenance
    assert (spent.input_tokens, spent.output_tokens, spent.cached_tokens) == (30, 6, 3)
    assert spent.cost_usd == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply("I would rather not\x07", Finish.STOP, "m"), "generator_unparsable"),
        (Reply('{"reasoning": "Six', Finish.LENGTH, "m"), "generator_cut_off"),
        (Reply("No.", Finish.REFUSED, "m"), "generator_refused"),
    ],
)
async def test_after_three_tries_the_reason_and_the_raw_text_remain(
    tmp_path: Path, reply: Reply, reason: str
) -> None:
    replies = Replies([reply])
    with pytest.raises(Unusable) as raised:
        await generator(replies.line()).generate(a_seed(tmp_path), GOLD, Brief("s1", 4), ())
    assert (raised.value.reason, raised.value.raw) == (reason, reply.text.replace("\x07", ""))
    assert len(replies.calls) == 3


async def test_a_reply_that_is_complete_is_taken_although_the_limit_was_reached(tmp_path: Path) -> None:
    replies = Replies([Reply(rationale() + "\n\nAlso", Finish.LENGTH, "m")])
    await generator(replies.line()).generate(a_seed(tmp_path), GOLD, Brief("s1", 4), ())
    assert len(replies.calls) == 1


async def test_the_evaluator_is_blind_and_sees_the_candidate_tagged(tmp_path: Path) -> None:
    replies = Replies([rating(2)])
    candidate = Rationale("Looks fine.", Label.REAL)
    evaluation = await evaluator(replies.line()).evaluate(a_seed(tmp_path), GOLD, candidate, 2)
    (call,) = replies.calls
    assert (evaluation.rating, evaluation.feedback) == (2, "Name the hand.")
    assert call.place.level is None
    assert call.place.round_index == 2
    assert "<reasoning>Looks fine.</reasoning> <answer>real</answer>" in call.parts[-1]
    assert "level" not in "".join(call.parts).lower()


@pytest.mark.parametrize("score", [0, 6, 4.5, "four?", None])
async def test_a_rating_that_can_not_be_read_is_no_rating(tmp_path: Path, score: object) -> None:
    replies = Replies([rating(score)])
    with pytest.raises(Unusable, match="evaluator_unparsable"):
        await evaluator(replies.line()).evaluate(a_seed(tmp_path), GOLD, GOLD, 0)


async def test_feedback_that_mentions_the_reference_is_asked_again(tmp_path: Path) -> None:
    replies = Replies([rating(3, "The gold rationale says six fingers."), rating(3, "Count the fingers.")])
    evaluation = await evaluator(replies.line()).evaluate(a_seed(tmp_path), GOLD, GOLD, 0)
    assert evaluation.feedback == "Count the fingers."
    assert "which its reader never sees" in replies.calls[1].parts[-1]


async def test_a_given_score_is_argued_for_without_a_score_in_the_reply(tmp_path: Path) -> None:
    replies = Replies([json.dumps({"reasoning": "x", "feedback": "All of it holds."})])
    critique = await evaluator(replies.line()).justify(a_seed(tmp_path), GOLD, GOLD, 5)
    (call,) = replies.calls
    assert critique == "All of it holds."
    assert call.role == "evaluator"
    assert list(call.fields) == ["reasoning", "feedback"]
    assert call.prompt == load_prompt("evaluator/justify-v1").digest
    assert call.parts[-1].endswith("its score is 5.")


async def test_a_paraphraser_gets_no_picture_and_keeps_whatever_class_comes_back(tmp_path: Path) -> None:
    replies = Replies([rationale("Reworded.", "real")])
    candidate = await paraphraser(replies.line()).paraphrase(a_seed(tmp_path), GOLD, Brief("s1", 5), 3, ())
    (call,) = replies.calls
    assert candidate.rationale == Rationale("Reworded.", Label.REAL)
    assert call.image is None
    assert GOLD.tagged() in call.parts[0]
    assert call.place.round_index == 3


async def test_each_paraphrase_and_each_try_at_it_is_a_call_of_its_own(tmp_path: Path) -> None:
    replies = Replies([rationale()])
    role, seed = paraphraser(replies.line()), a_seed(tmp_path)
    refused = Paraphrase(5, 0, 0, GOLD, 1.0, fidelity.COPY)
    for index, tried in [(0, ()), (1, ()), (0, (refused,)), (0, (refused, refused))]:
        await role.paraphrase(seed, GOLD, Brief("s1", 5), index, tried)
    assert len({call.key for call in replies.calls}) == 4
    assert "refused for this reason: it was nearly a copy" in replies.calls[2].parts[0]


async def test_a_written_gold_must_answer_the_seeds_label(tmp_path: Path) -> None:
    replies = Replies([rationale(answer="real"), rationale(answer="fake")])
    writer = ModelWriter(replies.line(), WriterRole(), load_prompt("writer/v1"))
    gold = await writer.write(replace(a_seed(tmp_path), gold=None), Brief("s1", 5))
    assert gold.rationale.answer is Label.FAKE
    assert "the answer must be fake" in replies.calls[1].parts[-1]
    assert "Object Completeness & Counts: six fingers" in replies.calls[0].parts[-1]


def test_a_prompt_with_a_wrong_placeholder_is_refused_before_any_call() -> None:
    replies = Replies([rating()])
    with pytest.raises(ConfigError, match="my/prompt"):
        ModelEvaluator(
            replies.line(), EvaluatorRole(), parse_prompt("my/prompt", "{level}"), load_prompt("evaluator/v1")
        )
    assert not replies.calls


class NoSimilarity:
    """Similarity is off."""

    async def similarity(self, a: str, b: str) -> float | None:
        return None


def roles_over(endpoint: Endpoint) -> Roles:
    line = Line(endpoint, "fast", "tiny", send_images=True)
    writer = ModelWriter(line, WriterRole(), load_prompt("writer/v1"))
    return Roles(writer, generator(line), evaluator(line), paraphraser(line), NoSimilarity())


async def ladders(base_url: str, seeds: Sequence[Seed]) -> list[Ladder]:
    """Whole ladders of all seeds, over real HTTP."""
    config = OpenAIModel(backend="openai", model="tiny", base_url=base_url, timeout_s=5, max_in_flight=16)
    endpoint = OpenAIEndpoint("fast", config, "k", gate=Gate.wide_open("fast", config), tracing=True)
    recipe = Recipe("per-level", 0, 4, ParaphraseOptions(2, 3, Window(0.5, 1.0)))
    try:
        work = (build_ladder(seed, {}, roles_over(endpoint), recipe, lambda _: None) for seed in seeds)
        return list(await asyncio.gather(*work))
    finally:
        await endpoint.aclose()


async def test_ladders_come_out_of_a_faulty_server_and_the_same_again(tmp_path: Path) -> None:
    labels = [Label.FAKE, Label.REAL, Label.EDITED, Label.FAKE]
    seeds = [
        a_seed(tmp_path, f"s{n}", label, f"The hand of person {n} has a strange edge.")
        for n, label in enumerate(labels)
    ]
    rates = {"drop": 0.03, "garbage": 0.03, "refusal": 0.02, "cut_off": 0.02}
    async with ModelServer(Behaviour(rates=rates)) as server:
        first = await ladders(server.base_url, seeds)
        blind = [r for r in server.requests if r.headers["X-DFJ-Role"] == "evaluator"]
        again = await ladders(server.base_url, seeds)
    assert {t.brief.level for ladder in first for t in ladder.trajectories if t.accepted} == set(LEVELS)
    assert max(len(t.rounds) for ladder in first for t in ladder.trajectories) > 1
    assert not [ladder for ladder in first if ladder.failure]
    assert again == first
    assert all("X-DFJ-Level" not in request.headers for request in blind)


@pytest.mark.slow
async def test_a_server_in_a_process_of_its_own_logs_every_paid_answer_once(tmp_path: Path) -> None:
    log = tmp_path / "served.jsonl"
    with server_process(Behaviour(schema=False), log) as base_url:
        (ladder,) = await ladders(base_url, [a_seed(tmp_path)])
        served = read_log(log)
    paid = [line["digest"] for line in served if line["kind"] == "answer"]
    assert len(ladder.trajectories) == 5
    assert len(paid) == len(set(paid)) > 10
    assert {line["role"] for line in served} == {"generator", "evaluator", "paraphraser"}
