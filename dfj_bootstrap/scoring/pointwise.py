"""Scores against levels: the figures of the pointwise table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dfj_bootstrap.domain.rationale import LEVELS
from dfj_bootstrap.scoring.bootstrap import ByImage, Floats, Measure, undefined
from dfj_bootstrap.scoring.longer import length_measures, scores_by_length
from dfj_bootstrap.scoring.rows import PointwiseRow
from dfj_bootstrap.scoring.scores import Scores, numbers

_OF_BASELINES = ("exact", "within_1", "kappa_quadratic", "rmse")


def pointwise_measures(rows: Sequence[PointwiseRow]) -> dict[str, Measure]:
    """All figures, by name."""
    by_image = ByImage([row.image for row in rows])
    levels = numbers(row.level for row in rows)
    judged = Scores(by_image, levels, numbers(row.score for row in rows))
    return judged.measures() | length_measures(rows, by_image) | _baselines(rows, by_image, levels)


def _baselines(rows: Sequence[PointwiseRow], by_image: ByImage, levels: Floats) -> dict[str, Measure]:
    """What needs no picture: always the same score, and the longer the text the better."""
    constant = Scores(by_image, levels, np.full(len(rows), float(best_constant(levels))))
    measures = _of("constant", constant.measures())
    by_length = scores_by_length(rows)
    if not by_length.any():
        none = undefined(by_image, "no two rows show texts about one picture")
        return measures | _of("longer", dict.fromkeys(_OF_BASELINES, none))
    return measures | _of("longer", Scores(by_image, levels, by_length).measures())


def _of(baseline: str, measures: Mapping[str, Measure]) -> dict[str, Measure]:
    return {f"baselines.{baseline}.{metric}": measures[metric] for metric in _OF_BASELINES}


def best_constant(levels: Floats) -> int:
    """The one score that is right most often; of several, the one that is off least."""
    known = levels[levels > 0]

    def worth(level: int) -> tuple[int, float]:
        return int((known == level).sum()), -float(((known - level) ** 2).sum())

    return max(LEVELS, key=worth)


def confusion(rows: Sequence[PointwiseRow]) -> dict[str, Any]:
    """How often each level got each score; a row of ``counts`` per level, in ascending order."""
    counts = np.zeros((len(LEVELS) + 1, len(LEVELS) + 1), dtype=np.int64)
    np.add.at(counts, ([row.level or 0 for row in rows], [row.score or 0 for row in rows]), 1)
    return {
        "levels": list(LEVELS),
        "scores": list(LEVELS),
        "counts": counts[1:, 1:].tolist(),
        "unusable": counts[1:, 0].tolist(),
    }
