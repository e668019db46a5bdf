"""Preferences against the right ones: the figures of the pairwise table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dfj_bootstrap.scoring.bootstrap import ByImage, Measure, share, undefined
from dfj_bootstrap.scoring.facts import DECISIVE
from dfj_bootstrap.scoring.formulas import difference_of_shares, mean_of_shares
from dfj_bootstrap.scoring.longer import bias_measures
from dfj_bootstrap.scoring.rows import PairwiseRow

Bools = npt.NDArray[np.bool_]

NO_TRUTH = "no row says which of its texts is the better one"
ONE_ORDER = "asked in one order only; run `dfj judge --both-orders`"
_NO_LENGTHS = "no row with a decided preference shows two texts of different length"


def pairwise_measures(rows: Sequence[PairwiseRow]) -> dict[str, Measure]:
    """All figures, by name. A row without a usable prediction is wrong."""
    by_image = ByImage([row.image for row in rows])
    measures = _accuracies(rows, by_image, [row.answer for row in rows])
    measures |= {"consistency": _consistency(rows, by_image), "position_bias": _position(rows, by_image)}
    measures |= _length_bias(rows, by_image)
    for name, answers in _baselines(rows).items():
        found = _accuracies(rows, by_image, answers)
        measures |= {f"baselines.{name}.{metric}": measure for metric, measure in found.items()}
    return measures


def _accuracies(
    rows: Sequence[PairwiseRow], by_image: ByImage, answers: Sequence[str | None]
) -> dict[str, Measure]:
    """How often answers are right: of all rows, and of each part that has a distance or a group in common."""
    hits = np.array([said is not None and said == row.right for said, row in zip(answers, rows, strict=True)])
    known = np.array([row.right is not None for row in rows])
    measures = {"accuracy": share(by_image, hits, known, NO_TRUTH)}
    for name, values in (
        ("distance", [r.distance for r in rows]),
        ("group", [r.group or None for r in rows]),
    ):
        parts = _parts(values)
        measures |= {
            f"accuracy_by_{name}.{value}": share(by_image, hits, known & part, NO_TRUTH)
            for value, part in parts.items()
        }
        if name == "group" and parts:
            measures["accuracy_macro"] = _macro(by_image, hits, [known & part for part in parts.values()])
    return measures


def _parts(values: Sequence[Any]) -> dict[Any, Bools]:
    """Which rows have each value; those with none are in no part."""
    column = np.array(values, dtype=object)
    found = sorted({value for value in values if value is not None})
    return {value: np.asarray(column == value, np.bool_) for value in found}


def _macro(by_image: ByImage, hits: Bools, parts: Sequence[Bools]) -> Measure:
    """The mean of the parts' accuracies: each part of an exam counts as much, however small."""
    parts = [part for part in parts if part.any()]
    if not parts:
        return undefined(by_image, NO_TRUTH)
    sums = by_image.sums(*(hits & part for part in parts), *parts)
    value = float(np.mean([hits[part].mean() for part in parts]))
    return Measure(value, int(sum(part.sum() for part in parts)), sums, mean_of_shares, share=True)


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
    known = any(row.right is not None for row in rows)
    pairs = [longer_side(row) if not known or row.right in DECISIVE else None for row in rows]
    there = [side in DECISIVE and row.answer in DECISIVE for side, row in zip(pairs, rows, strict=True)]
    wins = [t and row.answer == side for t, side, row in zip(there, pairs, rows, strict=True)]
    should = [t and row.right == side for t, side, row in zip(there, pairs, rows, strict=True)]
    measures = bias_measures(by_image, by_image.sums(wins, should, there), _NO_LENGTHS)
    if known:
        return measures
    without = undefined(by_image, NO_TRUTH)
    return measures | {"longer_should": without, "length_bias": without}


def longer_side(row: PairwiseRow) -> str | None:
    """What one says who looks at lengths alone; ``tie`` of two as long, None where they aren't known."""
    if row.lengths is None:
        return None
    a, b = row.lengths
    return "tie" if a == b else "AB"[b > a]


def _baselines(rows: Sequence[PairwiseRow]) -> dict[str, list[str | None]]:
    """What is said without a look at the picture: always the same side, and always the longer text."""
    constant = best_constant(row.right for row in rows)
    return {"constant": [constant] * len(rows), "longer": [longer_side(row) for row in rows]}


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
