"""What rows of the input have to do with each other: ids, pictures, groups and what an earlier plan held.

It lives in a temporary SQLite file, so that a million seeds cost no memory; names are kept as 128-bit hashes.

A picture that stands under two labels is wrong under one of them, and nobody can say which: none of its rows
is used. Those that were admitted before the other label was met are withdrawn; those of an earlier plan stay,
for work on them is done.
"""

from __future__ import annotations

import sqlite3
import tempfile
from array import array
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeAlias

from dfj_bootstrap.domain.rationale import Label
from dfj_bootstrap.domain.seed import Seed, Split
from dfj_bootstrap.intake.seed_rows import Refusal, SeedRow, derived_id

SplitOf: TypeAlias = Callable[[str], Split]
"""The split of a group for which no row names one."""

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -8000;
CREATE TABLE ids (id BLOB PRIMARY KEY, file TEXT, line INTEGER) WITHOUT ROWID;
CREATE TABLE pictures (digest BLOB, label TEXT, grp BLOB, ordinal INTEGER, file TEXT, line INTEGER, id TEXT);
CREATE INDEX by_digest ON pictures (digest, label, ordinal);
CREATE TABLE withdrawn (ordinal INTEGER PRIMARY KEY, file TEXT, line INTEGER, id TEXT, label TEXT,
  other_file TEXT, other_line INTEGER);
CREATE TABLE groups (grp BLOB PRIMARY KEY, split TEXT, file TEXT, line INTEGER, bare INTEGER, drawn INTEGER)
  WITHOUT ROWID;
CREATE TABLE earlier (id BLOB PRIMARY KEY, content BLOB, ordinal INTEGER) WITHOUT ROWID;
"""
# pictures.ordinal: of the row's seed; NULL once the row is turned down because of its label.
# groups.bare: some row names no split; groups.drawn: the earlier plan had the group's split drawn by hash.
# earlier: seeds of the earlier plan that have not been met again.


class Planned(NamedTuple):
    """What an earlier plan held of a seed."""

    content: bytes
    ordinal: int


class SeedIndex:
    """An index over the good rows of one reading; a context manager that leaves nothing behind."""

    def __init__(self, split_of: SplitOf | None = None) -> None:
        self._split_of = split_of
        self._planned = 0
        self._folder = tempfile.TemporaryDirectory(prefix="dfj-plan-")
        self._db = sqlite3.connect(Path(self._folder.name, "index.sqlite"), isolation_level=None)
        self._db.executescript(_TABLES)
        self._db.execute("BEGIN")

    def __enter__(self) -> SeedIndex:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()
        self._folder.cleanup()

    def remember(self, seed: Seed, content: bytes) -> None:
        """Enter a seed of the earlier plan; ``content`` is the digest of its row."""
        self._planned += 1
        group = _key(seed.group)
        self._db.execute("INSERT INTO earlier VALUES (?, ?, ?)", (_key(seed.id), content, seed.ordinal))
        self._enter_picture(seed, seed.ordinal, None, None)
        self._db.execute(
            "INSERT OR IGNORE INTO groups VALUES (?, ?, NULL, NULL, 0, ?)",
            (group, seed.split, seed.split is None),
        )

    @property
    def planned(self) -> int:
        """How many seeds the earlier plan held; their ordinals are the first ones."""
        return self._planned

    def earlier(self, seed_id: str) -> Planned | None:
        """A seed of the earlier plan that has not been met again yet."""
        found = self._one("SELECT content, ordinal FROM earlier WHERE id = ?", _key(seed_id))
        return Planned(*found) if found else None

    def missing(self) -> bool:
        """Whether seeds of the earlier plan have not been met again."""
        return self._one("SELECT 1 FROM earlier LIMIT 1") is not None

    def objection(self, row: SeedRow) -> tuple[str, str] | None:
        """The field of a row that other rows rule out, and why; ``None`` where none does."""
        return self._relabelled(row) or self._repeated(row) or self._regrouped(row) or self._torn(row)

    def admit(self, row: SeedRow, ordinal: int) -> None:
        """Enter a good row; one of the earlier plan has the ordinal that it had there."""
        seed, place = row.seed, (row.file, row.line)
        group = _key(seed.group)
        self._db.execute("DELETE FROM earlier WHERE id = ?", (_key(seed.id),))
        self._db.execute("INSERT INTO ids VALUES (?, ?, ?)", (_key(seed.id), *place))
        if ordinal >= self._planned:
            self._enter_picture(seed, ordinal, *place)
        self._db.execute("INSERT OR IGNORE INTO groups VALUES (?, NULL, NULL, NULL, 0, 0)", (group,))
        if seed.split is None:
            self._db.execute("UPDATE groups SET bare = 1 WHERE grp = ?", (group,))
        else:
            self._db.execute(
                "UPDATE groups SET split = ?, file = ?, line = ? WHERE grp = ? AND split IS NULL",
                (seed.split, *place, group),
            )

    def withdraw(self, row: SeedRow) -> int:
        """Turn down the rows of this reading that show a row's picture under another label; how many."""
        shown = (_raw(row.seed.image.digest), *_others(row.seed.label), self._planned)
        which = "FROM pictures WHERE digest = ? AND label IN (?, ?) AND ordinal >= ?"
        found = self._db.execute(
            f"INSERT INTO withdrawn SELECT ordinal, file, line, id, ?, ?, ? {which}",
            (row.seed.label, row.file, row.line, *shown),
        )
        self._db.execute(f"UPDATE pictures SET ordinal = NULL WHERE rowid IN (SELECT rowid {which})", shown)
        self._enter_picture(row.seed, None, row.file, row.line)
        return found.rowcount

    def withdrawals(self) -> Iterator[Refusal]:
        """What is to be said of the rows that were turned down after they had been admitted."""
        for _, file, line, seed_id, label, other_file, other_line in self._db.execute(
            "SELECT * FROM withdrawn ORDER BY ordinal"
        ):
            why = _two_labels(_place(file, other_file, other_line), label)
            yield Refusal(file, line, seed_id, "label", why)

    def withdrawn(self) -> Sequence[int]:
        """Their ordinals, ascending."""
        return array("q", (n for (n,) in self._db.execute("SELECT ordinal FROM withdrawn ORDER BY ordinal")))

    def any_inherit(self) -> bool:
        """Whether some row without a split stands in a group with one."""
        return self._one("SELECT 1 FROM groups WHERE bare AND split IS NOT NULL LIMIT 1") is not None

    def split_named(self, group: str) -> str | None:
        """The split that some row of a group names."""
        found = self._one("SELECT split FROM groups WHERE grp = ?", _key(group))
        return found[0] if found else None

    def _enter_picture(self, seed: Seed, ordinal: int | None, file: str | None, line: int | None) -> None:
        values = (_raw(seed.image.digest), seed.label, _key(seed.group), ordinal, file, line, seed.id)
        self._db.execute("INSERT INTO pictures VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def _relabelled(self, row: SeedRow) -> tuple[str, str] | None:
        found = self._one(
            "SELECT file, line, label FROM pictures WHERE digest = ? AND label IN (?, ?) LIMIT 1",
            _raw(row.seed.image.digest),
            *_others(row.seed.label),
        )
        return ("label", _two_labels(_place(row.file, *found[:2]), found[2])) if found else None

    def _repeated(self, row: SeedRow) -> tuple[str, str] | None:
        found = self._one("SELECT file, line FROM ids WHERE id = ?", _key(row.seed.id))
        if not found:
            return None
        where = _place(row.file, *found)
        if row.seed.id == derived_id(row.seed.image.digest):
            return "id", f"{where} has the same picture; give each row an id of its own"
        return "id", f"{where} has this id already"

    def _regrouped(self, row: SeedRow) -> tuple[str, str] | None:
        picture = _raw(row.seed.image.digest)
        found = self._one("SELECT grp, file, line FROM pictures WHERE digest = ? LIMIT 1", picture)
        if not found or found[0] == _key(row.seed.group):
            return None
        where = _place(row.file, *found[1:])
        return "group", f"{where} has the same picture in another group; give both the same"

    def _torn(self, row: SeedRow) -> tuple[str, str] | None:
        split, group = row.seed.split, row.seed.group
        found = self._one("SELECT split, drawn, file, line FROM groups WHERE grp = ?", _key(group))
        if split is None or not found:
            return None
        named, drawn, file, line = found
        if drawn and named is None and self._split_of and self._split_of(group) is not split:
            return "split", f"this run has the group in the {self._split_of(group)} split already"
        if named not in (None, split):
            return "split", f"{_place(row.file, file, line)} has the group in the {named} split"
        return None

    def _one(self, query: str, *values: object) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._db.execute(query, values).fetchone()
        return row


def _place(here: str, file: str | None, line: int | None) -> str:
    """Where another row stands, seen from a row of the file ``here``."""
    if line is None:
        return "an earlier row of this run"
    return f"line {line}" if file == here else f"line {line} of {file}"


def _others(label: Label) -> tuple[Label, ...]:
    """The two other labels, one by one: an index finds a row by what its label is, not by what it isn't."""
    return tuple(other for other in Label if other is not label)


def _two_labels(where: str, label: str) -> str:
    return f"{where} has the same picture as {label}, so one of the two labels is wrong; correct it"


def _key(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=16).digest()


def _raw(digest: str) -> bytes:
    return bytes.fromhex(digest)
