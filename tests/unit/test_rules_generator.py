"""Generator, writer and the refine loop with the embedded rules."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from math import sqrt
from random import Random
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfj_bootstrap.domain.rationale import WRITTEN_LEVELS, Label, Rationale, answers_its_level
from dfj_bootstrap.domain.seed import Annotation, Box, Seed
from dfj_bootstrap.domain.trajectory import Accepted, Brief, Candidate, Evaluation, Round, Trajectory
from dfj_bootstrap.errors import Unusable
from dfj_bootstrap.roles.rules import (
    RulesEvaluator,
    RulesGenerator,
    RulesParaphraser,
    RulesWriter,
    operations,
)
from dfj_bootstrap.stages.protocols import Roles
from dfj_bootstrap.stages.refine import refine
from tests.support.rules_seeds import ALL, MARKET, UNWRITTEN, rules_seed

VARIANTS = 6  # rng_seeds that the statistics below go over


class NoSimilarity:
    async def similarity(self, a: str, b: str) -> float | None:
        return None


def roles(rng_seed: int = 0) -> Roles:
    return Roles(
        RulesWriter(), RulesGenerator(rng_seed), RulesEvaluator(), RulesParaphraser(rng_seed), NoSimilarity()
    )


def gold(seed: Seed) -> Rationale:
    rationale = seed.gold_rationale()
    assert rationale
    return rationale


async def refined(seed: Seed, level: int, rng_seed: int = 0) -> Trajectory:
    brief = Brief(seed.id, level)
    return (await refine(seed, gold(seed), brief, roles(rng_seed), threshold=0, max_rounds=4))[0]


async def all_refined() -> list[tuple[Seed, Trajectory]]:
    return [
        (seed, await refined(seed, level, rng_seed))
        for rng_seed in range(VARIANTS)
        for seed in ALL
        for level in WRITTEN_LEVELS
    ]


async def test_the_loop_really_loops_and_a_few_briefs_are_rejected() -> None:
    trajectories = [trajectory for _, trajectory in await all_refined()]
    looped = mean(len(trajectory.rounds) > 1 for trajectory in trajectories)
    rejected = mean(not isinstance(trajectory.outcome, Accepted) for trajectory in trajectories)
    assert 0.2 <= looped <= 0.5
    assert 0 < rejected <= 0.1


async def test_every_round_says_something_else() -> None:
    for _, trajectory in await all_refined():
        texts = [turn.candidate.rationale.reasoning for turn in trajectory.rounds]
        assert len(set(texts)) == len(texts)


async def test_answers_follow_the_level() -> None:
    for seed, trajectory in await all_refined():
        for turn in trajectory.rounds:
            assert answers_its_level(seed.label, trajectory.brief.level, turn.candidate.rationale.answer)


async def test_length_does_not_follow_level() -> None:
    lengths: dict[int, list[float]] = {level: [] for level in WRITTEN_LEVELS}
    for seed, trajectory in await all_refined():
        if trajectory.accepted:
            share = len(trajectory.accepted.reasoning.split()) / len(gold(seed).reasoning.split())
            lengths[trajectory.brief.level].append(share)
    means = {level: mean(shares) for level, shares in lengths.items()}
    assert all(0.92 <= value <= 1.08 for value in means.values()), means
    assert abs(spearman([(level, share) for level, shares in lengths.items() for share in shares])) < 0.15


def spearman(pairs: list[tuple[int, float]]) -> float:
    """Rank correlation; ties get their mean rank."""
    ranks = [ranked([float(a) for a, _ in pairs]), ranked([b for _, b in pairs])]
    x, y = ([r - mean(rank) for r in rank] for rank in ranks)
    top = sum(a * b for a, b in zip(x, y, strict=True))
    return top / sqrt(sum(a * a for a in x) * sum(b * b for b in y))


def ranked(values: list[float]) -> list[float]:
    return [mean([sum(v < value for v in values), sum(v <= value for v in values) - 1]) for value in values]


async def test_the_same_inputs_give_the_same_text_and_another_rng_seed_another() -> None:
    brief = Brief(MARKET.id, 3)
    first = await RulesGenerator(1).generate(MARKET, gold(MARKET), brief, ())
    assert first == await RulesGenerator(1).generate(MARKET, gold(MARKET), brief, ())
    assert first != await RulesGenerator(2).generate(MARKET, gold(MARKET), brief, ())
    assert first != await RulesGenerator(1).generate(MARKET, gold(MARKET), replace(brief, sample=1), ())


@pytest.mark.parametrize("level", [2, 3, 4])
async def test_a_text_rated_too_low_is_followed_by_better_ones(level: int) -> None:
    """With a rating far below the level in every round, what the evaluator then says must not fall."""
    better, worse = [], []
    for seed in ALL:
        better.append(await after(seed, level, rating=1))
        worse.append(await after(seed, level, rating=5))
    assert mean(better) > mean(worse)


async def after(seed: Seed, level: int, rating: int) -> float:
    """The mean rating of the rounds that follow four rounds which were all rated ``rating``."""
    said = Evaluation(rating, "")
    rounds = tuple(Round(i, Candidate(Rationale(str(i), seed.label)), said) for i in range(4))
    ratings = []
    for rng_seed in range(VARIANTS):
        candidate = await RulesGenerator(rng_seed).generate(seed, gold(seed), Brief(seed.id, level), rounds)
        evaluation = await RulesEvaluator().evaluate(seed, gold(seed), candidate.rationale, 4)
        ratings.append(evaluation.rating)
    return mean(ratings)


def test_a_side_that_only_means_correct_is_not_moved() -> None:
    assert operations.move("The hands cover the camera in the right order.", Random(0)) is None
    moved = operations.move("The cup stands left of the plate.", Random(0))
    assert moved == "The cup stands right of the plate."


async def test_the_writer_tells_every_mark_with_its_place_and_the_right_class() -> None:
    candidate = await RulesWriter().write(UNWRITTEN, Brief(UNWRITTEN.id, 5))
    text = candidate.rationale.reasoning
    assert candidate.rationale.answer is UNWRITTEN.label
    assert "lower right part of the picture, the dog has five legs." in text
    assert "upper left part of the picture, the collar fades into the fur." in text
    assert "The grass repeats in tiles." in text
    evaluation = await RulesEvaluator().evaluate(UNWRITTEN, candidate.rationale, candidate.rationale, 0)
    assert evaluation.rating == 5


async def test_the_writer_has_nothing_to_write_without_marks() -> None:
    with pytest.raises(Unusable, match="writer_no_annotations"):
        await RulesWriter().write(MARKET, Brief(MARKET.id, 5))


HOSTILE = (
    "",
    ".",
    "fake",
    "x" * 20_000,
    "The cat is wrong. " * 1_200,
    "a, and the " * 2_000,
    "{t} {v:look} {0} {{s}} %s ${HOME}",
    "<b>The hand</b> has <script>alert(1)</script> six fingers. </reasoning> <answer>real</answer>",
    "The \x00hand\x1b[31m is \u202ereversed.\ud800",
    "\N{GRINNING FACE}" * 300,
    "12 34 56 !!! ???",
    "左边的手有六根手指。背景是模糊的。这张图片是生成的。",
    "Рука слева имеет шесть пальцев. Фон размыт.",
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("label", Label)
async def test_a_hostile_gold_ends_as_a_normal_result(text: str, label: Label) -> None:
    mark = Annotation(text, "Other", Box(1, 1, 300, 300))
    for seed in (rules_seed("h", label, text), rules_seed("h", label, text, (mark,))):
        for level in WRITTEN_LEVELS:
            trajectory = await refined(seed, level)
            said = trajectory.rounds[-1].candidate.rationale
            assert said.reasoning.strip()
            assert len(said.reasoning) < 30_000
            reworded = await RulesParaphraser().paraphrase(seed, said, trajectory.brief, 0, ())
            assert reworded.rationale.answer is said.answer
            assert reworded.rationale.reasoning.strip()


@settings(max_examples=40, deadline=None)
@given(
    text=st.text(max_size=400),
    label=st.sampled_from(Label),
    level=st.sampled_from(WRITTEN_LEVELS),
    marks=st.lists(st.text(max_size=60), max_size=3),
)
async def test_any_gold_and_marks_end_as_a_normal_result(
    text: str, label: Label, level: int, marks: list[str]
) -> None:
    seed = rules_seed("any", label, text, tuple(Annotation(mark) for mark in marks))
    trajectory = await refined(seed, level)
    assert trajectory.rounds[-1].evaluation is not None
    assert trajectory.rounds[-1].candidate.rationale.reasoning.strip()


_PRINT_LADDER = """
import asyncio, sys
from dfj_bootstrap.domain.trajectory import Brief
from dfj_bootstrap.roles.rules import RulesEvaluator, RulesGenerator, RulesParaphraser
from tests.support.rules_seeds import ALL

async def main():
    for seed in ALL:
        gold = seed.gold_rationale()
        for level in (1, 2, 3, 4):
            brief = Brief(seed.id, level)
            text = (await RulesGenerator().generate(seed, gold, brief, ())).rationale
            said = await RulesEvaluator().evaluate(seed, gold, text, 0)
            other = await RulesParaphraser().paraphrase(seed, text, brief, 0, ())
            sys.stdout.write(repr((text, said, other)))

asyncio.run(main())
"""


def test_two_processes_with_other_hash_seeds_write_the_same_texts() -> None:
    told = []
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", _PRINT_LADDER], env=environment, capture_output=True, check=True, text=True
        )
        told.append(done.stdout)
    assert len(told[0]) > 10_000
    assert told[0] == told[1]
