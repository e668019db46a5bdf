"""What a judge or a detector is asked, and what its replies say.

A trained judge answers in the form that it was trained on: tags, of which the reasoning may be missing. JSON
objects of the same fields are read too. An answer that can't be read is none, and nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

from dfj_bootstrap.calls.call import IMAGE
from dfj_bootstrap.domain.rationale import LEVELS, Label
from dfj_bootstrap.domain.texts import without_controls
from dfj_bootstrap.prompting.forms import Unreadable, read_fields
from dfj_bootstrap.prompting.replies import RATIONALE_FIELDS, Schema, read_label, read_score
from dfj_bootstrap.prompting.templates import Form, Prompt, fill

T = TypeVar("T")

Opinion: TypeAlias = tuple[T, str | None]
"""What is said, and the reasoning behind it, if any is given."""

SIDES = ("A", "B")
"""What may be said of two texts."""

TIES = ("tie", "both_bad")
"""What may be said of them where ties are taken."""

_OF_A_PICTURE = frozenset({"ground_truth_label", "query"})

POINTWISE = Form(_OF_A_PICTURE | {"candidate_response"}, frozenset({"candidate_response"}), True, {}, True)
PAIRWISE = Form(
    _OF_A_PICTURE | {"response_a", "response_b"}, frozenset({"response_a", "response_b"}), True, {}, True
)
CLAIMS = Form(
    _OF_A_PICTURE | {"reference", "candidate_response"},
    frozenset({"reference", "candidate_response"}),
    True,
    {},
    True,
)
DETECTOR = Form(frozenset({"query"}), frozenset(), True, {}, True)

SCORE_FIELDS: Schema = {
    "reasoning": {"type": "string"},
    "score": {"type": "integer", "enum": list(LEVELS)},
}
LABEL_FIELDS = RATIONALE_FIELDS

_TAG = re.compile("<image>")
_PLACED = re.compile(r"<image>|(?<!\{)\{image\}(?!\})")
_BOTH_BAD = re.compile(r"both[\s_-]bad")


def choice_fields(*, ties: bool) -> Schema:
    """The form of a choice between two texts."""
    return {"answer": {"type": "string", "enum": [*SIDES, *(TIES if ties else ())]}}


def question(prompt: Prompt, values: Mapping[str, str]) -> tuple[str, ...]:
    """A prompt's text with values filled in, and the picture, which stands in front unless it is placed."""
    return _around_the_picture(prompt.text, _PLACED, lambda part: fill(part, values))


def question_on_texts(prompt: Prompt, values: Mapping[str, str]) -> tuple[str, ...]:
    """As ``question``, but the picture is shown only where the prompt places it."""
    parts = question(prompt, values)
    return parts if _PLACED.search(prompt.text) else parts[1:]


def whole_turn(turn: str) -> tuple[str, ...]:
    """A user's turn as it stands, with the picture in place of its tag."""
    return _around_the_picture(turn.replace("\0", ""), _TAG, str)


def read_opinion(text: str, cut_off: bool) -> Opinion[int]:
    """A score from 1 to 5.

    Raises:
        Unreadable: there is none.
    """
    return _read(text, "score", read_score, cut_off)


def read_label_opinion(text: str, cut_off: bool) -> Opinion[Label]:
    """The class of a picture.

    Raises:
        Unreadable: there is none.
    """
    return _read(text, "answer", read_label, cut_off)


def choice_reader(*, ties: bool) -> Callable[[str, bool], Opinion[str]]:
    """Reads a choice between two texts; raises ``Unreadable`` where there is none."""
    known = {choice.lower(): choice for choice in (*SIDES, *(TIES if ties else ()))}

    def choice(value: object) -> str:
        word = value.strip(" \t\n.,;:!*`\"'").lower() if isinstance(value, str) else ""
        found: str | None = known.get(_BOTH_BAD.sub("both_bad", word))
        if found is None:
            raise Unreadable(f"the answer must be one of {', '.join(known.values())}")
        return found

    return lambda text, cut_off: _read(text, "answer", choice, cut_off)


def _read(text: str, name: str, value: Callable[[object], T], cut_off: bool) -> Opinion[T]:
    fields = read_fields(text, ("reasoning", name), cut_off=cut_off, optional=("reasoning",))
    reasoning = fields.get("reasoning")
    return value(fields[name]), (without_controls(reasoning) or None) if isinstance(reasoning, str) else None


def _around_the_picture(text: str, picture: re.Pattern[str], made: Callable[[str], str]) -> tuple[str, ...]:
    place = picture.search(text)
    if place is None:
        return (IMAGE, made(text))
    parts = (made(text[: place.start()]), IMAGE, made(text[place.end() :]))
    return tuple(part for part in parts if part.strip())
