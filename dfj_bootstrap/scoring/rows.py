"""Rows of predictions → values, strictly: what is not usable is so by its own word, ``prediction.status``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from dfj_bootstrap.domain.rationale import Label
from dfj_bootstrap.errors import PredictionsError
from dfj_bootstrap.scoring import facts
from dfj_bootstrap.scoring.claims import Matching, matching_of
from dfj_bootstrap.scoring.facts import BadRow, Data, Task

STATUSES = ("ok", "unparsable", "refused", "failed")
_OK = STATUSES[0]


@dataclass(frozen=True, slots=True)
class Source:
    """A line of a file, as it was read."""

    file: str
    line: int
    data: Data


class Judged(Protocol):
    """What all rows have, whatever was predicted."""

    @property
    def id(self) -> str: ...
    @property
    def image(self) -> str: ...
    @property
    def status(self) -> str: ...


@dataclass(frozen=True, slots=True)
class PointwiseRow:
    """A candidate and its score; None is what isn't known, or not usable."""

    id: str
    image: str
    status: str
    level: int | None
    score: int | None
    length: int | None


@dataclass(frozen=True, slots=True)
class PairwiseRow:
    """Two texts and which one was preferred.

    Attributes:
        right: the preference that would be right.
        distance: how many levels lie between the two.
        consistent: whether the other order got the same preference; None: it was not asked.
        lengths: characters of A and B.
        group: the part of an exam.
    """

    id: str
    image: str
    status: str
    right: str | None
    distance: int | None
    answer: str | None
    consistent: bool | None
    lengths: tuple[int, int] | None
    group: str


@dataclass(frozen=True, slots=True)
class DetectionRow:
    """A picture and the class it was given."""

    id: str
    image: str
    status: str
    label: Label
    answer: Label | None


@dataclass(frozen=True, slots=True)
class RationaleRow:
    """A rationale that a model wrote, the gold one, and what a judge said of it.

    Attributes:
        score: what it scored the text.
        matching: what it found of each in the other; None is also what is not usable.
        matched: whether that was what it was asked.
    """

    id: str
    image: str
    status: str
    text: str | None
    reference: str | None
    score: int | None
    matching: Matching | None = None
    matched: bool = False


RowT = TypeVar("RowT", bound=Judged)


@dataclass(frozen=True, slots=True)
class Predictions(Generic[RowT]):
    """The rows of one file, in the order of their ids.

    Attributes:
        model: which model predicted; empty where the rows don't say, or disagree.
    """

    file: str
    model: str
    rows: Sequence[RowT]


_KINDS: dict[Task, tuple[str, ...]] = {
    Task.RATIONALES: ("claims",),
    Task.POINTWISE: ("score",),
    Task.PAIRWISE: ("answer",),
    Task.DETECTION: ("label", "rationale"),
}
"""By which fields of a prediction one sees what was predicted."""


def read_predictions(sources: Iterable[Source], asked: Task | None) -> tuple[Task, Predictions[Any]]:
    """The rows of one file.

    Raises:
        PredictionsError: a row isn't one of this task, or says what can't be; two have one id; there is none.
    """
    task, gathered, waiting = asked, _Gathered(), deque[Source]()
    source = None
    for source in sources:
        with _told_where(source):
            task = _same_task(task, source.data, asked)
        waiting.append(source)
        while task and waiting:  # rows without a usable prediction may not tell what was asked
            gathered.add(waiting.popleft(), _READERS[task])
    if source is None:
        raise PredictionsError("no row with a prediction; give the predictions.jsonl of `dfj judge`")
    if task is None:
        raise PredictionsError(f"{source.file}: nothing tells what was predicted; say so with --task")
    return task, gathered.predictions(source.file)


class _Gathered:
    """The rows so far, each id once."""

    def __init__(self) -> None:
        self._rows: dict[str, Judged] = {}
        self._lines: dict[str, int] = {}
        self._models: set[str] = set()

    def add(self, source: Source, read: Callable[[Source], Judged]) -> None:
        with _told_where(source):
            row = read(source)
            if row.id in self._rows:
                raise BadRow(
                    f"the id {row.id!r} stands in line {self._lines[row.id]} already; "
                    "each row is scored once, so remove one of them"
                )
        self._rows[row.id], self._lines[row.id] = row, source.line
        self._models.add(str(source.data["prediction"].get("model") or ""))

    def predictions(self, file: str) -> Predictions[Any]:
        (model,) = self._models - {""} if len(self._models - {""}) == 1 else ("",)
        return Predictions(file, model, [self._rows[id_] for id_ in sorted(self._rows)])


@contextmanager
def _told_where(source: Source) -> Iterator[None]:
    try:
        yield
    except BadRow as bad:
        raise PredictionsError(f"{source.file}:{source.line}: {bad}") from None


def _same_task(task: Task | None, data: Data, asked: Task | None) -> Task | None:
    """The task of a row, which must be that of the rows before."""
    if asked is Task.RATIONALES:
        return asked
    predicted = _predicted(data)
    of_any_row = {Task.DETECTION, Task.RATIONALES} & {task, predicted}
    own = None if of_any_row else facts.task(data)
    if own and predicted and own is not predicted:
        raise BadRow(f"the row is {own}, but its prediction is {predicted} (it has `{_KINDS[predicted][0]}`)")
    found = predicted or own
    if task and found and found is not task:
        raise BadRow(f"the row is {found}, but {_by_whom(task, asked)}")
    return task or found


def _by_whom(task: Task, asked: Task | None) -> str:
    return f"--task {asked} was asked for" if asked else f"those before it are {task}"


def _predicted(data: Data) -> Task | None:
    prediction = _prediction(data)
    return next((task for task, keys in _KINDS.items() if any(key in prediction for key in keys)), None)


def _prediction(data: Data) -> dict[str, Any]:
    prediction = data.get("prediction")
    if not isinstance(prediction, dict):
        raise BadRow("the row has no `prediction`; give the predictions.jsonl of `dfj judge` or `dfj detect`")
    if prediction.get("status") not in STATUSES:
        raise BadRow(f"`prediction.status` should be one of {', '.join(STATUSES)}")
    return prediction


def _common(source: Source) -> tuple[str, str, str]:
    id_ = facts.identity(source.data, source.line)
    return id_, facts.image(source.data) or id_, _prediction(source.data)["status"]


def _pointwise(source: Source) -> PointwiseRow:
    data, prediction = source.data, _prediction(source.data)
    usable = prediction["status"] == _OK
    score = facts.rating(prediction.get("score"), "prediction.score") if usable else None
    return PointwiseRow(*_common(source), facts.level(data), score, facts.length(data))


def _pairwise(source: Source) -> PairwiseRow:
    data, prediction = source.data, _prediction(source.data)
    usable = prediction["status"] == _OK
    answer = facts.side(prediction.get("answer")) if usable else None
    if usable and answer is None:
        raise BadRow(f"`prediction.answer` should be one of {', '.join(facts.SIDES)}")
    both_orders = "answer_swapped" in prediction or "consistent" in prediction
    levels = facts.levels_of_pair(data)
    return PairwiseRow(
        *_common(source),
        right=facts.right_side(data),
        distance=abs(levels[0] - levels[1]) if levels else None,
        answer=answer,
        consistent=prediction.get("consistent") is True if both_orders else None,
        lengths=facts.pair_lengths(data),
        group=facts.group(data),
    )


def _detection(source: Source) -> DetectionRow:
    prediction = _prediction(source.data)
    usable = prediction["status"] == _OK
    answer = _label(prediction.get("label"), "prediction.label") if usable else None
    return DetectionRow(*_common(source), _label(source.data.get("label"), "label"), answer)


def _label(value: Any, name: str) -> Label:
    if value in list(Label):
        return Label(value)
    raise BadRow(f"`{name}` should be real, fake or edited")


def _rationale(source: Source) -> RationaleRow:
    data, prediction = source.data, _prediction(source.data)
    usable = prediction["status"] == _OK
    judged = usable and prediction.get("score") is not None
    texts = (data.get("candidate"), prediction.get("rationale") if usable else None)
    text = next((text for text in texts if isinstance(text, str) and text.strip()), None)
    if text is None and usable:
        raise BadRow("no rationale to score: neither `candidate` nor `prediction.rationale`")
    matched = "claims" in prediction
    return RationaleRow(
        *_common(source),
        text=text,
        reference=facts.reference(data),
        score=facts.rating(prediction["score"], "prediction.score") if judged else None,
        matching=matching_of(prediction) if usable and matched else None,
        matched=matched,
    )


_READERS: dict[Task, Callable[[Source], Judged]] = {
    Task.POINTWISE: _pointwise,
    Task.PAIRWISE: _pairwise,
    Task.DETECTION: _detection,
    Task.RATIONALES: _rationale,
}
