"""What jobs that predict have in common: how an answer is got, what a prediction says, and its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import orjson
import pyarrow as pa

from dfj_bootstrap.domain.texts import without_controls
from dfj_bootstrap.domain.trajectory import Provenance
from dfj_bootstrap.errors import CallFailed, Unusable
from dfj_bootstrap.intake.picture_rows import PictureRow
from dfj_bootstrap.prompting.judging import Opinion
from dfj_bootstrap.prompting.replies import Reader
from dfj_bootstrap.roles.casting import Cast
from dfj_bootstrap.roles.model_asking import Question, Speaker
from dfj_bootstrap.storage.tables import Row, Schema
from dfj_bootstrap.tasks.prediction_ledger import BOOKED

T = TypeVar("T")

TABLES: Mapping[str, Schema] = {
    "predictions": pa.schema(
        {
            "row_id": pa.string(), "image": pa.string(), "status": pa.string(), "prediction": pa.string(),
            "answered_as": pa.string(), "input_tokens": pa.int64(), "output_tokens": pa.int64(),
            "cost_usd": pa.float64(),
        }
    )
}  # fmt: skip
"""``prediction`` is the JSON object that ``predictions.jsonl`` holds of it."""

_WHY = {
    "refused": "the model refused to answer",
    "cut_off": "the answer was cut off at max_tokens",
    "incomplete": "the answer did not come to its end",
}


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What became of one question.

    Attributes:
        status: ``ok``, ``unparsable``, ``refused`` by the model, or ``failed`` for technical reasons.
        value: what is said; ``None`` unless it is ok.
        raw: the reply, but for control characters and spaces around it; ``None`` where there was none.
        why: why it isn't ok.
        made: by whom, and at what price; of an answer that can't be used only the journal knows.
    """

    status: str
    value: T | None = None
    reasoning: str | None = None
    raw: str | None = None
    why: str = ""
    made: Provenance = field(default_factory=Provenance)


@dataclass(frozen=True, slots=True)
class Predicted:
    """What became of a row.

    Attributes:
        prediction: as ``predictions.jsonl`` has it.
        made: of all its questions.
    """

    prediction: Mapping[str, Any]
    made: Sequence[Provenance]

    @property
    def status(self) -> str:
        return str(self.prediction["status"])

    def enter(self, cast: Cast) -> Predicted:
        """Enter in the books how the row ended."""
        cast.count(f"rows.{BOOKED[self.status]}", 1)
        return self

    def rows(self, item: PictureRow) -> Mapping[str, Sequence[Row]]:
        """The row of the table."""
        made = self.made
        names = dict.fromkeys(each.model for each in made if each.model)
        return {
            "predictions": [
                (
                    item.id, item.image.name, self.status, orjson.dumps(self.prediction).decode(),
                    ", ".join(names) or None, sum(m.input_tokens for m in made),
                    sum(m.output_tokens for m in made), sum(m.cost_usd for m in made),
                )
            ]
        }  # fmt: skip


async def answer(speaker: Speaker, question: Question, read: Reader[Opinion[T]]) -> Answer[T]:
    """Ask, and take whatever comes as a result."""

    def kept(text: str, cut_off: bool) -> tuple[Opinion[T], str]:
        return read(text, cut_off), without_controls(text)

    try:
        ((value, reasoning), raw), made = await speaker.ask(question, kept)
    except Unusable as unusable:
        kind = unusable.reason.removeprefix(f"{speaker.role}_")
        why = _WHY.get(kind, unusable.why)
        return Answer("refused" if kind == "refused" else "unparsable", None, None, unusable.raw, why)
    except CallFailed as failed:
        return Answer("failed", why=str(failed))
    return Answer("ok", value, reasoning, raw, "", made)
