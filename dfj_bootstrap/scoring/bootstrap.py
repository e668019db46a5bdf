"""Intervals by the bootstrap over images, since the rows of one image are not independent.

Every figure is a function of sums over rows (counts, sums of squares, cells of a confusion matrix). So rows
are summed once for each image; a resample draws as many images as there are, with replacement, and a whole
resample is one product of a matrix of how often each image was drawn with the sums. The interval is from the
2.5th to the 97.5th percentile.

Where a share is exactly 0 or 1 every resample is too, and says nothing: the interval is Wilson's then, over
the images, as if all rows of an image went the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dfj_bootstrap.scoring.figures import Figure

Floats = npt.NDArray[np.float64]
Formula = Callable[[Floats], Floats]
"""From sums, ``[resamples, columns]``, to the figure in each resample; NaN where it is undefined there."""

RESAMPLES = 1000
RNG_SEED = 17

_LEAST_DEFINED = 0.95
"""The share of resamples in which a figure must be defined, else it has no interval."""

_DRAWN_AT_ONCE = 4_000_000
"""Images drawn at once, over all resamples of a batch: bounds memory to some 100 MB."""


@dataclass(frozen=True)
class Measure:
    """A figure's value, and how to have it in a resample.

    Attributes:
        value: None where it is undefined; ``why`` then says so.
        sums: ``[images, columns]``, what the formula works on.
        share: a proportion between 0 and 1.
    """

    value: float | None
    n: int
    sums: Floats
    formula: Formula
    why: str = ""
    share: bool = False


class ByImage:
    """Sums rows for each image. The order of the images is that of their names, whatever that of the rows."""

    def __init__(self, images: Sequence[str]) -> None:
        places = {name: place for place, name in enumerate(sorted(set(images)))}
        self.codes = np.array([places[name] for name in images], dtype=np.int64)
        self.count = len(places)

    def sums(self, *columns: npt.ArrayLike) -> Floats:
        """Columns over rows → ``[images, columns]``."""
        return np.stack(
            [np.bincount(self.codes, np.asarray(c, np.float64), self.count) for c in columns], axis=1
        )

    def cells(self, codes: npt.NDArray[np.int64], size: int, among: npt.NDArray[np.bool_]) -> Floats:
        """How often each of ``size`` codes stands among some rows → ``[images, size]``."""
        places = self.codes[among] * size + codes[among]
        return np.bincount(places, minlength=self.count * size).reshape(self.count, size).astype(np.float64)


def ratio(sums: Floats) -> Floats:
    """The first column over the second one."""
    return sums[:, 0] / sums[:, 1]


def share(by_image: ByImage, hits: npt.ArrayLike, among: npt.ArrayLike, why: str) -> Measure:
    """How large a part of some rows is hit.

    Args:
        why: what to say where there is no such row.
    """
    counted = np.asarray(among, np.bool_)
    hit = np.asarray(hits, np.float64) * counted
    n = int(counted.sum())
    value = float(hit.sum() / n) if n else None
    return Measure(value, n, by_image.sums(hit, counted), ratio, "" if n else why, share=True)


def undefined(by_image: ByImage, why: str, n: int = 0) -> Measure:
    """A figure that can't be had."""
    return Measure(None, n, np.zeros((by_image.count, 1)), lambda sums: sums[:, 0], why)


def settle(measures: Mapping[str, Measure]) -> dict[str, Figure]:
    """The figures with their intervals; all are from the same resamples."""
    if not measures:
        return {}
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = _resampled(np.hstack([measure.sums for measure in measures.values()]))
        figures, start = {}, 0
        for name, measure in measures.items():
            end = start + measure.sums.shape[1]
            figures[name] = _figure(measure, measure.formula(drawn[:, start:end]))
            start = end
    return figures


def _resampled(sums: Floats) -> Floats:
    """``[images, columns]`` → ``[resamples, columns]``."""
    images = len(sums)
    rng = np.random.default_rng(RNG_SEED)
    at_once = max(1, _DRAWN_AT_ONCE // images)
    sizes = (min(at_once, RESAMPLES - start) for start in range(0, RESAMPLES, at_once))
    return np.vstack([_times_drawn(rng, size, images) @ sums for size in sizes])


def _times_drawn(rng: np.random.Generator, resamples: int, images: int) -> Floats:
    drawn = rng.integers(0, images, size=(resamples, images))
    drawn += np.arange(resamples)[:, None] * images
    counts = np.bincount(drawn.ravel(), minlength=resamples * images)
    return counts.reshape(resamples, images).astype(np.float64)


def _figure(measure: Measure, samples: Floats) -> Figure:
    if measure.value is None or not np.isfinite(measure.value):
        return Figure(None, None, None, measure.n, measure.why or "undefined for these rows")
    value = float(measure.value)  # orjson writes no numbers of numpy's
    images = int(np.count_nonzero(measure.sums.any(axis=1)))
    if images < 2:
        return Figure(value, None, None, measure.n, "all rows are of one image: no interval")
    if measure.share and value in (0, 1):
        return _held(value, measure.n, _wilson(value * images, images))
    defined = samples[np.isfinite(samples)]
    if len(defined) < _LEAST_DEFINED * RESAMPLES:
        why = f"undefined in {RESAMPLES - len(defined)} of {RESAMPLES} resamples of the images: no interval"
        return Figure(value, None, None, measure.n, why)
    return _held(value, measure.n, np.percentile(defined, (2.5, 97.5)))


def _held(value: float, n: int, interval: Iterable[Any]) -> Figure:
    """The interval, widened to its value where few images leave that outside."""
    low, high = map(float, interval)
    return Figure(value, min(low, value), max(high, value), n)


def _wilson(hits: float, images: int) -> Iterable[Any]:
    from statsmodels.stats.proportion import proportion_confint

    interval: Iterable[Any] = proportion_confint(hits, images, alpha=0.05, method="wilson")
    return interval
