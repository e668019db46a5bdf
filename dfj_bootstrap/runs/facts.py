"""How often levels were started over on request: facts of the journal, so that replay does it too."""

from __future__ import annotations

from collections.abc import Mapping

from dfj_bootstrap.domain.rationale import LEVELS
from dfj_bootstrap.domain.trajectory import Ladder, Rejected
from dfj_bootstrap.runs.journal import Records


def samples_of(journal: Records, seed_id: str) -> dict[int, int]:
    """Level → how often work on it was started over."""
    samples = dict.fromkeys(LEVELS, 0)
    for level in LEVELS:
        while journal.get(_key(seed_id, level, samples[level] + 1)) is not None:
            samples[level] += 1
    return samples


def start_over(journal: Records, ladder: Ladder, samples: Mapping[int, int]) -> None:
    """Have every rejected level of a ladder tried again."""
    for trajectory in ladder.trajectories:
        level = trajectory.brief.level
        if isinstance(trajectory.outcome, Rejected):
            journal.append(_key(ladder.seed_id, level, samples[level] + 1), True)


def _key(seed_id: str, level: int, sample: int) -> str:
    return f"start-over:{level}:{sample}:{seed_id}"
