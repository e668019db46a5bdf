"""What a seed row may hold: strict types, clear messages, texts made safe to print and to store.

Nothing is guessed, swapped or cut: what does not fit is refused with the value and what is allowed. Only what
no reader can see is taken out of texts (control characters, direction overrides), and each time noted.
"""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from dfj_bootstrap.domain.rationale import Label
from dfj_bootstrap.domain.seed import FLAGS, GRID, Annotation, Box, Split
from dfj_bootstrap.domain.texts import is_blank, says_something
from dfj_bootstrap.intake.item_rows import RowRefused
from dfj_bootstrap.intake.safe_text import NAME_CHARACTERS, bad_name, shown, too_long, without_unseen

GOLD_CHARACTERS = 10_000
TEXT_CHARACTERS = 2_000
PATH_CHARACTERS = 1_000
MARKS = 200

_LABELS = "use real, fake or edited"


def _text(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value
    text, done = without_unseen(value)
    if info.context is not None:
        info.context.extend(f"{info.field_name}: {what}" for what in done)
    return text


def _said(value: Any, info: ValidationInfo) -> Any:
    text = _text(value, info)
    if isinstance(text, str) and is_blank(text):
        raise ValueError("is blank")
    return text


def _name(value: Any) -> Any:
    why = bad_name(value) if isinstance(value, str) else ""
    if why:
        raise ValueError(why)
    return value


def _label(value: Any) -> Label:
    known = {label.value: label for label in Label}
    found = known.get(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{shown(value)} is not a label; {_LABELS}")
    return found


def _split(value: Any) -> Split | None:
    if value is None or value in tuple(Split):
        return None if value is None else Split(value)
    raise ValueError(f"{shown(value)} is not a split; use train or test, or leave it out")


def _plain(flag: str) -> str:
    return " ".join(re.sub("[\u2010-\u2015]", "-", flag).casefold().split())


_FLAGS = {_plain(flag): flag for flag in FLAGS}


def _flag(value: Any) -> str | None:
    if value is None:
        return None
    found = _FLAGS.get(_plain(value)) if isinstance(value, str) else None
    if found:
        return found
    near = difflib.get_close_matches(_plain(value)[:100], _FLAGS, n=1) if isinstance(value, str) else []
    hint = f"did you mean `{_FLAGS[near[0]]}`?" if near else f"use one of: {', '.join(FLAGS)}"
    raise ValueError(f"{shown(value)} is not one of the {len(FLAGS)} flags; {hint}")


def _box(value: Any) -> Box | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 4:
        raise ValueError(f"{shown(value)} is not a list of four whole numbers [x1, y1, x2, y2]")
    x1, y1, x2, y2 = (_coordinate(number) for number in value)
    if x2 <= x1 or y2 <= y1:
        raise ValueError(f"{shown(value)} has no area: x2 must be greater than x1 and y2 than y1")
    return Box(x1, y1, x2, y2)


def _coordinate(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{shown(value)} is not a whole number from 1 to {GRID}")
    if not 1 <= value <= GRID:
        raise ValueError(f"{shown(value)} is outside the grid, which goes from 1 to {GRID}")
    return value


Name = Annotated[str, BeforeValidator(_name), Field(max_length=NAME_CHARACTERS)]


class MarkRow(BaseModel):
    """An entry of ``annotations``."""

    model_config = ConfigDict(strict=True, frozen=True)

    text: Annotated[str, BeforeValidator(_said), Field(max_length=TEXT_CHARACTERS)]
    flag: Annotated[str | None, PlainValidator(_flag)] = None
    box: Annotated[Box | None, PlainValidator(_box)] = None

    def annotation(self) -> Annotation:
        return Annotation(self.text, self.flag, self.box)


class SeedRowModel(BaseModel):
    """A seed row as it stands in a file."""

    model_config = ConfigDict(strict=True, frozen=True)

    id: Name | None = None
    image: Annotated[str, Field(max_length=PATH_CHARACTERS)]
    label: Annotated[Label, PlainValidator(_label)]
    gold_rationale: Annotated[str, BeforeValidator(_said), Field(max_length=GOLD_CHARACTERS)] | None = None
    annotations: Annotated[list[MarkRow], Field(max_length=MARKS)] | None = None
    group: Name | None = None
    split: Annotated[Split | None, PlainValidator(_split)] = None
    source: Annotated[str, BeforeValidator(_text), Field(max_length=TEXT_CHARACTERS)] | None = None
    licence: Annotated[str, BeforeValidator(_text), Field(max_length=TEXT_CHARACTERS)] | None = None

    @model_validator(mode="after")
    def _has_ground(self) -> SeedRowModel:
        marks = self.annotations or ()
        if self.gold_rationale is None and not any(says_something(mark.text) for mark in marks):
            raise ValueError("the row needs gold_rationale, or annotations to write one from")
        return self


def parse_row(data: dict[str, Any]) -> tuple[SeedRowModel, list[str]]:
    """A row's checked fields and what was done to it that its owner should know.

    Raises:
        RowRefused: naming the first field that does not fit.
    """
    notes: list[str] = []
    try:
        row = SeedRowModel.model_validate(data, context=notes)
    except ValidationError as error:
        raise _refused(error) from None
    unknown = _unknown_fields(data)
    if unknown:
        notes.append(f"unknown fields ignored: {unknown}")
    return row, notes


def _unknown_fields(data: dict[str, Any]) -> str:
    names = [name for name in data if name not in SeedRowModel.model_fields]
    for mark in data.get("annotations") or ():
        names += [f"annotations.{name}" for name in mark if name not in MarkRow.model_fields]
    return shown(", ".join(dict.fromkeys(names))).strip('"')


def _refused(error: ValidationError) -> RowRefused:
    """The first problem, in a sentence about its field."""
    problem = error.errors(include_url=False)[0]
    more = error.error_count() - 1
    field = ".".join(str(part) for part in problem["loc"]) or "gold_rationale"
    why = _why(problem["type"], problem.get("ctx", {}), problem["input"], problem["msg"])
    hint = f"; {_LABELS}" if field == "label" and problem["type"] == "missing" else ""
    return RowRefused(field, why + hint + (f" (and {more} more)" if more else ""))


def _why(kind: str, limits: dict[str, Any], value: Any, message: str) -> str:
    match kind:
        case "missing":
            return "is missing"
        case "string_type":
            return f"must be text, not {shown(value)}"
        case "string_unicode":
            return f"{shown(value)} holds halves of characters"
        case "list_type":
            return f"must be a list of objects with text, flag and box, not {shown(value)}"
        case "too_long" | "string_too_long":
            unit = "characters" if isinstance(value, str) else "entries"
            return too_long(len(value), limits["max_length"], unit)
        case "model_type":
            return f"must be an object with text, flag and box, not {shown(value)}"
    return message.removeprefix("Value error, ")
