"""Tables of words, written as prose, as sets and mappings. The words of a mapping go by their stems too."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dfj_bootstrap.language.stems import rough_stem, stem


def words_of(text: str) -> frozenset[str]:
    """The words of a table that has no order."""
    return frozenset(text.split())


def rough_stems_of(text: str) -> frozenset[str]:
    """The rough stems of such a table's words."""
    return frozenset(rough_stem(word) for word in words_of(text))


def poles_of(lines: str) -> dict[str, tuple[str, int]]:
    """``name: plus words | minus words`` → word and stem → (name, pole); the first line wins."""
    table: dict[str, tuple[str, int]] = {}
    for line in re.sub(r"\n\s+\|", " |", lines.strip()).splitlines():
        name, _, words = line.partition(":")
        for pole, side in zip((1, -1), words.split("|"), strict=True):
            for word in side.split():
                table.setdefault(word, (name, pole))
    for word, entry in list(table.items()):
        table.setdefault(stem(word), entry)
    return table


def names_of(groups: Iterable[str]) -> dict[str, str]:
    """Groups of names → name and stem → the first of its group."""
    table: dict[str, str] = {}
    for names in (group.split() for group in groups if group.strip()):
        for name in names:
            table.setdefault(name, names[0])
            table.setdefault(stem(name), names[0])
    return table


def kin_of(lines: str) -> dict[str, frozenset[str]]:
    """``whole: parts`` → each of them → the names that it can stand for, or that can stand for it."""
    kin: dict[str, set[str]] = {}
    for line in lines.strip().splitlines():
        whole, _, parts = line.partition(":")
        for part in parts.split():
            kin.setdefault(whole, set()).add(part)
            kin.setdefault(part, set()).add(whole)
    return {name: frozenset(names) for name, names in kin.items()}
