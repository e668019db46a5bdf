"""Facts that people or runs add to the journal: what once decided decides again, on every replay.

A fact is of a kind, about one item or about one level of it; its value is whatever JSON can say. Facts of one
kind about the same thing are numbered from 1, in the order in which they came.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dfj_bootstrap.storage.journal import Records

START_OVER = "start-over"
"""A rejected level is tried anew. The first kind: of old, its records were not marked as facts."""

_KIND = re.compile(r"[a-z]+(?:-[a-z]+)*")
_KEY = re.compile(rf"({_KIND.pattern}):(0|[1-9][0-9]{{0,8}}|):([1-9][0-9]{{0,8}}):(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact.

    Attributes:
        kind: small letters and dashes.
        item_id: what it is about.
        level: of the item; ``None``: it is about the whole item.
        number: from 1, among the facts of this kind about the same.
        value: never ``None``, by which a journal says that it has no such record.
    """

    kind: str
    item_id: str
    level: int | None
    number: int
    value: Any

    def __post_init__(self) -> None:
        if not _KIND.fullmatch(self.kind) or self.value is None:
            raise ValueError(f"no kind or no value of a fact: {self.kind}, {self.value}")

    @property
    def key(self) -> str:
        """What a journal finds it by."""
        return _key(self.kind, self.item_id, self.level, self.number)


def add_fact(records: Records, kind: str, item_id: str, level: int | None, value: Any) -> Fact:
    """Record a fact behind those of its kind about the same."""
    number = len(facts_about(records, kind, item_id, level)) + 1
    fact = Fact(kind, item_id, level, number, value)
    records.append(fact.key, value, fact=kind, seed=item_id, level=level)
    return fact


def facts_about(records: Records, kind: str, item_id: str, level: int | None = None) -> list[Any]:
    """The values of all facts of a kind about an item, or about one level of it, in their order."""
    values: list[Any] = []
    while (value := records.get(_key(kind, item_id, level, len(values) + 1))) is not None:
        values.append(value)
    return values


def fact_of(record: Mapping[str, Any]) -> Fact | None:
    """The fact that a record of the journal holds; ``None`` where it is an answer or a note."""
    found = _KEY.fullmatch(record["key"])
    value = record["value"]
    if found is None or value is None or record.get("fact", START_OVER) != found[1]:
        return None
    return Fact(found[1], found[4], int(found[2]) if found[2] else None, int(found[3]), value)


def _key(kind: str, item_id: str, level: int | None, number: int) -> str:
    return f"{kind}:{'' if level is None else level}:{number}:{item_id}"
