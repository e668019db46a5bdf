"""Preferences against the right ones: the figures of the pairwise table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dfj_bootstrap.scoring.bootstrap import ByImage, Measure, share, undefined
from dfj_bootstrap.scoring.facts import DECISIVE
from dfj_bootstrap.scoring.formulas import difference_of_shares
from dfj_bootstrap.scoring.longer import bias_measures
from dfj_bootstrap.scoring.rows import PairwiseRow

Bools = npt.NDArray[np.bool_]

NO_TRUTH = "no row says which of its texts is the better one"
ONE_ORDER = "asked in one order only; run `dfj judge --both-orders`"
_NO_LENGTHS = "no row with a decided preference shows two texts of different length"


def pairwise_measures(rows: Sequence[PairwiseRow]) -> dict[str, Measure]:
    """All figures, by name. A row without a usable prediction is wrong."""
    by_image = ByImage([row.image for row in rows])
    hits = [row.answer is not None and row.answer == row.right for row in rows]
    known = np.array([row.right is not None for row in rows])
    measures = {"accuracy": share(by_image, hits, known, NO_TRUTH)}
    distances = [row.distance for row in rows]
    groups = [row.group or None for row in rows]
    measures |= _of_each("distance", distances, by_image, hits, known)
    measures |= _of_each("group", groups, by_image, hits, known)
    measures |= {"consistency": _consistency(rows, by_image), "position_bias": _position(rows, by_image)}
    return measures | _length_bias(rows, by_image) | _baselines(rows, by_image, known)


def _of_each(
    name: str, values: Sequence[Any], by_image: ByImage, hits: Sequence[bool], known: Bools
) -> dict[str, Measure]:
    """The accuracy of each part of the rows that has a value in common."""
    column = np.array(values, dtype=object)
    found = sorted({value for value in values if value is not None})
    return {
        f"accuracy_by_{name}.{value}": share(by_image, hits, known & (column == value), NO_TRUTH)
        for value in found
    }


def _consistency(rows: Sequence[PairwiseRow], by_image: ByImage) -> Measure:
    """How often both orders got the same preference."""
    asked = any(row.consistent is not None for row in rows)
    among = np.full(len(rows), asked)
    return share(by_image, [row.consistent is True for row in rows], among, ONE_ORDER)


def _position(rows: Sequence[PairwiseRow], by_image: ByImage) -> Measure:
    """How much oftener A is preferred than it should be, over usable rows; 0 is none."""
    usable = [row.answer is not None and row.right is not None for row in rows]
    said = [u and row.answer == "A" for u, row in zip(usable, rows, strict=True)]
    should = [u and row.right == "A" for u, row in zip(usable, rows, strict=True)]
    n = sum(usable)
    if not n:
        known = any(row.right is not None for row in rows)
        return undefined(by_image, "no row has a usable prediction" if known else NO_TRUTH)
    sums = by_image.sums(said, should, usable)
    return Measure((sum(said) - sum(should)) / n, n, sums, difference_of_shares)


def _length_bias(rows: Sequence[PairwiseRow], by_image: ByImage) -> dict[str, Measure]:
    """How often the longer text wins, against how often it should, where both are decided."""
    pairs = [_longer(row) if {row.answer, row.right} <= set(DECISIVE) else None for row in rows]
    wins = [longer is not None and row.answer == longer for longer, row in zip(pairs, rows, strict=True)]
    should = [longer is not None and row.right == longer for longer, row in zip(pairs, rows, strict=True)]
    sums = by_image.sums(wins, should, [longer is not None for longer in pairs])
    return bias_measures(by_image, sums, _NO_LENGTHS)


def _longer(row: PairwiseRow) -> str | None:
    """The side with the longer text; None where neither is known to be."""
    if row.lengths is None or row.lengths[0] == row.lengths[1]:
        return None
    return "A" if row.lengths[0] > row.lengths[1] else "B"


def _baselines(rows: Sequence[PairwiseRow], by_image: ByImage, known: Bools) -> dict[str, Measure]:
    """What needs no picture: always the same side, and always the longer text (of two as long, a coin)."""
    constant = best_constant(row.right for row in rows)
    shown = known & np.array([row.lengths is not None for row in rows])
    by_length = [_half_or_all(row) for row in rows]
    return {
        "baselines.constant.accuracy": share(by_image, [r.right == constant for r in rows], known, NO_TRUTH),
        "baselines.longer.accuracy": share(by_image, by_length, shown, "no row shows its two texts"),
    }


def _half_or_all(row: PairwiseRow) -> float:
    longer = _longer(row)
    if longer is None:
        return 0.5 if row.right in DECISIVE else 0.0
    return float(row.right == longer)


def best_constant(right: Iterable[str | None]) -> str:
    """The side that is right oftener; A where both are as often."""
    sides = list(right)
    return max(DECISIVE, key=sides.count)


def confusion(rows: Sequence[PairwiseRow]) -> Mapping[str, Any]:
    """How often each right preference got each answer."""
    sides = sorted({row.right for row in rows if row.right} | {row.answer for row in rows if row.answer})
    known = [row for row in rows if row.right is not None]
    counts = [[sum(r.right == i and r.answer == j for r in known) for j in sides] for i in sides]
    unusable = [sum(r.right == i and r.answer is None for r in known) for i in sides]
    return {"right": sides, "answers": sides, "counts": counts, "unusable": unusable}
