"""What seeds have to do with each other beside their ids: pictures, labels, groups and splits.

A picture that stands under two labels is wrong under one of them, and nobody can say which: none of its rows
is used. Those that were admitted before the other label was met are withdrawn; those of an earlier plan stay,
for work on them is done.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from dfj_bootstrap.domain.rationale import Label
from dfj_bootstrap.domain.seed import Seed, Split
from dfj_bootstrap.intake.item_index import ItemIndex, Planned, key, place
from dfj_bootstrap.intake.item_rows import ItemRow, Refusal
from dfj_bootstrap.intake.seed_json import content_now

SplitOf: TypeAlias = Callable[[str], Split]
"""The split of a group for which no row names one."""

_TABLES = """
CREATE TABLE pictures (digest BLOB, label TEXT, grp BLOB, ordinal INTEGER, file TEXT, line INTEGER, id TEXT);
CREATE INDEX by_digest ON pictures (digest, label, ordinal);
CREATE TABLE withdrawn (ordinal INTEGER PRIMARY KEY, file TEXT, line INTEGER, id TEXT, label TEXT,
  other_file TEXT, other_line INTEGER);
CREATE TABLE groups (grp BLOB PRIMARY KEY, split TEXT, file TEXT, line INTEGER, bare INTEGER, drawn INTEGER)
  WITHOUT ROWID;
"""
# pictures.ordinal: of the row's seed; NULL once the row is turned down because of its label.
# groups.bare: some row names no split; groups.drawn: the earlier plan had the group's split drawn by hash.


class SeedIndex(ItemIndex[Seed]):
    """An index over the good seeds of one reading."""

    def __init__(self, split_of: SplitOf | None = None) -> None:
        super().__init__(_TABLES)
        self._split_of = split_of

    def remember(self, item_id: str, item: Seed, planned: Planned) -> None:
        super().remember(item_id, item, planned._replace(content=content_now(item, planned.content)))
        self._enter_picture(item, planned.ordinal, None, None)
        self._db.execute(
            "INSERT OR IGNORE INTO groups VALUES (?, ?, NULL, NULL, 0, ?)",
            (key(item.group), item.split, item.split is None),
        )

    def objection(self, row: ItemRow[Seed]) -> tuple[str, str] | None:
        return self._relabelled(row) or super().objection(row) or self._regrouped(row) or self._torn(row)

    def admit(self, row: ItemRow[Seed], ordinal: int) -> None:
        super().admit(row, ordinal)
        seed, group = row.item, key(row.item.group)
        if ordinal >= self.planned:
            self._enter_picture(seed, ordinal, row.file, row.line)
        self._db.execute("INSERT OR IGNORE INTO groups VALUES (?, NULL, NULL, NULL, 0, 0)", (group,))
        if seed.split is None:
            self._db.execute("UPDATE groups SET bare = 1 WHERE grp = ?", (group,))
        else:
            self._db.execute(
                "UPDATE groups SET split = ?, file = ?, line = ? WHERE grp = ? AND split IS NULL",
                (seed.split, row.file, row.line, group),
            )

    def turned_down(self, row: ItemRow[Seed], field: str) -> int:
        """With a row's label fall the rows of this reading that show its picture under another one."""
        if field != "label":
            return 0
        shown = (_raw(row.item.image.digest), *_others(row.item.label), self.planned)
        which = "FROM pictures WHERE digest = ? AND label IN (?, ?) AND ordinal >= ?"
        found = self._db.execute(
            f"INSERT INTO withdrawn SELECT ordinal, file, line, id, ?, ?, ? {which}",
            (row.item.label, row.file, row.line, *shown),
        )
        self._db.execute(f"UPDATE pictures SET ordinal = NULL WHERE rowid IN (SELECT rowid {which})", shown)
        self._enter_picture(row.item, None, row.file, row.line)
        return found.rowcount

    def withdrawals(self) -> Iterator[Refusal]:
        for _, file, line, seed_id, label, other_file, other_line in self._db.execute(
            "SELECT * FROM withdrawn ORDER BY ordinal"
        ):
            why = _two_labels(place(file, other_file, other_line), label)
            yield Refusal(file, line, seed_id, "label", why)

    def withdrawn(self) -> Sequence[int]:
        return array("q", (n for (n,) in self._db.execute("SELECT ordinal FROM withdrawn ORDER BY ordinal")))

    def completes_rows(self) -> bool:
        """Whether some row without a split stands in a group with one."""
        return self._one("SELECT 1 FROM groups WHERE bare AND split IS NOT NULL LIMIT 1") is not None

    def complete(self, row: dict[str, Any]) -> None:
        """A row without a split takes the one that some row of its group names."""
        found = self._one("SELECT split FROM groups WHERE grp = ?", key(row["group"]))
        row["split"] = row["split"] or (found[0] if found else None)

    def _enter_picture(self, seed: Seed, ordinal: int | None, file: str | None, line: int | None) -> None:
        values = (_raw(seed.image.digest), seed.label, key(seed.group), ordinal, file, line, seed.id)
        self._db.execute("INSERT INTO pictures VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def _relabelled(self, row: ItemRow[Seed]) -> tuple[str, str] | None:
        found = self._one(
            "SELECT file, line, label FROM pictures WHERE digest = ? AND label IN (?, ?) LIMIT 1",
            _raw(row.item.image.digest),
            *_others(row.item.label),
        )
        return ("label", _two_labels(place(row.file, *found[:2]), found[2])) if found else None

    def _regrouped(self, row: ItemRow[Seed]) -> tuple[str, str] | None:
        picture = _raw(row.item.image.digest)
        found = self._one("SELECT grp, file, line FROM pictures WHERE digest = ? LIMIT 1", picture)
        if not found or found[0] == key(row.item.group):
            return None
        where = place(row.file, *found[1:])
        return "group", f"{where} has the same picture in another group; give both the same"

    def _torn(self, row: ItemRow[Seed]) -> tuple[str, str] | None:
        split, group = row.item.split, row.item.group
        found = self._one("SELECT split, drawn, file, line FROM groups WHERE grp = ?", key(group))
        if split is None or not found:
            return None
        named, drawn, file, line = found
        if drawn and named is None and self._split_of and self._split_of(group) is not split:
            return "split", f"this run has the group in the {self._split_of(group)} split already"
        if named not in (None, split):
            return "split", f"{place(row.file, file, line)} has the group in the {named} split"
        return None


def _others(label: Label) -> tuple[Label, ...]:
    """The two other labels, one by one: an index finds a row by what its label is, not by what it isn't."""
    return tuple(other for other in Label if other is not label)


def _two_labels(where: str, label: str) -> str:
    return f"{where} has the same picture as {label}, so one of the two labels is wrong; correct it"


def _raw(digest: str) -> bytes:
    return bytes.fromhex(digest)
