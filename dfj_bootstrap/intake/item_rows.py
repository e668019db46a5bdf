"""A row of the input as a reader hands it on, good so far or refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from dfj_bootstrap.intake.safe_text import one_line

Item = TypeVar("Item")


class RowRefused(ValueError):
    """A row that does not fit; ``args`` are the field (dotted) and why."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(field, why)
        self.field = field
        self.why = why


@dataclass(frozen=True, slots=True)
class Refusal:
    """An input row that is not used. All of it is safe to print and to store.

    Attributes:
        line: number of the line in ``file``, from 1.
        id: the row's own id as far as one could be read.
        field: dotted, e.g. ``annotations.0.box``; empty where the line as a whole is wrong.
    """

    file: str
    line: int
    id: str | None
    field: str
    why: str

    def as_row(self) -> dict[str, Any]:
        """The row of ``refused.jsonl``."""
        return {"file": self.file, "line": self.line, "field": self.field, "why": self.why, "id": self.id}

    def sentence(self) -> str:
        """For people: where, who, what."""
        who = f" ({self.id})" if self.id else ""
        what = f"{self.field}: {self.why}" if self.field else self.why
        return f"{self.file} line {self.line}{who}: {what}"


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was done to a good row, or left out of it."""

    file: str
    line: int
    id: str
    what: str

    def as_row(self) -> dict[str, Any]:
        return {"file": self.file, "line": self.line, "what": self.what, "id": self.id}


@dataclass(frozen=True, slots=True)
class ItemRow(Generic[Item]):
    """A row that can be read, and where it stands.

    Attributes:
        content: digest of what the row says: another one means that it was changed.
        derived_from: what the id was made from where the row has none, e.g. ``picture``; else empty.
        unfit: the field that a rule turns down, and why; a run that has planned the item already keeps it, so
            that a new rule locks nobody out.
    """

    file: str
    line: int
    id: str
    item: Item
    content: bytes
    derived_from: str = ""
    notes: tuple[Note, ...] = ()
    unfit: tuple[str, str] | None = None

    def refuse(self, field: str, why: str) -> Refusal:
        """Turn it down after all, because of a rule or another row."""
        return Refusal(self.file, self.line, one_line(self.id), field, why)
