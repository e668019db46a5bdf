"""One pass over the rows: every fault, every picture opened, every length, and how the rows are spread.

Invariant: memory grows with the pictures and with what is wrong, never with the rows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from dfj_bootstrap.domain.resizing import MAX_RATIO
from dfj_bootstrap.intake.images import BadImage, open_image
from dfj_bootstrap.training.lengths import Lengths
from dfj_bootstrap.training.recipe import Task
from dfj_bootstrap.training.rows import Fault, Row, read_rows

MOST_KEPT = 1000
"""Faults of one kind that are kept by name; the rest is counted."""


@dataclass(slots=True)
class Survey:
    """What the rows of a file are.

    Attributes:
        rows: all lines that hold anything.
        faults: the first of each check; ``found`` counts all.
        spread: what → value → rows: ``label``, ``level`` (of a score), ``answer``.
    """

    rows: int = 0
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    found: Counter[str] = field(default_factory=Counter)
    spread: dict[str, Counter[str]] = field(default_factory=dict)
    pictures: int = 0

    def note(self, fault: Fault) -> None:
        """Keep a fault, or count it."""
        self.found[fault.check] += 1
        kept = self.faults.setdefault(fault.check, [])
        if len(kept) < MOST_KEPT:
            kept.append(fault)

    def count(self, what: str, value: str) -> None:
        """Count a row under a value."""
        self.spread.setdefault(what, Counter())[value] += 1


def survey(path: Path, task: Task, lengths: Lengths) -> Survey:
    """Look at every row of a file, and at every picture once."""
    found, album = Survey(), _Album(path.parent)
    seen = 0
    for item in read_rows(path, task):
        if isinstance(item, Fault):
            found.note(item)
            found.rows += item.line != seen
            seen = item.line
            continue
        seen = item.line
        found.rows += 1
        _spread(found, item, task)
        _measure(found, item, album, lengths)
    lengths.finish()
    found.pictures = len(album)
    return found


def _spread(found: Survey, row: Row, task: Task) -> None:
    if isinstance(row.facts.get("label"), str):
        found.count("label", row.facts["label"])
    if row.said:
        found.count("level" if task is Task.POINTWISE else "answer", row.said)


def _measure(found: Survey, row: Row, album: _Album, lengths: Lengths) -> None:
    sizes, bad = [], ""
    for name in row.images:
        seen = album.open(name)
        if isinstance(seen, str):
            bad = f"{name}: {seen}"
        else:
            sizes.append(seen)
    if bad:
        found.note(Fault("images", row.id, row.line, bad))
    else:
        lengths.add(row, sizes)


class _Album:
    """The pictures of a file's rows, each opened and decoded once: its size, or why it can't be used."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: dict[str, tuple[int, int] | str] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def open(self, name: str) -> tuple[int, int] | str:
        if name not in self._seen:
            self._seen[name] = self._opened(name)
        return self._seen[name]

    def _opened(self, name: str) -> tuple[int, int] | str:
        path = Path(name)
        root, inside = (path.parent, path.name) if path.is_absolute() else (self._root, name)
        try:
            picture = open_image(root, inside)
        except BadImage as bad:
            return str(bad)
        longer, shorter = sorted((picture.width, picture.height), reverse=True)
        if longer / shorter > MAX_RATIO:
            return f"one side is more than {MAX_RATIO} times the other, which training refuses"
        return picture.width, picture.height


def leave_out(source: Path, target: Path, lines: dict[int, tuple[str, int]]) -> None:
    """Copy a file of rows without some of its lines, which are numbered from 1."""
    with source.open("rb") as rows, target.open("wb") as kept:
        for number, line in enumerate(rows, start=1):
            if number not in lines:
                kept.write(line)
