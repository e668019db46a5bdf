"""The books: counts that add up over seeds, partitions and workers, and the check that they balance.

A tally is a plain counter with keys such as ``seeds.complete``, ``level.3.rejected`` or ``calls.answered``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeAlias

from dfj_bootstrap.domain.rationale import LEVELS
from dfj_bootstrap.domain.trajectory import Accepted, Ladder, Paraphrase, Rejected, Trajectory

Tally: TypeAlias = Counter[str]
"""Counts by dotted key; those that begin with ``cost`` are in USD and aren't whole."""

SEED_OUTCOMES = ("complete", "incomplete", "failed")
TRAJECTORY_OUTCOMES = ("accepted", "rejected", "failed")

DAMAGED = "damaged."
"""Before the place of a journal's line that could not be read."""

OF_ONE_START = ("calls.replayed", "calls.failed", "calls.stopped")
"""Counts that say something of one start only, not of the run's whole life."""


def tally_trajectory(trajectory: Trajectory) -> Tally:
    """One trajectory, by outcome, by level and by the reason of a rejection."""
    outcome = trajectory_outcome(trajectory)
    tally: Tally = Counter()
    tally[f"trajectories.{outcome}"] += 1
    tally[f"level.{trajectory.brief.level}.{outcome}"] += 1
    tally[f"level.{trajectory.brief.level}.rounds"] += len(trajectory.rounds)
    if isinstance(trajectory.outcome, Rejected):
        tally[f"rejected.{trajectory.outcome.reason}"] += 1
    return tally


def tally_paraphrase(paraphrase: Paraphrase) -> Tally:
    """One tried paraphrase, by outcome and by the signal that refused it."""
    if paraphrase.accepted:
        return Counter({"paraphrases.accepted": 1})
    return Counter({"paraphrases.rejected": 1, f"paraphrase_rejected.{paraphrase.reason}": 1})


def tally_seed(ladder: Ladder) -> Tally:
    """One finished seed, without what its parts have said already."""
    tally: Tally = Counter({f"seeds.{ladder.outcome}": 1})
    if ladder.gold_low:
        tally["gold_low"] += 1
    return tally


def trajectory_outcome(trajectory: Trajectory) -> str:
    """The outcome's word in tables and books."""
    if isinstance(trajectory.outcome, Accepted):
        return "accepted"
    return "rejected" if isinstance(trajectory.outcome, Rejected) else "failed"


def books(tally: Tally, total: int, refused: int) -> dict[str, Any]:
    """The figures of ``dfj status``: what is done, and what is pending, of ``total`` good rows."""
    seeds = {outcome: tally[f"seeds.{outcome}"] for outcome in SEED_OUTCOMES}
    briefs = {outcome: tally[f"trajectories.{outcome}"] for outcome in TRAJECTORY_OUTCOMES}
    return {
        "seeds": {"total": total, **seeds, "pending": total - sum(seeds.values()), "refused": refused},
        "trajectories": {**briefs, "pending": total * len(LEVELS) - sum(briefs.values())},
        "paraphrases": {o: tally[f"paraphrases.{o}"] for o in ("accepted", "rejected")},
        "calls": {o: tally[f"calls.{o}"] for o in ("answered", "replayed", "retried")},
        "tokens": {o: tally[f"tokens.{o}"] for o in ("input", "output", "cached")},
        "cost_usd": round(float(tally["cost_usd"]), 6),
        "maybe_usd": round(float(tally["cost_maybe_usd"]), 6),
        "estimated": {
            key.split(".", 1)[1]: int(n) for key, n in tally.items() if key.startswith("estimated.") and n
        },
        "costs": costs_by_level(tally),
        "refusals": refusals(tally),
    }


def costs_by_level(tally: Tally) -> dict[str, dict[str, float]]:
    """USD by role and level; ``any`` where a role isn't told a level."""
    costs: dict[str, dict[str, float]] = {}
    for key in sorted(tally):
        if key.startswith("cost.") and round(tally[key], 6):
            _, role, level = key.split(".")
            costs.setdefault(role, {})[level] = round(float(tally[key]), 6)
    return costs


def refusals(tally: Tally) -> dict[str, dict[str, dict[str, int]]]:
    """Answers that were refused, by model, level (``any`` for a rating) and label."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for key in sorted(tally):
        if key.startswith("refused_by.") and tally[key]:
            _, named = key.split(".", 1)
            model, level, label = named.rsplit(".", 2)  # a model's name may hold dots
            found.setdefault(model, {}).setdefault(level, {})[label] = int(tally[key])
    return found


def damaged_lines(tally: Mapping[str, float]) -> list[str]:
    """Where lines of the journal could not be read, as ``part-0003/epoch-000001.jsonl line 17``."""
    return sorted(key.removeprefix(DAMAGED) for key in tally if key.startswith(DAMAGED) and tally[key])


def imbalance(tally: Tally, recorded: Tally, total: int) -> str:
    """What does not add up at the end of a run, or an empty string.

    Every good row must have an outcome, every one of its five levels too, and what was reported while the
    work went on must be what the partitions have recorded.

    Args:
        tally: the sum of what was reported.
        recorded: the sum of the part records.
        total: good rows that were to be worked on.
    """
    seeds = sum(tally[f"seeds.{outcome}"] for outcome in SEED_OUTCOMES)
    briefs = sum(tally[f"trajectories.{outcome}"] for outcome in TRAJECTORY_OUTCOMES)
    if seeds != total:
        return f"{total} seeds were read but {seeds} have an outcome"
    if briefs != total * len(LEVELS):
        return f"{total} seeds have {total * len(LEVELS)} levels but {briefs} of them have an outcome"
    for key in tally.keys() | recorded.keys():
        if not key.startswith("cost") and tally[key] != recorded[key] and key not in OF_ONE_START:
            return f"{key}: {tally[key]} were reported but {recorded[key]} recorded"
    return ""
