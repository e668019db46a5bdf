"""People's ratings and choices, by the id of the row that they are of.

Forms: a JSON Lines row per item with ``ratings`` (an object by rater, or a list), or a row per rating with
``rater`` and ``score`` or ``answer``; the published schema, whose target is what people settled on; and the
annotations of XAIGID-RewardBench, one JSON object by triplet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dfj_bootstrap.errors import PredictionsError
from dfj_bootstrap.scoring import facts
from dfj_bootstrap.scoring.facts import BadRow, Data, Task
from dfj_bootstrap.scoring.rows import Source

_SETTLED = "people"
"""The rater of a row that only says what people settled on."""


@dataclass(slots=True)
class Ratings:
    """What each rater said of one item.

    Attributes:
        image: of the item; None where the file doesn't say.
    """

    image: str | None
    by_rater: dict[str, int | str] = field(default_factory=dict)


Humans = Mapping[str, Ratings]
"""Ratings by id."""


def read_humans(sources: Iterable[Source], task: Task) -> Humans:
    """Ratings of a JSON Lines file.

    Raises:
        PredictionsError: a row holds no rating, one that can't be, or two by one rater.
    """
    found: dict[str, Ratings] = {}
    for source in sources:
        try:
            id_ = facts.identity(source.data, source.line)
            ratings = found.setdefault(id_, Ratings(facts.image(source.data)))
            for rater, value in _said(source.data, task):
                _note(ratings, rater, _value(value, task))
        except BadRow as bad:
            raise PredictionsError(f"{source.file}:{source.line}: {bad}") from None
    return _some(found)


def read_triplets(file: str, document: Any, task: Task) -> Humans:
    """Ratings of a document as XAIGID-RewardBench's annotations are.

    Raises:
        PredictionsError: it is another document, or a choice is none.
    """
    found: dict[str, Ratings] = {}
    for key, triplet in document.items() if isinstance(document, dict) else [("", document)]:
        try:
            annotations = triplet.get("annotations") if isinstance(triplet, dict) else None
            if not isinstance(annotations, dict):
                raise BadRow("no `annotations` by annotator")
            ratings = found.setdefault(str(triplet.get("triplet_id") or key), Ratings(facts.image(triplet)))
            for rater, said in annotations.items():
                _note(ratings, rater, _value(said.get("choice") if isinstance(said, dict) else said, task))
        except BadRow as bad:
            raise PredictionsError(f"{file}: {str(key)[:60]!r}: {bad}") from None
    return _some(found)


def _some(found: dict[str, Ratings]) -> Humans:
    if not found:
        raise PredictionsError("--human: the file holds no ratings")
    return found


def _said(data: Data, task: Task) -> Iterator[tuple[str, Any]]:
    ratings = data.get("ratings")
    if isinstance(ratings, dict):
        yield from ratings.items()
    elif isinstance(ratings, list):
        yield from ((f"rater {i}", value) for i, value in enumerate(ratings, 1))
    elif (one := data.get("score" if task is Task.POINTWISE else "answer", data.get("choice"))) is not None:
        yield str(data.get("rater") or _SETTLED), one
    elif (settled := facts.level(data) if task is Task.POINTWISE else facts.right_side(data)) is not None:
        yield _SETTLED, settled
    else:
        raise BadRow("no rating: neither `ratings`, nor `score` or `answer`, nor a target")


def _value(value: Any, task: Task) -> int | str:
    if task is Task.POINTWISE:
        return facts.rating(value, "rating")
    if side := facts.side(value):
        return side
    raise BadRow(f"a choice should be one of {', '.join(facts.SIDES)}")


def _note(ratings: Ratings, rater: str, value: int | str) -> None:
    if rater in ratings.by_rater:
        raise BadRow(f"a second rating by {rater!r}")
    ratings.by_rater[rater] = value
