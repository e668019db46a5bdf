"""What rows of the input have to do with each other: ids that repeat, and what an earlier plan held.

It lives in a temporary SQLite file, so that a million rows cost no memory; names are kept as 128-bit hashes.
A job whose rows have more to do with each other adds tables and objections of its own (``seed_index.py``).
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, NamedTuple

from dfj_bootstrap.intake.item_rows import Item, ItemRow, Refusal

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -8000;
CREATE TABLE ids (id BLOB PRIMARY KEY, file TEXT, line INTEGER) WITHOUT ROWID;
CREATE TABLE earlier (id BLOB PRIMARY KEY, content BLOB, ordinal INTEGER) WITHOUT ROWID;
"""
# earlier: items of the earlier plan that have not been met again.


class Planned(NamedTuple):
    """What an earlier plan held of an item."""

    content: bytes
    ordinal: int


class ItemIndex(Generic[Item]):
    """An index over the good rows of one reading; a context manager that leaves nothing behind."""

    def __init__(self, tables: str = "") -> None:
        """``tables``: SQL that makes further ones."""
        self._planned = 0
        self._folder = tempfile.TemporaryDirectory(prefix="dfj-plan-")
        self._db = sqlite3.connect(Path(self._folder.name, "index.sqlite"), isolation_level=None)
        self._db.executescript(_TABLES + tables)
        self._db.execute("BEGIN")

    def __enter__(self) -> ItemIndex[Item]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()
        self._folder.cleanup()

    def remember(self, item_id: str, item: Item, planned: Planned) -> None:
        """Enter an item of the earlier plan."""
        self._planned += 1
        self._db.execute("INSERT INTO earlier VALUES (?, ?, ?)", (key(item_id), *planned))

    @property
    def planned(self) -> int:
        """How many items the earlier plan held; their ordinals are the first ones."""
        return self._planned

    def earlier(self, item_id: str) -> Planned | None:
        """An item of the earlier plan that has not been met again yet."""
        found = self._one("SELECT content, ordinal FROM earlier WHERE id = ?", key(item_id))
        return Planned(*found) if found else None

    def missing(self) -> bool:
        """Whether items of the earlier plan have not been met again."""
        return self._one("SELECT 1 FROM earlier LIMIT 1") is not None

    def objection(self, row: ItemRow[Item]) -> tuple[str, str] | None:
        """The field of a row that other rows rule out, and why; ``None`` where none does."""
        found = self._one("SELECT file, line FROM ids WHERE id = ?", key(row.id))
        if not found:
            return None
        where = place(row.file, *found)
        if row.derived_from:
            return "id", f"{where} has the same {row.derived_from}; give each row an id of its own"
        return "id", f"{where} has this id already"

    def admit(self, row: ItemRow[Item], ordinal: int) -> None:
        """Enter a good row; one of the earlier plan has the ordinal that it had there."""
        self._db.execute("DELETE FROM earlier WHERE id = ?", (key(row.id),))
        self._db.execute("INSERT INTO ids VALUES (?, ?, ?)", (key(row.id), row.file, row.line))

    def turned_down(self, row: ItemRow[Item], field: str) -> int:
        """Hear of a row that is refused because of a field; how many that were admitted fall with it."""
        return 0

    def withdrawals(self) -> Iterator[Refusal]:
        """What is to be said of the rows that fell after they had been admitted."""
        return iter(())

    def withdrawn(self) -> Sequence[int]:
        """Their ordinals, ascending."""
        return ()

    def completes_rows(self) -> bool:
        """Whether rows of the plan take something from other rows, now that all have been read."""
        return False

    def complete(self, row: dict[str, Any]) -> None:
        """Set in a row of the plan what it takes from others."""

    def _one(self, query: str, *values: object) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._db.execute(query, values).fetchone()
        return row


def place(here: str, file: str | None, line: int | None) -> str:
    """Where another row stands, seen from a row of the file ``here``."""
    if line is None:
        return "an earlier row of this run"
    return f"line {line}" if file == here else f"line {line} of {file}"


def key(name: str) -> bytes:
    """What stands for a name in the index."""
    return blake2b(name.encode(), digest_size=16).digest()
