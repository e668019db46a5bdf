"""Does the longer text win, and should it? Judges take length for quality, and it must not be.

Two texts about one picture are a pair where both their scores and their levels differ, and their lengths: so
who wins and who should is asked of the same pairs. Lengths are in characters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dfj_bootstrap.domain.rationale import LEVELS
from dfj_bootstrap.scoring.bootstrap import ByImage, Floats, Measure, ratio, undefined
from dfj_bootstrap.scoring.formulas import difference_of_shares
from dfj_bootstrap.scoring.rows import PointwiseRow

_COMPARED = 200
"""The most texts of one picture that are paired with each other: beyond, pairs would outgrow memory."""

NO_PAIRS = "no two texts about one picture, with levels, scores and lengths that differ"


def length_measures(rows: Sequence[PointwiseRow], by_image: ByImage) -> dict[str, Measure]:
    """How often the longer of two texts got the higher score, how often it should, and the difference."""
    sums = np.zeros((by_image.count, 3))
    columns = np.array([(r.length or 0, r.score or 0, r.level or 0) for r in rows], np.int64).reshape(-1, 3)
    complete = (columns > 0).all(axis=1)
    for image, places in _by_image(by_image.codes, np.asarray(complete, np.bool_)):
        sums[image] = _wins(columns[places[:_COMPARED]])
    return bias_measures(by_image, sums, NO_PAIRS)


def bias_measures(by_image: ByImage, sums: Floats, why: str) -> dict[str, Measure]:
    """Three figures from columns ``[longer wins, longer should, pairs]``."""
    wins, should, n = sums.sum(axis=0)
    names = ("longer_wins", "longer_should", "length_bias")
    if not n:
        return {name: undefined(by_image, why) for name in names}
    return {
        "longer_wins": Measure(wins / n, int(n), sums[:, [0, 2]], ratio, share=True),
        "longer_should": Measure(should / n, int(n), sums[:, [1, 2]], ratio, share=True),
        "length_bias": Measure((wins - should) / n, int(n), sums, difference_of_shares),
    }


def scores_by_length(rows: Sequence[PointwiseRow]) -> Floats:
    """What a judge would say that only measures: a picture's texts by length, in fifths; 0 is no score."""
    lengths = np.array([row.length or 0 for row in rows])
    by_image = ByImage([row.image for row in rows])
    scores = np.zeros(len(rows))
    for _, places in _by_image(by_image.codes, lengths > 0):
        order = np.argsort(lengths[places], kind="stable")
        scores[places[order]] = 1 + np.arange(len(places)) * len(LEVELS) // len(places)
    return scores


def _by_image(
    codes: npt.NDArray[np.int64], among: npt.NDArray[np.bool_]
) -> list[tuple[int, npt.NDArray[np.int64]]]:
    """Which of some rows belong to each image that has at least two of them."""
    places = np.flatnonzero(among)
    places = places[np.argsort(codes[places], kind="stable")]
    images, starts = np.unique(codes[places], return_index=True)
    groups = zip(images.tolist(), np.split(places, starts[1:]), strict=False)  # of no rows, one empty group
    return [(image, group) for image, group in groups if len(group) > 1]


def _wins(columns: npt.NDArray[np.int64]) -> tuple[int, int, int]:
    first, second = np.triu_indices(len(columns), 1)
    length, score, level = np.sign(columns[first] - columns[second]).T
    counts = (length != 0) & (score != 0) & (level != 0)
    return int((counts & (score == length)).sum()), int((counts & (level == length)).sum()), int(counts.sum())
