"""What rows of the input have to do with each other: ids, pictures, groups and what an earlier plan held.

It lives in a temporary SQLite file, so that a million seeds cost no memory; names are kept as 128-bit hashes.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

from dfj_bootstrap.domain.seed import Seed, Split
from dfj_bootstrap.storage.seed_rows import SeedRow, derived_id

SplitOf: TypeAlias = Callable[[str], Split]
"""The split of a group for which no row names one."""

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -8000;
CREATE TABLE ids (id BLOB PRIMARY KEY, file TEXT, line INTEGER) WITHOUT ROWID;
CREATE TABLE pictures (digest BLOB PRIMARY KEY, grp BLOB, file TEXT, line INTEGER) WITHOUT ROWID;
CREATE TABLE groups (grp BLOB PRIMARY KEY, split TEXT, file TEXT, line INTEGER, bare INTEGER, drawn INTEGER)
  WITHOUT ROWID;
CREATE TABLE earlier (id BLOB PRIMARY KEY, content BLOB) WITHOUT ROWID;
"""
# groups.bare: some row names no split; groups.drawn: the earlier plan had the group's split drawn by hash.
# earlier: seeds of the earlier plan that have not been met again.


class SeedIndex:
    """An index over the good rows of one reading; a context manager that leaves nothing behind."""

    def __init__(self, split_of: SplitOf | None = None) -> None:
        self._split_of = split_of
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
        group = _key(seed.group)
        self._db.execute("INSERT INTO earlier VALUES (?, ?)", (_key(seed.id), content))
        self._db.execute(
            "INSERT OR IGNORE INTO pictures VALUES (?, ?, NULL, NULL)", (_raw(seed.image.digest), group)
        )
        self._db.execute(
            "INSERT OR IGNORE INTO groups VALUES (?, ?, NULL, NULL, 0, ?)",
            (group, seed.split, seed.split is None),
        )

    def earlier_content(self, seed_id: str) -> bytes | None:
        """The digest of a row of the earlier plan that has not been met again yet."""
        found = self._one("SELECT content FROM earlier WHERE id = ?", _key(seed_id))
        return found[0] if found else None

    def missing(self) -> bool:
        """Whether seeds of the earlier plan have not been met again."""
        return self._one("SELECT 1 FROM earlier LIMIT 1") is not None

    def objection(self, row: SeedRow) -> tuple[str, str] | None:
        """The field of a row that other rows rule out, and why; ``None`` where none does."""
        return self._repeated(row) or self._regrouped(row) or self._torn(row)

    def admit(self, row: SeedRow) -> None:
        """Enter a good row."""
        seed, place = row.seed, (row.file, row.line)
        group = _key(seed.group)
        self._db.execute("DELETE FROM earlier WHERE id = ?", (_key(seed.id),))
        self._db.execute("INSERT INTO ids VALUES (?, ?, ?)", (_key(seed.id), *place))
        self._db.execute(
            "INSERT OR IGNORE INTO pictures VALUES (?, ?, ?, ?)", (_raw(seed.image.digest), group, *place)
        )
        self._db.execute("INSERT OR IGNORE INTO groups VALUES (?, NULL, NULL, NULL, 0, 0)", (group,))
        if seed.split is None:
            self._db.execute("UPDATE groups SET bare = 1 WHERE grp = ?", (group,))
        else:
            self._db.execute(
                "UPDATE groups SET split = ?, file = ?, line = ? WHERE grp = ? AND split IS NULL",
                (seed.split, *place, group),
            )

    def any_inherit(self) -> bool:
        """Whether some row without a split stands in a group with one."""
        return self._one("SELECT 1 FROM groups WHERE bare AND split IS NOT NULL LIMIT 1") is not None

    def split_named(self, group: str) -> str | None:
        """The split that some row of a group names."""
        found = self._one("SELECT split FROM groups WHERE grp = ?", _key(group))
        return found[0] if found else None

    def _repeated(self, row: SeedRow) -> tuple[str, str] | None:
        found = self._one("SELECT file, line FROM ids WHERE id = ?", _key(row.seed.id))
        if not found:
            return None
        if row.seed.id == derived_id(row.seed.image.digest):
            return "id", f"{_place(row, *found)} has the same picture; give each row an id of its own"
        return "id", f"{_place(row, *found)} has this id already"

    def _regrouped(self, row: SeedRow) -> tuple[str, str] | None:
        picture = _raw(row.seed.image.digest)
        found = self._one("SELECT grp, file, line FROM pictures WHERE digest = ?", picture)
        if not found or found[0] == _key(row.seed.group):
            return None
        return "group", f"{_place(row, *found[1:])} has the same picture in another group; give both the same"

    def _torn(self, row: SeedRow) -> tuple[str, str] | None:
        split, group = row.seed.split, row.seed.group
        found = self._one("SELECT split, drawn, file, line FROM groups WHERE grp = ?", _key(group))
        if split is None or not found:
            return None
        named, drawn, file, line = found
        if drawn and named is None and self._split_of and self._split_of(group) is not split:
            return "split", f"this run has the group in the {self._split_of(group)} split already"
        if named not in (None, split):
            return "split", f"{_place(row, file, line)} has the group in the {named} split"
        return None

    def _one(self, query: str, *values: bytes) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._db.execute(query, values).fetchone()
        return row


def _place(row: SeedRow, file: str | None, line: int | None) -> str:
    """Where another row stands, seen from ``row``."""
    if line is None:
        return "an earlier row of this run"
    return f"line {line}" if file == row.file else f"line {line} of {file}"


def _key(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=16).digest()


def _raw(digest: str) -> bytes:
    return bytes.fromhex(digest)
