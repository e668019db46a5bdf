"""A reply's fields → values: strict about what is said. How a reply may be wrapped, ``forms`` knows.

Whatever can't be read raises ``Unreadable``, whose words can be told to the model. A rating that can't be
read is never a rating, and a text in which nothing can be seen is no text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from dfj_bootstrap.domain.rationale import LEVELS, Label
from dfj_bootstrap.domain.texts import says_something, without_controls
from dfj_bootstrap.prompting.forms import Unreadable, read_fields

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

_SCORE = re.compile(r"([1-5])(?:\.0+)?(?:\s*(?:/|out of)\s*5(?:\.0+)?)?")


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


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields[name]
    text = without_controls(value) if isinstance(value, str) else ""
    if not says_something(text):
        raise Unreadable(f"the field {name} was empty or no text")
    return text
