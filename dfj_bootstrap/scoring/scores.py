"""Scores beside what they should be: errors, correlations and agreement of two columns of ratings.

Errors and correlations are over the usable rows; shares are over all rows of which the right score is known,
so that a row without a usable score is wrong there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import pearsonr, spearmanr
from sklearn import metrics

from dfj_bootstrap.domain.rationale import LEVELS
from dfj_bootstrap.scoring import formulas
from dfj_bootstrap.scoring.bootstrap import ByImage, Floats, Formula, Measure, ratio, share, undefined

NO_TRUTH = "no row says what its score should be"
NO_SCORE = "no row has a usable prediction"

Bools = npt.NDArray[np.bool_]


def numbers(values: Iterable[float | None]) -> Floats:
    """Ratings as an array, 0 where there is none."""
    return np.array([value or 0 for value in values], dtype=np.float64)


@dataclass(frozen=True)
class Scores:
    """Two columns of ratings; 0 stands for none.

    Attributes:
        right: what the scores should be; a mean of several people's need not be whole.
    """

    by_image: ByImage
    right: Floats
    scores: Floats

    @property
    def known(self) -> Bools:
        return self.right > 0

    @property
    def usable(self) -> Bools:
        return self.known & (self.scores > 0)

    def measures(self) -> dict[str, Measure]:
        """All figures of whole scores."""
        return self.errors() | self.shares() | self.by_ranks() | self.bias_by_level()

    def errors(self) -> dict[str, Measure]:
        """What needs no whole numbers: rmse, mse, mae, bias and Pearson's correlation."""
        return {
            "rmse": self._of_moments(metrics.root_mean_squared_error, formulas.rmse),
            "mse": self._of_moments(metrics.mean_squared_error, formulas.mse),
            "mae": self._mean(np.abs(self.scores - self.right), self.usable),
            "bias": self._mean(self.scores - self.right, self.usable),
            "pearson": self._correlation(pearsonr, formulas.pearson, self._moments()),
        }

    def shares(self) -> dict[str, Measure]:
        """How often the score is right, and how often it is at most one off."""
        off = np.where(self.scores > 0, np.abs(self.scores - self.right), np.inf)
        return {
            "exact": share(self.by_image, off == 0, self.known, NO_TRUTH),
            "within_1": share(self.by_image, off <= 1, self.known, NO_TRUTH),
        }

    def by_ranks(self) -> dict[str, Measure]:
        """Spearman's correlation and quadratically weighted κ."""
        cells = self.by_image.cells(self.codes(), len(LEVELS) ** 2, self.usable)
        return {
            "spearman": self._correlation(spearmanr, formulas.spearman, cells),
            "kappa_quadratic": self.kappa_quadratic(),
        }

    def kappa_quadratic(self) -> Measure:
        """Cohen's κ, a difference of d weighing d²."""
        x, y = self.right[self.usable], self.scores[self.usable]
        if len(x) and np.ptp(x) == np.ptp(y) == 0 and x[0] == y[0]:
            return undefined(self.by_image, "there is one score only: all agree by chance", len(x))
        return self._of_moments(_kappa_quadratic, formulas.kappa_quadratic)

    def bias_by_level(self) -> dict[str, Measure]:
        """Mean of score − level, for each level."""
        off = self.scores - self.right
        return {
            f"bias_by_level.{level}": self._mean(off, self.usable & (self.right == level)) for level in LEVELS
        }

    def codes(self) -> npt.NDArray[np.int64]:
        """The cell of each row in a table of right scores by scores."""
        return ((self.right - 1) * len(LEVELS) + self.scores - 1).astype(np.int64)

    def _moments(self) -> Floats:
        return self.by_image.sums(*formulas.moments(self.right, self.scores, self.usable))

    def _of_moments(self, library: Callable[[Floats, Floats], float], formula: Formula) -> Measure:
        x, y = self.right[self.usable], self.scores[self.usable]
        if not len(x):
            return self._none()
        return Measure(float(library(x, y)), len(x), self._moments(), formula)

    def _correlation(self, library: Callable[..., object], formula: Formula, sums: Floats) -> Measure:
        x, y = self.right[self.usable], self.scores[self.usable]
        if not len(x):
            return self._none()
        for values, what in ((x, "right scores"), (y, "scores")):
            if np.ptp(values) == 0:
                return undefined(self.by_image, f"all {what} are the same", len(x))
        return Measure(float(library(x, y).statistic), len(x), sums, formula)  # type: ignore[attr-defined]

    def _mean(self, values: Floats, among: Bools) -> Measure:
        n = int(among.sum())
        if not n:
            return self._none()
        return Measure(
            float(values[among].mean()), n, self.by_image.sums(np.where(among, values, 0), among), ratio
        )

    def _none(self) -> Measure:
        return undefined(self.by_image, NO_SCORE if self.known.any() else NO_TRUTH)


def _kappa_quadratic(x: Floats, y: Floats) -> float:
    return float(metrics.cohen_kappa_score(x, y, labels=LEVELS, weights="quadratic"))
