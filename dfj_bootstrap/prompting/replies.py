"""A reply's text → its fields: strict about what is said, kind about how it is wrapped.

Read are a JSON object (alone, in a code fence, or amid other text) and tagged text
(``<reasoning>…</reasoning>``), whichever begins first; text inside a field is never searched for further
fields, so braces and tags in it stay as they are. Whatever can't be read raises ``Unreadable``, whose words
can be told to the model. A rating that can't be read is never a rating.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from dfj_bootstrap.domain.rationale import LEVELS, Label
from dfj_bootstrap.prompting.text import clean

T = TypeVar("T")

Schema: TypeAlias = Mapping[str, Mapping[str, Any]]

Reader: TypeAlias = Callable[[str, bool], T]
"""Takes a reply's text and whether it was cut off; raises ``Unreadable``."""

_TEXT: Mapping[str, Any] = {"type": "string"}

RATIONALE_FIELDS: Schema = {
    "reasoning": _TEXT,
    "answer": {"type": "string", "enum": [label.value for label in Label]},
}
"""The reply of generator, writer and paraphraser."""

RATING_FIELDS: Schema = {
    "reasoning": _TEXT,
    "feedback": _TEXT,
    "score": {"type": "integer", "enum": list(LEVELS)},
}
"""The reply of the evaluator."""

CRITIQUE_FIELDS: Schema = {"reasoning": _TEXT, "feedback": _TEXT}
"""The reply of the evaluator that argues for a given score."""

_THINKING = re.compile(r"\A\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_SCORE = re.compile(r"([1-5])(?:\.0+)?(?:\s*(?:/|out of)\s*5(?:\.0+)?)?")
_MAX_OBJECTS = 32
_DECODER = json.JSONDecoder(strict=False)


class Unreadable(Exception):
    """A reply that can't be used; ``str()`` says why, shortly, in words that the model may be told."""


@dataclass(frozen=True, slots=True)
class Rating:
    """What an evaluator replied: ``score`` is one of 1–5."""

    score: int
    feedback: str
    reasoning: str


def read_rationale(text: str, *, cut_off: bool = False) -> tuple[str, Label]:
    """Reasoning and answer of a generator's, writer's or paraphraser's reply.

    Args:
        cut_off: the model ran into its token limit; then a field that isn't closed is no field.

    Raises:
        Unreadable: a field is missing or empty, or the answer is none of the labels.
    """
    fields = read_fields(text, tuple(RATIONALE_FIELDS), cut_off=cut_off)
    return _text(fields, "reasoning"), read_label(fields["answer"])


def read_rating(text: str, *, cut_off: bool = False) -> Rating:
    """Score, feedback and reasoning of an evaluator's reply.

    Raises:
        Unreadable: a field is missing or empty, or the score isn't one whole number from 1 to 5.
    """
    fields = read_fields(text, tuple(RATING_FIELDS), cut_off=cut_off)
    return Rating(read_score(fields["score"]), _text(fields, "feedback"), _text(fields, "reasoning"))


def read_critique(text: str, *, cut_off: bool = False) -> str:
    """The feedback of a reply that argues for a given score.

    Raises:
        Unreadable: the feedback is missing or empty.
    """
    return _text(read_fields(text, ("feedback",), cut_off=cut_off), "feedback")


def read_label(value: object) -> Label:
    """A label, whatever its case and the punctuation around it.

    Raises:
        Unreadable: it is something else.
    """
    word = value.strip(" \t\n.,;:!*`\"'").casefold() if isinstance(value, str) else ""
    try:
        return Label(word)
    except ValueError:
        raise Unreadable(f"the answer must be one of {', '.join(Label)}") from None


def read_score(value: object) -> int:
    """``4``, ``"4"``, ``"4.0"``, ``"4/5"`` or ``"4 out of 5"`` as a number.

    Raises:
        Unreadable: it is no whole number from 1 to 5.
    """
    text = str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""
    match = _SCORE.fullmatch(text.strip(" \t\n.*`\"'"))
    if match is None:
        raise Unreadable("the score must be one whole number from 1 to 5")
    return int(match[1])


def read_fields(text: str, names: Sequence[str], *, cut_off: bool = False) -> dict[str, object]:
    """The named fields of a reply, as they stand there; further fields are left out.

    Raises:
        Unreadable: there is no reply, a field is missing, or two different replies stand in one text.
    """
    text = _THINKING.sub("", text)
    if not text.strip():
        raise Unreadable("the reply was empty")
    tags = _opening(names).search(text)
    found = list(_objects(text, names, tags.start() if tags else len(text)))
    if found:
        if any(other != found[0] for other in found):
            raise Unreadable("the reply holds two different answers")
        return found[0]
    if tags is None:
        raise Unreadable(f"the reply was not a JSON object with the fields {', '.join(names)}")
    return _tagged(text, names, cut_off)


def _objects(text: str, names: Sequence[str], before: int) -> Iterator[dict[str, object]]:
    """The JSON objects that have all the fields; the first one must begin before ``before``."""
    start, tried, some = text.find("{"), 0, False
    while start != -1 and tried < _MAX_OBJECTS and (some or start < before):
        tried += 1
        try:
            value, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            fields = _named(value, names)
            if fields is None:
                end = start + 1
            else:
                some = True
                yield fields
        start = text.find("{", end)


def _named(value: object, names: Sequence[str]) -> dict[str, object] | None:
    if not isinstance(value, dict):
        return None
    by_name = {key.strip().lower(): each for key, each in value.items()}
    if not all(name in by_name for name in names):
        return None
    return {name: by_name[name] for name in names}


def _tagged(text: str, names: Sequence[str], cut_off: bool) -> dict[str, object]:
    """The fields of tagged text, one after the other, in any order."""
    fields: dict[str, object] = {}
    opening = _opening(names)
    match = opening.search(text)
    while match:
        name = match[1].lower()
        value, end = _content(text, name, match.end(), names, cut_off)
        if fields.setdefault(name, value) != value:
            raise Unreadable(f"the reply holds two different values of {name}")
        match = opening.search(text, end)
    missing = [name for name in names if name not in fields]
    if missing:
        raise Unreadable(f"the reply has no {' and no '.join(missing)}")
    return fields


def _content(text: str, name: str, start: int, names: Sequence[str], cut_off: bool) -> tuple[str, int]:
    """What a tag holds, and where the text goes on. Without its closing tag it ends at the next field."""
    closing = re.compile(f"</{name}>", re.IGNORECASE).search(text, start)
    if closing:
        return text[start : closing.start()].strip(), closing.end()
    if cut_off:
        raise Unreadable(f"the reply was cut off inside {name}")
    others = [other for other in names if other != name]
    following = _opening(others).search(text, start) if others else None
    end = following.start() if following else len(text)
    return text[start:end].strip(), end


def _opening(names: Sequence[str]) -> re.Pattern[str]:
    return re.compile(f"<({'|'.join(names)})>", re.IGNORECASE)


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields[name]
    text = clean(value) if isinstance(value, str) else ""
    if not text:
        raise Unreadable(f"the field {name} was empty or no text")
    return text
