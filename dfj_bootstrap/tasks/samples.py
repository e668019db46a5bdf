"""How often levels were started over on request: facts of the journal, so that replay does it too."""

from __future__ import annotations

from collections.abc import Mapping

from dfj_bootstrap.domain.rationale import LEVELS
from dfj_bootstrap.domain.trajectory import Ladder, Rejected
from dfj_bootstrap.storage.facts import START_OVER, add_fact, facts_about
from dfj_bootstrap.storage.journal import Records


def samples_of(journal: Records, seed_id: str) -> Mapping[int, int]:
    """Level → how often work on it was started over."""
    return {level: len(facts_about(journal, START_OVER, seed_id, level)) for level in LEVELS}


def start_over(journal: Records, ladder: Ladder) -> None:
    """Have every rejected level of a ladder tried again."""
    for trajectory in ladder.trajectories:
        if isinstance(trajectory.outcome, Rejected):
            add_fact(journal, START_OVER, ladder.seed_id, trajectory.brief.level, True)
