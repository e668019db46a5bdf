"""The metrics as functions of sums, for many resamples at once; ``[resamples, columns]`` → ``[resamples]``.

Values come from scikit-learn and scipy, which take rows; resampled a thousand times they would take minutes.
That both say the same is a test (``test_scoring_formulas.py``).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dfj_bootstrap.scoring.bootstrap import Floats

_NO_SPREAD = 1e-12
"""A variance below this part of the mean square is rounding."""


def moments(x: npt.ArrayLike, y: npt.ArrayLike, among: npt.ArrayLike) -> tuple[Floats, ...]:
    """The columns that the functions below work on: n, Σx, Σy, Σx², Σy², Σxy over some rows."""
    used = np.asarray(among, np.float64)
    x = np.where(used > 0, x, 0).astype(np.float64)
    y = np.where(used > 0, y, 0).astype(np.float64)
    return used, x, y, x * x, y * y, x * y


def mse(sums: Floats) -> Floats:
    """Mean squared difference of x and y."""
    n, _, _, xx, yy, xy = sums.T
    squares: Floats = np.maximum(xx + yy - 2 * xy, 0) / n
    return squares


def rmse(sums: Floats) -> Floats:
    """Its root."""
    root: Floats = np.sqrt(mse(sums))
    return root


def bias(sums: Floats) -> Floats:
    """Mean of y − x."""
    n, x, y, *_ = sums.T
    mean: Floats = (y - x) / n
    return mean


def pearson(sums: Floats) -> Floats:
    """Correlation of x and y."""
    n, x, y, xx, yy, xy = sums.T
    spread_x, spread_y = _spread(n, x, xx), _spread(n, y, yy)
    correlation: Floats = (xy / n - x * y / n**2) / np.sqrt(spread_x * spread_y)
    return correlation


def kappa_quadratic(sums: Floats) -> Floats:
    """Cohen's κ with weights (x − y)²: one minus the squares there are over those of independent x and y."""
    n, x, y, xx, yy, _ = sums.T
    by_chance = xx / n + yy / n - 2 * x * y / n**2
    return 1 - mse(sums) / np.where(by_chance > _NO_SPREAD, by_chance, np.nan)


def _spread(n: Floats, total: Floats, squares: Floats) -> Floats:
    spread = squares / n - (total / n) ** 2
    return np.where(spread > _NO_SPREAD * squares / n, spread, np.nan)


def spearman(cells: Floats) -> Floats:
    """Rank correlation from the cells of a square table of values in ascending order."""
    side = round(cells.shape[1] ** 0.5)
    table = cells.reshape(-1, side, side)
    rows, columns = table.sum(axis=2), table.sum(axis=1)
    x, y = _middle_ranks(rows), _middle_ranks(columns)
    xy = np.einsum("rij,ri,rj->r", table, x, y)
    n = rows.sum(axis=1)
    return pearson(
        np.stack(
            [
                n,
                (rows * x).sum(axis=1),
                (columns * y).sum(axis=1),
                (rows * x**2).sum(axis=1),
                (columns * y**2).sum(axis=1),
                xy,
            ],
            axis=1,
        )
    )


def _middle_ranks(counts: Floats) -> Floats:
    """The rank that all who share a value have, counted from the middle, for smaller numbers."""
    ranks: Floats = np.cumsum(counts, axis=1) - counts / 2 - counts.sum(axis=1, keepdims=True) / 2
    return ranks


def kappa(cells: Floats) -> Floats:
    """Cohen's κ from the cells of a square table."""
    side = round(cells.shape[1] ** 0.5)
    table = cells.reshape(-1, side, side)
    n = table.sum(axis=(1, 2))
    agreed = np.trace(table, axis1=1, axis2=2) / n
    by_chance = (table.sum(axis=2) * table.sum(axis=1)).sum(axis=1) / n**2
    corrected: Floats = (agreed - by_chance) / np.where(by_chance < 1 - _NO_SPREAD, 1 - by_chance, np.nan)
    return corrected


def f1(sums: Floats) -> Floats:
    """F1 of a class from its hits, those called so, and those that are so."""
    hits, called, true = sums.T
    mean: Floats = 2 * hits / (called + true)
    return mean


def difference_of_shares(sums: Floats) -> Floats:
    """First minus second column, over the third."""
    return (sums[:, 0] - sums[:, 1]) / sums[:, 2]


def mean_of_shares(sums: Floats) -> Floats:
    """The mean of several shares: first the hits of each, then the rows of each."""
    parts = sums.shape[1] // 2
    mean: Floats = (sums[:, :parts] / sums[:, parts:]).mean(axis=1)
    return mean
