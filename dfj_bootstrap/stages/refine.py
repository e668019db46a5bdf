"""The refinement loop: the paper's algorithm, and nothing else. Read this first.

For a brief (seed × intended rating r) the generator writes a rationale; the evaluator, which isn't told r,
rates it r̂ and says why; within the threshold it is accepted, else the generator rewrites it with the
feedback, for at most ``max_rounds`` rounds.

There is no persistence here: to resume, the same code runs again, and the roles answer from the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from dfj_bootstrap.domain.rationale import Rationale
from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.domain.trajectory import (
    Accepted,
    Brief,
    Failed,
    Rejected,
    Round,
    Trajectory,
    TrajectoryOutcome,
)
from dfj_bootstrap.errors import CallFailed, Unusable
from dfj_bootstrap.policy import acceptance
from dfj_bootstrap.stages.protocols import Roles


async def refine(
    seed: Seed, gold: Rationale, brief: Brief, roles: Roles, *, threshold: int, max_rounds: int
) -> list[Trajectory]:
    """Run the loop for one level on its own (gate ``per-level``): accepted where |r − r̂| ≤ threshold."""
    rounds: list[Round] = []
    reason = acceptance.OFF_LEVEL
    for _ in range(max_rounds):
        problem = await _turn(seed, gold, brief, roles, rounds)
        if problem:
            return [Trajectory(brief, tuple(rounds), problem)]
        reason = acceptance.verdict(seed.label, brief.level, rounds[-1], threshold)
        if not reason:
            outcome = await accept(seed, gold, brief.level, rounds[-1], roles)
            return [Trajectory(brief, tuple(rounds), outcome)]
    return [Trajectory(brief, tuple(rounds), Rejected(reason))]


async def refine_ladder(
    seed: Seed, gold: Rationale, briefs: Sequence[Brief], roles: Roles, *, threshold: int, max_rounds: int
) -> list[Trajectory]:
    """Run the loop for a whole ladder (gate ``image-mad``): accepted together where Σ|r − r̂| ≤ threshold.

    This is the one place where levels wait for each other. Only levels that are off go into the next
    round; a ladder that never passes, or in which one level can't be had, is rejected whole.
    """
    rounds: dict[int, list[Round]] = {brief.level: [] for brief in briefs}
    off = frozenset(rounds)
    for _ in range(max_rounds):
        async with asyncio.TaskGroup() as group:
            turns = {
                brief: group.create_task(_turn(seed, gold, brief, roles, rounds[brief.level]))
                for brief in briefs
                if brief.level in off
            }
        problems = {brief.level: task.result() for brief, task in turns.items() if task.result()}
        if problems:
            return [_ended(brief, rounds, problems) for brief in briefs]
        off = acceptance.off_levels(seed.label, {level: r[-1] for level, r in rounds.items()}, threshold)
        if not off:
            return [await _accepted(seed, gold, brief, rounds[brief.level], roles) for brief in briefs]
    return [_ended(brief, rounds, {}) for brief in briefs]


async def accept(seed: Seed, gold: Rationale, level: int, round_: Round, roles: Roles) -> TrajectoryOutcome:
    """Settle what the judge's target for an accepted candidate says.

    It is the evaluator's feedback where that argues for this very level, else (α > 0, a gold rated low)
    the evaluator is asked to argue for the level that the candidate was accepted at.
    """
    evaluation = round_.evaluation
    if evaluation is not None and evaluation.rating == level:
        return Accepted(evaluation.feedback)
    try:
        return Accepted(await roles.evaluator.justify(seed, gold, round_.candidate.rationale, level))
    except Unusable as unusable:
        return Rejected(unusable.reason, unusable.raw)
    except CallFailed as failed:
        return Failed(str(failed))


async def _turn(
    seed: Seed, gold: Rationale, brief: Brief, roles: Roles, rounds: list[Round]
) -> Rejected | Failed | None:
    """Append one round to ``rounds``; a candidate that could not be rated stays there, unrated."""
    try:
        candidate = await roles.generator.generate(seed, gold, brief, tuple(rounds))
        rounds.append(Round(len(rounds), candidate))
        evaluation = await roles.evaluator.evaluate(seed, gold, candidate.rationale, rounds[-1].index)
        rounds[-1] = replace(rounds[-1], evaluation=evaluation)
    except Unusable as unusable:
        return Rejected(unusable.reason, unusable.raw)
    except CallFailed as failed:
        return Failed(str(failed))
    return None


async def _accepted(
    seed: Seed, gold: Rationale, brief: Brief, rounds: list[Round], roles: Roles
) -> Trajectory:
    return Trajectory(brief, tuple(rounds), await accept(seed, gold, brief.level, rounds[-1], roles))


def _ended(
    brief: Brief, rounds: dict[int, list[Round]], problems: dict[int, Rejected | Failed | None]
) -> Trajectory:
    """One level of a ladder that did not pass: its own problem, another level's failure, or the gate."""
    failure = next((p for p in problems.values() if isinstance(p, Failed)), None)
    outcome = problems.get(brief.level) or failure or Rejected(acceptance.OFF_LADDER)
    return Trajectory(brief, tuple(rounds[brief.level]), outcome)
