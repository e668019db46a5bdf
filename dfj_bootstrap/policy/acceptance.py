"""When a candidate is good enough at being as good, or as bad, as was asked."""

from __future__ import annotations

from collections.abc import Mapping

from dfj_bootstrap.domain.rationale import Label, answers_its_level
from dfj_bootstrap.domain.trajectory import Round

OFF_LEVEL = "off_level"
"""The evaluator's rating never came within the threshold of the intended one."""

OFF_CLASS = "off_class"
"""The rating fits, but the text answers a class that a rationale of this level must not answer."""

OFF_LADDER = "off_ladder"
"""The ladder as a whole never passed the image-level gate, or one of its levels could not be had."""


def verdict(label: Label, level: int, round_: Round, threshold: int) -> str:
    """Judge one round against the per-level gate of the paper: |r − r̂| ≤ α, and the level's answer class.

    Returns:
        An empty string where the round is accepted, else ``off_level`` or ``off_class``.
    """
    if round_.evaluation is None or abs(level - round_.evaluation.rating) > threshold:
        return OFF_LEVEL
    if not answers_its_level(label, level, round_.candidate.rationale.answer):
        return OFF_CLASS
    return ""


def off_levels(label: Label, latest: Mapping[int, Round], threshold: int) -> frozenset[int]:
    """Judge a whole ladder against the image-level gate: S = Σ|r − r̂| ≤ threshold accepts all levels.

    Args:
        latest: the last round of each written level.
        threshold: the largest S that passes.

    Returns:
        The levels that must go into the next round; empty where the ladder is accepted. A level whose
        answer class is wrong is off whatever S is.
    """
    distance = {level: _distance(level, round_) for level, round_ in latest.items()}
    off_class = {
        level
        for level, round_ in latest.items()
        if not answers_its_level(label, level, round_.candidate.rationale.answer)
    }
    if sum(distance.values()) <= threshold:
        return frozenset(off_class)
    return frozenset(off_class | {level for level, d in distance.items() if d > 0})


def _distance(level: int, round_: Round) -> int:
    if round_.evaluation is None:
        raise ValueError("an unrated round has no distance from its level")
    return abs(level - round_.evaluation.rating)
