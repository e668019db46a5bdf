"""How far people agree with each other, and a judge with them.

All pairs of ratings of one item count, each once. κ is chance-corrected by how often each value is given at
all: Fleiss' κ where every item has as many raters. For scores it is weighted by squares. Of choices, the
pairs in which both decide for one text count once more by themselves (``decisive``).

A judge's choice is compared with each person's; its score with each person's, and its errors are against the
mean of theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from dfj_bootstrap.domain.rationale import LEVELS
from dfj_bootstrap.scoring import formulas
from dfj_bootstrap.scoring.bootstrap import ByImage, Floats, Measure, share, undefined
from dfj_bootstrap.scoring.facts import DECISIVE, SIDES, Task
from dfj_bootstrap.scoring.humans import Humans
from dfj_bootstrap.scoring.longer import scores_by_length
from dfj_bootstrap.scoring.pairwise import longer_side
from dfj_bootstrap.scoring.rows import PairwiseRow, PointwiseRow
from dfj_bootstrap.scoring.scores import Scores, numbers

_NO_PAIRS = "no item has two ratings"
_NONE = -1

_OF_BASELINES = ("raw_agreement", "kappa", "decisive.raw_agreement", "rmse")

Rated = PointwiseRow | PairwiseRow
"""What people rate."""

Compared = tuple[str, int | str, int | str | None]
"""An item's picture, one person's rating, and another's or the judge's; None where that isn't usable."""


def raters_measures(humans: Humans, task: Task, images: dict[str, str]) -> dict[str, Measure]:
    """How far people agree with each other.

    Args:
        images: the picture of each item, where the predictions tell it.
    """
    pairs: list[Compared] = [
        (images.get(id_) or ratings.image or id_, *pair)
        for id_, ratings in sorted(humans.items())
        for pair in combinations([value for _, value in sorted(ratings.by_rater.items())], 2)
    ]
    if not pairs:
        return dict.fromkeys(("raw_agreement", "kappa"), undefined(ByImage([""]), _NO_PAIRS))
    table = _Table.of(pairs, task, mutual=True)
    return table.measures() | ({"mse": table.mse()} if task is Task.POINTWISE else {})


def judge_measures(rows: Sequence[Rated], humans: Humans, task: Task) -> dict[str, Measure]:
    """How far a judge agrees with people, over the rows that people rated; and how far one would that looks
    at no picture: who always says what people say most often, and who goes by length."""
    rated = [row for row in rows if row.id in humans and humans[row.id].by_rater]
    if not rated:
        return {}
    measures = _beside_people(rated, [_said(row) for row in rated], humans, task)
    for name, answers in _baselines(rated, humans).items():
        found = _beside_people(rated, answers, humans, task)
        measures |= {
            f"baselines.{name}.{metric}": found[metric] for metric in found if metric in _OF_BASELINES
        }
    return measures


def _beside_people(
    rated: Sequence[Rated], said: Sequence[int | str | None], humans: Humans, task: Task
) -> dict[str, Measure]:
    pairs: list[Compared] = [
        (row.image, value, answer)
        for row, answer in zip(rated, said, strict=True)
        for _, value in sorted(humans[row.id].by_rater.items())
    ]
    measures = _Table.of(pairs, task, mutual=False).measures()
    if task is not Task.POINTWISE:
        return measures
    means = np.array([np.mean([int(value) for value in humans[row.id].by_rater.values()]) for row in rated])
    scores = numbers(int(answer) if answer else None for answer in said)
    return measures | Scores(ByImage([row.image for row in rated]), means, scores).errors()


def _said(row: Rated) -> int | str | None:
    return row.score if isinstance(row, PointwiseRow) else row.answer


def _baselines(rated: Sequence[Rated], humans: Humans) -> dict[str, list[int | str | None]]:
    counts = Counter(value for row in rated for value in humans[row.id].by_rater.values())
    commonest = min(counts, key=lambda value: (-counts[value], str(value)))
    scores = scores_by_length([row for row in rated if isinstance(row, PointwiseRow)])
    sides = [longer_side(row) for row in rated if isinstance(row, PairwiseRow)]
    return {
        "constant": [commonest] * len(rated),
        "longer": [*(int(score) or None for score in scores), *sides],
    }


@dataclass(frozen=True)
class _Table:
    """Two columns of values, by their places among all values; −1 in the second one is none.

    Attributes:
        decided: how many of the values, from the first, decide for one text.
        mutual: the two columns are of one kind: each pair stands once, and either may come first.
    """

    by_image: ByImage
    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    side: int
    decided: int
    mutual: bool

    @classmethod
    def of(cls, pairs: Sequence[Compared], task: Task, *, mutual: bool) -> _Table:
        pointwise = task is Task.POINTWISE
        places: dict[Any, int] = {value: i for i, value in enumerate(LEVELS if pointwise else SIDES)}
        first = np.array([places[a] for _, a, _ in pairs])
        second = np.array([places.get(b, _NONE) for _, _, b in pairs])
        decided = 0 if pointwise else len(DECISIVE)
        return cls(ByImage([image for image, *_ in pairs]), first, second, len(places), decided, mutual)

    def measures(self) -> dict[str, Measure]:
        everything = np.ones(len(self.first), np.bool_)
        measures = self._agreement(everything, "")
        if self.decided:
            decided = (self.first < self.decided) & (self.second < self.decided)
            measures |= self._agreement(decided, "decisive.")
        return measures

    def mse(self) -> Measure:
        """Mean squared difference of two ratings."""
        value = float(np.mean((self.first - self.second) ** 2))
        return Measure(value, len(self.first), self._moments(self.second > _NONE), formulas.mse)

    def _agreement(self, among: npt.NDArray[np.bool_], prefix: str) -> dict[str, Measure]:
        hits = self.first == self.second
        raw = share(self.by_image, hits, among, "nobody decided for one text")
        return {f"{prefix}raw_agreement": raw, f"{prefix}kappa": self._kappa(among & (self.second > _NONE))}

    def _kappa(self, among: npt.NDArray[np.bool_]) -> Measure:
        n = int(among.sum())
        x, y = self.first[among], self.second[among]
        if len({*x.tolist(), *y.tolist()}) < 2:
            return undefined(self.by_image, "all said the same: they agree by chance" if n else "no pairs", n)
        if self.mutual:
            x, y = np.concatenate([x, y]), np.concatenate([y, x])
        weights = None if self.decided else "quadratic"
        value = metrics.cohen_kappa_score(x, y, labels=range(self.side), weights=weights)
        sums = self._cells(among) if self.decided else self._moments(among)
        return Measure(float(value), n, sums, formulas.kappa if self.decided else formulas.kappa_quadratic)

    def _cells(self, among: npt.NDArray[np.bool_]) -> Floats:
        cells = self.by_image.cells(self.first * self.side + self.second, self.side**2, among)
        if not self.mutual:
            return cells
        table = cells.reshape(-1, self.side, self.side)
        both: Floats = table + table.transpose(0, 2, 1)
        return both.reshape(cells.shape)

    def _moments(self, among: npt.NDArray[np.bool_]) -> Floats:
        there = self.by_image.sums(*formulas.moments(self.first, self.second, among))
        if not self.mutual:
            return there
        back: Floats = there + self.by_image.sums(*formulas.moments(self.second, self.first, among))
        return back
