"""The loop and the path of one seed, with scripted roles."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfj_bootstrap.domain.rationale import LEVELS, Rationale
from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.domain.trajectory import (
    Accepted,
    Brief,
    Candidate,
    Failed,
    Ladder,
    Paraphrase,
    Rejected,
    SeedOutcome,
    Trajectory,
)
from dfj_bootstrap.errors import CallFailed, Unusable
from dfj_bootstrap.policy.fidelity import Window
from dfj_bootstrap.stages.ladder import Recipe, build_ladder
from dfj_bootstrap.stages.paraphrase import ParaphraseOptions
from tests.support.roles import ScriptedRoles
from tests.support.seeds import make_seed

GOLD = "the shadow of the tree falls to the left"


async def climb(
    roles: ScriptedRoles,
    seed: Seed | None = None,
    gate: Literal["per-level", "image-mad"] = "per-level",
    threshold: int = 0,
    max_rounds: int = 3,
    count: int = 0,
) -> Ladder:
    recipe = Recipe(gate, threshold, max_rounds, ParaphraseOptions(count, 2, Window(-1, 1)))
    return await build_ladder(seed or make_seed(gold=GOLD), {}, roles.roles(), recipe, lambda done: None)


def level(ladder: Ladder, wanted: int) -> Trajectory:
    return next(t for t in ladder.trajectories if t.brief.level == wanted)


async def test_five_accepted_levels_make_a_complete_ladder() -> None:
    ladder = await climb(ScriptedRoles())
    assert ladder.outcome is SeedOutcome.COMPLETE
    assert [t.brief.level for t in ladder.trajectories] == list(LEVELS)
    assert all(t.outcome == Accepted(f"worth {t.brief.level}") for t in ladder.trajectories)


async def test_the_loop_rewrites_with_feedback_until_the_rating_fits() -> None:
    ladder = await climb(ScriptedRoles(rate=lambda level, round_: level if level == 5 or round_ == 2 else 5))
    assert [len(t.rounds) for t in ladder.trajectories] == [3, 3, 3, 3, 1]
    assert ladder.outcome is SeedOutcome.COMPLETE


async def test_a_level_that_never_fits_is_rejected_with_all_its_rounds() -> None:
    ladder = await climb(ScriptedRoles(rate=lambda level, round_: 3 if level == 2 else level))
    rejected = level(ladder, 2)
    assert rejected.outcome == Rejected("off_level")
    assert len(rejected.rounds) == 3
    assert ladder.outcome is SeedOutcome.INCOMPLETE


async def test_within_the_threshold_the_target_argues_for_the_level_not_the_rating() -> None:
    roles = ScriptedRoles(rate=lambda level, round_: 3 if level == 2 else level)
    ladder = await climb(roles, threshold=1)
    assert level(ladder, 2).outcome == Accepted("argues for 2")
    assert level(ladder, 3).outcome == Accepted("worth 3")


async def test_a_gold_rated_low_is_accepted_reported_and_justified() -> None:
    ladder = await climb(ScriptedRoles(rate=lambda level, round_: min(level, 4)))
    assert ladder.gold_low
    assert level(ladder, 5).outcome == Accepted("argues for 5")


async def test_a_missing_gold_is_written_first() -> None:
    roles = ScriptedRoles()
    ladder = await climb(roles, make_seed(gold=None))
    assert roles.asked[0] == ("writer", 5, 0)
    assert level(ladder, 5).accepted == Rationale("level 5 written", make_seed().label)


async def test_without_any_gold_all_five_levels_say_why() -> None:
    class NoWriter(ScriptedRoles):
        async def write(self, seed: Seed, brief: Brief) -> Candidate:
            raise Unusable("writer_refused", "I cannot")

    ladder = await climb(NoWriter(), make_seed(gold=None))
    assert [t.outcome for t in ladder.trajectories] == [Rejected("writer_refused", "I cannot")] * 5


async def test_an_unparsable_rating_is_never_a_rating() -> None:
    def rate(level: int, round_index: int) -> int:
        if level == 3:
            raise Unusable("evaluator_unparsable", "four-ish")
        return level

    ladder = await climb(ScriptedRoles(rate=rate))
    rejected = level(ladder, 3)
    assert rejected.outcome == Rejected("evaluator_unparsable", "four-ish")
    assert rejected.rounds[0].evaluation is None


async def test_a_technical_failure_fails_the_seed_but_not_the_other_levels() -> None:
    def rate(level: int, round_index: int) -> int:
        if level == 1:
            raise CallFailed("gave up after 5 attempts")
        return level

    ladder = await climb(ScriptedRoles(rate=rate))
    assert isinstance(level(ladder, 1).outcome, Failed)
    assert isinstance(level(ladder, 4).outcome, Accepted)
    assert ladder.outcome is SeedOutcome.FAILED


async def test_a_bug_is_not_turned_into_data() -> None:
    def rate(level: int, round_index: int) -> int:
        raise KeyError("typo")

    with pytest.raises(ExceptionGroup) as caught:
        await climb(ScriptedRoles(rate=rate))
    assert caught.group_contains(KeyError)


async def test_the_ladder_gate_sends_only_levels_that_are_off_into_the_next_round() -> None:
    roles = ScriptedRoles(rate=lambda level, round_: 4 if level == 3 and round_ == 0 else level)
    ladder = await climb(roles, gate="image-mad")
    asked = [(level, round_) for role, level, round_ in roles.asked if role == "generator"]
    assert sorted(asked) == [(1, 0), (2, 0), (3, 0), (3, 1), (4, 0)]
    assert ladder.outcome is SeedOutcome.COMPLETE


async def test_a_ladder_that_never_passes_is_rejected_whole_but_for_the_gold() -> None:
    ladder = await climb(
        ScriptedRoles(rate=lambda level, round_: 4 if level == 3 else level), gate="image-mad"
    )
    assert [t.outcome for t in ladder.trajectories[:4]] == [Rejected("off_ladder")] * 4
    assert isinstance(level(ladder, 5).outcome, Accepted)


async def test_one_level_that_cannot_be_had_rejects_its_ladder_and_is_named() -> None:
    def rate(level: int, round_index: int) -> int:
        if level == 2:
            raise Unusable("evaluator_refused")
        return level

    ladder = await climb(ScriptedRoles(rate=rate), gate="image-mad")
    reasons = [t.outcome.reason for t in ladder.trajectories[:4] if isinstance(t.outcome, Rejected)]
    assert reasons == ["off_ladder", "evaluator_refused", "off_ladder", "off_ladder"]


async def test_every_accepted_level_is_paraphrased_and_refused_tries_are_kept() -> None:
    roles = ScriptedRoles(
        reword=lambda text, index, try_: text if try_ == 0 else f"{text}, said anew {index}"
    )
    ladder = await climb(roles, count=2)
    tries = [p for p in ladder.paraphrases if p.level == 4]
    assert [(p.index, p.try_index, p.accepted) for p in tries] == [
        (0, 0, False), (0, 1, True), (1, 0, False), (1, 1, True),
    ]  # fmt: skip
    assert tries[0].reason


class Ordered(ScriptedRoles):
    """Answers the first try at each paraphrase of level 4 only when it is that index's turn."""

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__()
        self.order = list(order)
        self.turns = {index: asyncio.Event() for index in order}
        if self.order:
            self.turns[self.order[0]].set()

    async def paraphrase(
        self, seed: Seed, original: Rationale, brief: Brief, index: int, tried: Sequence[Paraphrase]
    ) -> Candidate:
        if brief.level == 4 and not tried and self.order:
            await self.turns[index].wait()
            self._next(index)
        text = f"{original.reasoning} in other words" if not tried else f"{original.reasoning}, {index}"
        return Candidate(Rationale(text, original.answer))

    def _next(self, index: int) -> None:
        position = self.order.index(index) + 1
        if position < len(self.order):
            self.turns[self.order[position]].set()


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(4)))
def test_verdicts_on_paraphrases_do_not_depend_on_the_order_of_answers(order: Sequence[int]) -> None:
    async def run(roles: ScriptedRoles) -> tuple[Paraphrase, ...]:
        return tuple(p for p in (await climb(roles, count=4)).paraphrases if p.level == 4)

    assert asyncio.run(run(Ordered(order))) == asyncio.run(run(Ordered(())))
