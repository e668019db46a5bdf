"""Claims and entities of a rationale and its reference, matched both ways by a model: precision, recall, F1.

Of one row, precision is the share of the candidate's that the reference has, recall the share of the
reference's that the candidate has. A figure is the mean over rows: rationales count alike, however much they
say. A row whose prediction can't be used has 0. One in which neither text has any has nothing to match, and
is left out; where only one of them has, nothing matched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dfj_bootstrap.scoring.bootstrap import ByImage, Measure, share
from dfj_bootstrap.scoring.facts import BadRow, Data

KINDS = {"claims": "claim", "entities": "entity"}
"""What is matched, as predictions and as figures name it."""

_FIGURES = ("precision", "recall", "f1")
FIGURES = tuple(f"{name}_{figure}" for name in KINDS.values() for figure in _FIGURES)
NO_MATCHER = "no model has matched these; run `dfj judge --task claims` over them, and score its predictions"
_UNUSABLE = (0.0, 0.0, 0.0)
_NOTHING = "no row has any to match"


@dataclass(frozen=True, slots=True)
class Matches:
    """Of each claim or entity of a text, whether the other text has it too."""

    reference: Sequence[bool]
    candidate: Sequence[bool]

    def figures(self) -> tuple[float, float, float] | None:
        """Precision, recall and F1; None where there was nothing to match."""
        if not self.reference and not self.candidate:
            return None
        precision, recall = _part(self.candidate), _part(self.reference)
        both = precision + recall
        return precision, recall, 2 * precision * recall / both if both else 0.0


Matching = Mapping[str, Matches]
"""``claims`` and ``entities``."""


def matching_of(prediction: Data) -> Matching:
    """What was matched, of a usable prediction.

    Raises:
        BadRow: it holds something else.
    """
    return {kind: _matches(prediction.get(kind), f"prediction.{kind}") for kind in KINDS}


def matching_measures(by_image: ByImage, matchings: Sequence[Matching | None]) -> dict[str, Measure]:
    """All figures, by name, over all rows; one without a matching had no usable prediction."""
    measures: dict[str, Measure] = {}
    for kind, name in KINDS.items():
        rows = [matching[kind].figures() if matching else _UNUSABLE for matching in matchings]
        values = np.array([row or _UNUSABLE for row in rows])
        among = np.array([row is not None for row in rows])
        for figure, column in zip(_FIGURES, values.T, strict=True):
            measures[f"{name}_{figure}"] = share(by_image, column, among, _NOTHING)
    return measures


def _part(matched: Sequence[bool]) -> float:
    return sum(matched) / len(matched) if matched else 0.0


def _matches(value: object, name: str) -> Matches:
    if not isinstance(value, dict):
        raise BadRow(f"`{name}` should hold `reference` and `candidate`")
    reference, candidate = (_flags(value.get(text), f"{name}.{text}") for text in ("reference", "candidate"))
    return Matches(reference, candidate)


def _flags(value: object, name: str) -> Sequence[bool]:
    if not isinstance(value, list) or not all(isinstance(each, bool) for each in value):
        raise BadRow(f"`{name}` should be a list of true and false")
    return value
