"""The plan: a job's items, read once, checked against each other, laid into partitions by hash of their id.

The number of partitions is chosen by the first plan and never changes, so items that are added move nobody.
A plan only grows: an item whose row changed or went away is an error, for work on it exists already, and an
item that an earlier plan admitted stays, whatever rules there are now. Wherever rows are added, a partition
that gets none keeps its bytes, and so its work. The caller holds the lock of the run folder.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Generic, TypeAlias

from dfj_bootstrap.errors import RunFolderError, SeedsError
from dfj_bootstrap.intake.item_index import ItemIndex, Planned
from dfj_bootstrap.intake.item_rows import Item, ItemRow, Refusal
from dfj_bootstrap.intake.items import Items
from dfj_bootstrap.intake.plan_writer import PlanWriter, publish_refused, settle
from dfj_bootstrap.policy.ordering import partition_of
from dfj_bootstrap.storage.planned import PlanSummary, partition_file, plan_folder, read_rows, read_summary

Progress: TypeAlias = Callable[[int, int], None]
"""Is told how many rows have been read, of about how many."""

_ROWS_PER_PARTITION = 32
_FEWEST, _MOST = 8, 1024
_OTHER_FOLDER = "work on it is done; use a new output folder (`dfj regenerate`) or put the row back"


def make_plan(
    run: Path,
    items: Items[Item],
    *,
    limit: int | None = None,
    on_progress: Progress | None = None,
    trial: bool = False,
) -> PlanSummary:
    """Read the items and write the plan, unless the one that stands already holds what is wanted.

    Args:
        limit: stop after so many good rows; a plan that stands never shrinks.
        trial: the folder goes away again, so nobody is sent there.

    Raises:
        SeedsError: a file is missing, or no row is good.
        RunFolderError: an item of the plan that stands has changed or is gone, the plan is damaged, or the
            folder for temporary files is full.
    """
    run.mkdir(parents=True, exist_ok=True)
    settle(run)
    before = read_summary(run)
    digest, lines = items.look_through()
    if before and before.input_digest == digest and _suffices(before, limit):
        publish_refused(run, plan_folder(run))
        return before
    partitions = before.partitions if before else _partitions(lines)
    with _index_trouble_told(items.noun), PlanWriter(run, partitions) as writer, items.index() as index:
        if before:
            _remember(run, before, items, index)
        reading = _Reading(run, items, partitions, writer, index)
        complete = reading.read(limit, lines, on_progress)
        reading.settle()
        reading.check_nothing_lost(before, trial)
        summary = PlanSummary(partitions, reading.good, reading.refused, reading.notes, digest, complete)
        writer.commit(summary, index)
    return summary


@contextmanager
def _index_trouble_told(noun: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise RunFolderError(
            f"{tempfile.gettempdir()}: cannot keep the index of {noun}s there ({error}); "
            "make room, or set TMPDIR to another folder"
        ) from error


class _Reading(Generic[Item]):
    """One pass over the input."""

    def __init__(
        self, run: Path, items: Items[Item], partitions: int, writer: PlanWriter, index: ItemIndex[Item]
    ) -> None:
        self._run = run
        self._items = items
        self._partitions = partitions
        self._writer = writer
        self._index = index
        self._first: Refusal | None = None
        self._next = index.planned
        self.good = self.refused = self.notes = 0

    def read(self, limit: int | None, lines: int, on_progress: Progress | None) -> bool:
        """Read rows until the limit; whether the end of the input was reached."""
        with closing(self._items.read()) as rows:
            for row in rows:
                if isinstance(row, Refusal):
                    self._refuse(row)
                else:
                    self._take(row)
                if on_progress:
                    on_progress(self.good + self.refused, lines if limit is None else min(limit, lines))
                if limit is not None and self.good >= limit and not self._index.missing():
                    return False
        return True

    def settle(self) -> None:
        """Once nothing more is read: tell of the rows that were turned down in the end."""
        for refusal in self._index.withdrawals():
            self._refuse(refusal)

    def check_nothing_lost(self, before: PlanSummary | None, trial: bool) -> None:
        """There is something to do, and every item of the earlier plan was met again."""
        if not self.good:
            self._writer.publish_refused()
            raise SeedsError(self._nothing(trial))
        if before and self._index.missing():
            ids = (row["id"] for row in _planned_rows(self._run, before))
            gone = next(item_id for item_id in ids if self._index.earlier(item_id))
            raise RunFolderError(f"{self._items.noun} {gone!r}: {self._why_gone(gone)}; {_OTHER_FOLDER}")

    def _take(self, row: ItemRow[Item]) -> None:
        earlier = self._index.earlier(row.id)
        if earlier and earlier.content != row.content:
            self._changed(row)
        objection = None if earlier else row.unfit or self._index.objection(row)
        if objection:
            self._turn_down(row, *objection)
            return
        ordinal = earlier.ordinal if earlier else self._next
        self._index.admit(row, ordinal)
        kept = self._items.to_row(row.item) | {"ordinal": ordinal, "content": row.content.hex()}
        self._writer.add(partition_of(row.id, self._partitions), kept)
        self._next += not earlier
        self.good += 1
        self.notes += len(row.notes)
        for note in row.notes:
            self._writer.note(note)

    def _turn_down(self, row: ItemRow[Item], field: str, why: str) -> None:
        self.good -= self._index.turned_down(row, field)
        self._refuse(row.refuse(field, why))

    def _refuse(self, refusal: Refusal) -> None:
        self._first = self._first or refusal
        self.refused += 1
        self._writer.refuse(refusal)

    def _changed(self, row: ItemRow[Item]) -> None:
        planned = read_rows(partition_file(self._run, partition_of(row.id, self._partitions)))
        old = self._items.from_row(next(old for old in planned if old["id"] == row.id))
        what = " and ".join(self._items.differences(old, row.item))
        raise RunFolderError(
            f"{row.file} line {row.line}: {what} of {self._items.noun} {row.id!r} changed since this run was"
            f" planned; {_OTHER_FOLDER}"
        )

    def _why_gone(self, item_id: str) -> str:
        for row in self._writer.refused_rows():
            if row["id"] == item_id:
                return (
                    f"its row is refused now ({row['file']} line {row['line']}: {row['field']} {row['why']})"
                )
        return "its row is no longer in the input"

    def _nothing(self, trial: bool) -> str:
        if not self._first:
            return self._items.nothing()
        where = "" if trial else f" (see {self._run / 'refused.jsonl'})"
        return f"no good row: all {self.refused} refused{where}; the first: {self._first.sentence()}"


def _suffices(before: PlanSummary, limit: int | None) -> bool:
    return before.complete or (limit is not None and limit <= before.total)


def _partitions(rows: int) -> int:
    """A power of two with some 32 rows each."""
    wanted = min(max(rows // _ROWS_PER_PARTITION, _FEWEST), _MOST)
    return 1 << (wanted - 1).bit_length()


def _remember(run: Path, before: PlanSummary, items: Items[Item], index: ItemIndex[Item]) -> None:
    for row in _planned_rows(run, before):
        planned = Planned(bytes.fromhex(row["content"]), row["ordinal"])
        index.remember(row["id"], items.from_row(row), planned)


def _planned_rows(run: Path, before: PlanSummary) -> Iterator[dict[str, Any]]:
    for partition in range(before.partitions):
        yield from read_rows(partition_file(run, partition))
