"""What has changed from one text to the next, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from enum import Enum
from typing import NamedTuple

_TOKEN = re.compile(r"\w+(?:['’-]\w+)*|\s+|[^\w\s]")


class Change(Enum):
    """What became of a piece of text."""

    KEPT = "kept"
    REMOVED = "removed"
    ADDED = "added"


class Piece(NamedTuple):
    """A run of words."""

    change: Change
    text: str


def changes(before: str, after: str) -> list[Piece]:
    """Both texts as pieces: those kept and removed make up ``before``, those kept and added ``after``."""
    pieces: list[Piece] = []
    for old, new in _runs(before, after):
        if old == new:
            pieces.append(Piece(Change.KEPT, old))
        else:
            pieces += [Piece(Change.REMOVED, old)] if old else []
            pieces += [Piece(Change.ADDED, new)] if new else []
    return pieces


def kept_share(pieces: list[Piece]) -> float:
    """How much of the longer text is in both, from 0 to 1."""
    lengths = {change: sum(len(p.text) for p in pieces if p.change is change) for change in Change}
    longer = lengths[Change.KEPT] + max(lengths[Change.REMOVED], lengths[Change.ADDED])
    return lengths[Change.KEPT] / longer if longer else 1.0


def _runs(before: str, after: str) -> Iterator[tuple[str, str]]:
    """What stood and what stands in its place, in turns; equal where nothing changed.

    Two changes with no more than space between them are one: a reader sees words, not gaps.
    """
    old = new = ""
    for a, b in _matched(_TOKEN.findall(before), _TOKEN.findall(after)):
        if a == b and (a.strip() or old == new):
            if old or new:
                yield old, new
            yield a, b
            old = new = ""
        else:
            old, new = old + a, new + b
    if old or new:
        yield old, new


def _matched(before: list[str], after: list[str]) -> Iterator[tuple[str, str]]:
    matcher = SequenceMatcher(None, before, after)
    for _, i, j, k, m in matcher.get_opcodes():
        yield "".join(before[i:j]), "".join(after[k:m])
