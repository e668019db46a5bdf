"""The books of generation: seeds, trajectories by level, paraphrases; and how people are told of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dfj_bootstrap.domain.rationale import LEVELS, WRITTEN_LEVELS
from dfj_bootstrap.domain.trajectory import Accepted, Ladder, Paraphrase, Rejected, Trajectory
from dfj_bootstrap.storage.ledger import Ledger, Tally, Unit


class GenerationLedger(Ledger):
    """Besides the units: ``level.N.OUTCOME``, ``level.N.rounds``, ``rejected.REASON``, ``gold_low`` …"""

    def lines(self, figures: Mapping[str, Any], tally: Mapping[str, float]) -> list[str]:
        words = figures["paraphrases"]
        lines = [
            self.items_line(figures),
            self.unit_line(TRAJECTORIES, figures),
            *_level_lines(tally),
            f"paraphrases  {words['accepted']} accepted, {words['rejected']} tries rejected",
            *_reason_line("rejected", "trajectories were rejected for", tally),
            *_reason_line("paraphrase_rejected", "paraphrase tries were rejected for", tally),
        ]
        if tally.get("gold_low"):
            lines.append(
                f"gold         {int(tally['gold_low'])} gold rationales were rated below 5: "
                "gold_low in tables/trajectories"
            )
        return lines

    def glimpse(self, tally: Mapping[str, float]) -> Sequence[str]:
        by_level = " ".join(
            f"L{level} {_of_level(tally, level, 'accepted')}✓{_of_level(tally, level, 'rejected')}✗"
            for level in WRITTEN_LEVELS
        )
        sums = [f"{int(tally.get('paraphrases.accepted', 0))} paraphrases"]
        if tally.get("trajectories.failed"):
            sums.append(f"{int(tally['trajectories.failed'])} failed")
        return [by_level, ", ".join(sums)]


TRAJECTORIES = Unit("trajectories", ("accepted", "rejected", "failed"), len(LEVELS), "levels")

GENERATION = GenerationLedger(
    (
        Unit("seeds", ("complete", "incomplete", "failed")),
        TRAJECTORIES,
        Unit("paraphrases", ("accepted", "rejected"), 0),
    ),
    unsettled=("seeds.failed",),
    doing="growing ladders",
)


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


def _of_level(tally: Mapping[str, float], level: int, what: str) -> int:
    return int(tally.get(f"level.{level}.{what}", 0))


def _level_lines(tally: Mapping[str, float]) -> list[str]:
    lines = []
    for level in LEVELS:
        accepted, rejected = (int(tally.get(f"level.{level}.{o}", 0)) for o in ("accepted", "rejected"))
        done = accepted + rejected
        if done:
            rounds = tally.get(f"level.{level}.rounds", 0) / done
            lines.append(
                f"  level {level}    {accepted} accepted, {rejected} rejected, {rounds:.2f} rounds on average"
            )
    return lines


def _reason_line(kind: str, words: str, tally: Mapping[str, float]) -> list[str]:
    reasons = {k.split(".", 1)[1]: int(v) for k, v in tally.items() if k.startswith(f"{kind}.") and v}
    if not reasons:
        return []
    listed = ", ".join(f"{reason} ({n})" for reason, n in sorted(reasons.items(), key=lambda r: -r[1]))
    return [f"             {words} {listed}"]
