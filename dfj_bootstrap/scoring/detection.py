"""Classes of pictures: the figures of the detection table. ``edited`` counts as fake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn import metrics

from dfj_bootstrap.domain.rationale import Label
from dfj_bootstrap.scoring import formulas
from dfj_bootstrap.scoring.bootstrap import ByImage, Measure, share, undefined
from dfj_bootstrap.scoring.rows import DetectionRow

_CLASSES = ("real", "fake")
_NONE = "unusable"


def detection_measures(rows: Sequence[DetectionRow]) -> dict[str, Measure]:
    """All figures, by name. A picture without a usable answer is called neither, so it is missed."""
    by_image = ByImage([row.image for row in rows])
    true = np.array([_class(row.label) for row in rows])
    called = np.array([_class(row.answer) for row in rows])
    measures = {f"{name}_f1": _f1(by_image, true, called, name) for name in _CLASSES}
    constant = best_constant(rows)
    everywhere = np.ones(len(rows), dtype=np.bool_)
    return measures | {
        "accuracy": share(by_image, true == called, everywhere, ""),
        "baselines.constant.accuracy": share(by_image, true == constant, everywhere, ""),
    }


def _class(label: Label | None) -> str:
    if label is None:
        return _NONE
    return "real" if label is Label.REAL else "fake"


def _f1(by_image: ByImage, true: Any, called: Any, name: str) -> Measure:
    if name not in true and name not in called:
        return undefined(by_image, f"no picture is {name}, and none was called so", len(true))
    (value,) = metrics.f1_score(true, called, labels=[name], average=None, zero_division=0.0)
    sums = by_image.sums((true == name) & (called == name), called == name, true == name)
    return Measure(float(value), len(true), sums, formulas.f1, share=True)


def best_constant(rows: Sequence[DetectionRow]) -> str:
    """The class that is right oftener."""
    real = sum(row.label is Label.REAL for row in rows)
    return "real" if 2 * real > len(rows) else "fake"


def confusion(rows: Sequence[DetectionRow]) -> dict[str, Any]:
    """How often each label got each answer, ``edited`` apart."""
    counts = [[sum(r.label is i and r.answer is j for r in rows) for j in Label] for i in Label]
    unusable = [sum(r.label is i and r.answer is None for r in rows) for i in Label]
    return {"labels": list(Label), "answers": list(Label), "counts": counts, "unusable": unusable}
