"""What two texts have in common, as a model says: the reader of its claims and entities, matched both ways.

Counted is how many of each text's the other has too, so whatever would make a count of something else (a
list that is no list, a ``"true"`` that is no boolean, two words on the same thing) makes a reply unreadable.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dfj_bootstrap.domain.texts import says_something
from dfj_bootstrap.prompting.forms import Unreadable, read_fields
from dfj_bootstrap.prompting.judging import Opinion
from dfj_bootstrap.prompting.replies import Schema

MOST_ITEMS = 30
"""Of one list. So two whole answers hold fewer objects than ``forms`` looks at, and neither is overlooked."""

KINDS = ("claims", "entities")
TEXTS = ("reference", "candidate")

_LIST: Mapping[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"text": {"type": "string"}, "matched": {"type": "boolean"}},
        "required": ["text", "matched"],
        "additionalProperties": False,
    },
}
MATCH_FIELDS: Schema = {f"{text}_{kind}": _LIST for text in TEXTS for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Matches:
    """Of each claim or entity of a text, in its order and once, whether the other text has it too."""

    reference: tuple[bool, ...]
    candidate: tuple[bool, ...]


Matching = Mapping[str, Matches]
"""``claims`` and ``entities``."""


def read_matching(text: str, cut_off: bool) -> Opinion[Matching]:
    """The claims and entities of both texts; there is no reasoning beside them.

    Raises:
        Unreadable: a list is missing, isn't one or is too long; an item has no text or no boolean; the same
            text is matched and isn't; something is matched with a text that has nothing.
    """
    fields = read_fields(text, tuple(MATCH_FIELDS), cut_off=cut_off)
    found = {name: _flags(name, fields[name]) for name in MATCH_FIELDS}
    return {kind: _matches(kind, *(found[f"{text}_{kind}"] for text in TEXTS)) for kind in KINDS}, None


def _matches(kind: str, reference: tuple[bool, ...], candidate: tuple[bool, ...]) -> Matches:
    if (any(reference) and not candidate) or (any(candidate) and not reference):
        raise Unreadable(f"{kind} were matched with a text that was said to have none")
    return Matches(reference, candidate)


def _flags(name: str, value: object) -> tuple[bool, ...]:
    items = _parsed(name, value) if isinstance(value, str) else value
    if not isinstance(items, list):
        raise Unreadable(f"{name} must be a list")
    if len(items) > MOST_ITEMS:
        raise Unreadable(f"{name} has {len(items)} items; the most is {MOST_ITEMS}")
    flags: dict[str, bool] = {}
    for text, matched in (_item(name, item) for item in items):
        if flags.setdefault(text, matched) is not matched:
            raise Unreadable(f"{name} has the same text twice, once matched and once not")
    return tuple(flags.values())


def _parsed(name: str, text: str) -> object:
    """A list that stands between tags."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable(f"{name} must be a list in JSON") from None


def _item(name: str, item: object) -> tuple[str, bool]:
    text, matched = (item.get("text"), item.get("matched")) if isinstance(item, dict) else (None, None)
    if not isinstance(text, str) or not says_something(text):
        raise Unreadable(f"an item of {name} has no text")
    if not isinstance(matched, bool):
        raise Unreadable(f"in an item of {name} matched must be true or false")
    return " ".join(text.casefold().split()), matched
