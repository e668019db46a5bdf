"""One system: the predictions of one file, and all its figures. Start here.

Rows of a file are read (``rows.py``), the figures of its task are drawn up (``pointwise.py`` …), and settled
together, so that all are from the same resamples (``bootstrap.py``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfj_bootstrap.scoring import detection, pairwise, pointwise
from dfj_bootstrap.scoring.agreement import judge_measures, raters_measures
from dfj_bootstrap.scoring.bootstrap import Measure, settle
from dfj_bootstrap.scoring.facts import Task
from dfj_bootstrap.scoring.figures import Figure, nested
from dfj_bootstrap.scoring.humans import Humans
from dfj_bootstrap.scoring.rationales import BertScores, rationale_measures
from dfj_bootstrap.scoring.rows import STATUSES, Predictions
from dfj_bootstrap.scoring.scores import numbers


@dataclass(frozen=True)
class System:
    """The figures of one file.

    Attributes:
        n: rows; all of them, of which ``unusable`` have no usable prediction.
        figures: by name; a dot in it is a level in JSON.
        more: what is no figure: the confusion, what the constant baseline says.
    """

    file: str
    model: str
    n: int
    statuses: Mapping[str, int]
    figures: Mapping[str, Figure]
    more: Mapping[str, Any]

    @property
    def unusable(self) -> int:
        return self.n - self.statuses["ok"]

    def as_json(self) -> dict[str, Any]:
        """One object, with a metric as every command prints it."""
        about = {"file": self.file, "model": self.model, "n": self.n, "unusable": self.unusable}
        return {**about, "statuses": dict(self.statuses), **nested({**self.figures, **self.more})}


def score(
    predictions: Predictions[Any], task: Task, humans: Humans | None = None, bert: BertScores | None = None
) -> System:
    """All figures of one file."""
    rows = predictions.rows
    measures, more = _TASKS[task](rows, bert)
    figures = settle(measures)
    if humans is not None:
        against = settle(judge_measures(rows, humans, task))
        figures |= {f"human.{name}": figure for name, figure in against.items()}
    found = Counter(row.status for row in rows)
    statuses = {status: found[status] for status in STATUSES}
    return System(predictions.file, predictions.model, len(rows), statuses, figures, more)


def score_raters(humans: Humans, task: Task, systems: Sequence[Predictions[Any]]) -> dict[str, Figure]:
    """How far people agree with each other."""
    images = {row.id: row.image for predictions in systems for row in predictions.rows if row.id in humans}
    return settle(raters_measures(humans, task, images))


def _pointwise(rows: Any, bert: BertScores | None) -> tuple[dict[str, Measure], dict[str, Any]]:
    constant = pointwise.best_constant(numbers(row.level for row in rows))
    more = {"confusion": pointwise.confusion(rows), "baselines.constant.score": constant}
    return pointwise.pointwise_measures(rows), more


def _pairwise(rows: Any, bert: BertScores | None) -> tuple[dict[str, Measure], dict[str, Any]]:
    constant = pairwise.best_constant(row.right for row in rows)
    more = {"confusion": pairwise.confusion(rows), "baselines.constant.answer": constant}
    return pairwise.pairwise_measures(rows), more


def _detection(rows: Any, bert: BertScores | None) -> tuple[dict[str, Measure], dict[str, Any]]:
    constant = detection.best_constant(rows)
    more = {"confusion": detection.confusion(rows), "baselines.constant.answer": constant}
    return detection.detection_measures(rows), more


def _rationales(rows: Any, bert: BertScores | None) -> tuple[dict[str, Measure], dict[str, Any]]:
    return rationale_measures(rows, bert), {}


_TASKS: Mapping[Task, Callable[[Any, BertScores | None], tuple[dict[str, Measure], dict[str, Any]]]] = {
    Task.POINTWISE: _pointwise,
    Task.PAIRWISE: _pairwise,
    Task.DETECTION: _detection,
    Task.RATIONALES: _rationales,
}
