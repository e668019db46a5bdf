"""Text into sentences, words and stems. Any text is legal input; the work is linear in its length."""

from __future__ import annotations

import re
from functools import lru_cache

_END = re.compile(r"(?<=[.!?])[\"')\]]?\s+(?=\S)|(?<=[\u3002\uff01\uff1f])|[\r\n]+")
_HAN = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_TOKEN = re.compile(rf"[{_HAN}]|[^\W\d_{_HAN}]+(?:['’][^\W\d_{_HAN}]+)?|\d+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]+")

_SUFFIXES = ("ings", "ing", "edly", "ed", "ness", "ly", "es", "s", "y", "e")


def vocabulary(words: str) -> frozenset[str]:
    """The words of a list that is written as prose."""
    return frozenset(words.split())


def clean(text: str) -> str:
    """The text on one line, without control characters and doubled spaces."""
    return " ".join(_CONTROL.sub(" ", text).split())


@lru_cache(maxsize=256)
def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a text in order, cleaned, none of them empty."""
    parts = (clean(part) for part in _END.split(text) if part)
    return tuple(part for part in parts if part)


@lru_cache(maxsize=512)
def tokens(text: str) -> tuple[str, ...]:
    """Lower-case words and numbers; a Han, Kana or Hangul character is a word of its own."""
    return tuple(token.replace("’", "'") for token in _TOKEN.findall(text.lower()))


def word_count(text: str) -> int:
    """Words as separated by white space: the measure of length throughout."""
    return len(text.split())


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A crude stem: enough to see that ``smears``, ``smeared`` and ``smearing`` are one word."""
    base = word.removesuffix("'s").removesuffix("'")
    if base.endswith("ies") and len(base) > 4:
        base = base[:-3] + "y"
    for suffix in _SUFFIXES:
        if base.endswith(suffix) and len(base) - len(suffix) >= 3 and not base.endswith("ss"):
            base = base[: -len(suffix)]
            break
    if len(base) > 4 and base[-1] == base[-2] and base[-1] not in "ls":
        base = base[:-1]
    return base.removesuffix("e") if len(base) > 4 else base


def capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


_PROPER = re.compile(r"^(?:I|AI|[A-Z][A-Z0-9]+)\b")


def uncapitalised(text: str) -> str:
    """The sentence as it continues after a comma; abbreviations keep their capitals."""
    return text if _PROPER.match(text) else text[:1].lower() + text[1:]
