"""Text into sentences, and a sentence at the start or within another. Any text is legal input."""

from __future__ import annotations

import re
from functools import lru_cache

_END = re.compile(r"(?<=[.!?])[\"')\]]?\s+(?=\S)|(?<=[\u3002\uff01\uff1f])|[\r\n]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]+")
_PROPER = re.compile(r"^(?:I|AI|[A-Z][A-Z0-9]+)\b")


def on_one_line(text: str) -> str:
    """The text on one line, without control characters and doubled spaces."""
    return " ".join(_CONTROL.sub(" ", text).split())


@lru_cache(maxsize=256)
def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a text in order, each on one line, none of them empty."""
    parts = (on_one_line(part) for part in _END.split(text) if part)
    return tuple(part for part in parts if part)


def capitalised(text: str) -> str:
    """The sentence as it starts."""
    return text[:1].upper() + text[1:]


def uncapitalised(text: str) -> str:
    """The sentence as it continues after a comma; abbreviations keep their capitals."""
    return text if _PROPER.match(text) else text[:1].lower() + text[1:]
