"""The whole path of one seed: write the gold if needed → rate it → refine four levels → paraphrase all five.

There is no barrier: each level goes on by itself, and one is paraphrased while another is still refined.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from dfj_bootstrap.domain.rationale import GOLD_LEVEL, LEVELS, WRITTEN_LEVELS
from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.domain.trajectory import (
    Brief,
    Candidate,
    Failed,
    Ladder,
    Paraphrase,
    Rejected,
    Round,
    Trajectory,
)
from dfj_bootstrap.errors import CallFailed, Unusable
from dfj_bootstrap.stages.paraphrase import ParaphraseOptions, paraphrase
from dfj_bootstrap.stages.protocols import Roles
from dfj_bootstrap.stages.refine import accept, refine, refine_ladder

Watcher: TypeAlias = Callable[[Trajectory | Paraphrase], None]
"""Is told of everything that is finished, when it is: for progress, never for decisions."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the stages need to know of the configuration.

    Attributes:
        gate: ``per-level`` accepts each level on its own, ``image-mad`` the ladder as a whole.
        threshold: α of the per-level gate, or the largest Σ|r − r̂| of the image-level one.
        max_rounds: T, the most turns of the loop for one brief.
    """

    gate: Literal["per-level", "image-mad"]
    threshold: int
    max_rounds: int
    paraphrases: ParaphraseOptions


async def build_ladder(
    seed: Seed, samples: Mapping[int, int], roles: Roles, recipe: Recipe, watch: Watcher
) -> Ladder:
    """Make everything that can be made from one seed.

    Args:
        samples: level → how often rejected work on it was started over on request (default 0).
        watch: told of each trajectory and each paraphrase as it ends.
    """
    briefs = {level: Brief(seed.id, level, samples.get(level, 0)) for level in LEVELS}
    gold = await _gold(seed, briefs[GOLD_LEVEL], roles)
    if not isinstance(gold, Candidate):
        trajectories = tuple(Trajectory(brief, (), gold) for brief in briefs.values())
        for trajectory in trajectories:
            watch(trajectory)
        return Ladder(seed.id, trajectories)
    async with asyncio.TaskGroup() as group:
        strands = [
            group.create_task(_strand(work, seed, roles, recipe.paraphrases, watch))
            for work in _refinements(seed, gold, briefs, roles, recipe)
        ]
    done = [strand.result() for strand in strands]
    return Ladder(
        seed.id,
        tuple(sorted((t for d in done for t in d.trajectories), key=lambda t: t.brief.level)),
        tuple(p for d in done for p in d.paraphrases),
        next((d.failure for d in done if d.failure), ""),
    )


async def _gold(seed: Seed, brief: Brief, roles: Roles) -> Candidate | Rejected | Failed:
    """The given gold, or one written from the annotations."""
    given = seed.gold_rationale()
    if given:
        return Candidate(given)
    try:
        return await roles.writer.write(seed, brief)
    except Unusable as unusable:
        return Rejected(unusable.reason, unusable.raw)
    except CallFailed as failed:
        return Failed(str(failed))


def _refinements(
    seed: Seed, gold: Candidate, briefs: Mapping[int, Brief], roles: Roles, recipe: Recipe
) -> list[Coroutine[Any, Any, Sequence[Trajectory]]]:
    """What can be refined independently: the gold beside each level, or beside the ladder as one."""
    text = gold.rationale
    limits = {"threshold": recipe.threshold, "max_rounds": recipe.max_rounds}
    written = [briefs[level] for level in WRITTEN_LEVELS]
    if recipe.gate == "image-mad":
        others = [refine_ladder(seed, text, written, roles, **limits)]
    else:
        others = [refine(seed, text, brief, roles, **limits) for brief in written]
    return [_rate_gold(seed, gold, briefs[GOLD_LEVEL], roles), *others]


async def _rate_gold(seed: Seed, gold: Candidate, brief: Brief, roles: Roles) -> Sequence[Trajectory]:
    """Gold passes whatever it is rated (a low one is reported); unrated, it still needs its justification."""
    round_ = Round(0, gold)
    try:
        rating = await roles.evaluator.evaluate(seed, gold.rationale, gold.rationale, round_.index)
        round_ = Round(0, gold, rating)
    except Unusable:
        pass
    except CallFailed as failed:
        return [Trajectory(brief, (round_,), Failed(str(failed)))]
    outcome = await accept(seed, gold.rationale, brief.level, round_, roles)
    return [Trajectory(brief, (round_,), outcome)]


@dataclass(frozen=True, slots=True)
class _Strand:
    """Trajectories that went through the loop together, and the paraphrases of those accepted."""

    trajectories: Sequence[Trajectory]
    paraphrases: Sequence[Paraphrase]
    failure: str


async def _strand(
    work: Awaitable[Sequence[Trajectory]],
    seed: Seed,
    roles: Roles,
    options: ParaphraseOptions,
    watch: Watcher,
) -> _Strand:
    trajectories = await work
    for trajectory in trajectories:
        watch(trajectory)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_paraphrases(t, seed, roles, options, watch)) for t in trajectories]
    done = [task.result() for task in tasks]
    failure = next((d for d in done if isinstance(d, str)), "")
    return _Strand(trajectories, [p for d in done if not isinstance(d, str) for p in d], failure)


async def _paraphrases(
    trajectory: Trajectory, seed: Seed, roles: Roles, options: ParaphraseOptions, watch: Watcher
) -> list[Paraphrase] | str:
    """The paraphrases of one trajectory, none where it wasn't accepted; a string is a technical failure."""
    original = trajectory.accepted
    if original is None:
        return []
    try:
        tries = await paraphrase(seed, original, trajectory.brief, roles, options)
    except CallFailed as failed:
        return str(failed)
    for tried in tries:
        watch(tried)
    return tries
