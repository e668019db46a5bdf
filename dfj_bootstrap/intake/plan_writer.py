"""How a plan is written: aside in ``RUN/plan.new``, and put in place by two renames.

``settle`` undoes a crash between them. ``RUN/refused.jsonl`` is a copy for people; all else is private to the
plan, and read by ``storage/planned.py``.
"""

from __future__ import annotations

import filecmp
import re
import shutil
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import asdict
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Generic

import orjson

from dfj_bootstrap.intake.item_index import ItemIndex
from dfj_bootstrap.intake.item_rows import Item, Note, Refusal
from dfj_bootstrap.storage.atomic import replacing, sync, write_atomically
from dfj_bootstrap.storage.folder import retire
from dfj_bootstrap.storage.planned import (
    PlanSummary,
    damaged_plan,
    part_name,
    plan_digest,
    plan_folder,
    read_rows,
)

_OURS = re.compile(r"part-\d{4,}\.jsonl|summary\.json|refused\.jsonl|notes\.jsonl|\..*\.tmp")
"""Names that a plan gives to its files."""

_BUFFER = 4 * 2**20
"""Bytes of rows that are held back over all partitions, so that few files need to be open."""


def settle(run: Path) -> None:
    """Undo what a crash left of a plan that was being put in place."""
    old = run / "plan.old"
    if old.exists() and not plan_folder(run).exists():
        old.rename(plan_folder(run))
    retire(old, plan_folder(run), _OURS)
    shutil.rmtree(run / "plan.new", ignore_errors=True)


def publish_refused(run: Path, folder: Path) -> None:
    """Have ``RUN/refused.jsonl`` say what the plan in ``folder`` says."""
    source, target = folder / "refused.jsonl", run / "refused.jsonl"
    if not source.exists():
        raise damaged_plan(source)
    if target.exists() and filecmp.cmp(source, target, shallow=False):
        return
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


class PlanWriter:
    """Writes one plan aside, in memory that does not grow; left without a commit, it leaves nothing."""

    def __init__(self, run: Path, partitions: int) -> None:
        self._run = run
        self.folder = run / "plan.new"
        self.folder.mkdir()
        self._partitions = partitions
        self._buffers: dict[int, bytearray] = {}
        self._held = 0
        self._refused = self._open("refused.jsonl")
        self._notes = self._open("notes.jsonl")

    def __enter__(self) -> PlanWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._refused.close()
            self._notes.close()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def add(self, partition: int, row: dict[str, Any]) -> None:
        """Add an item's row to a partition."""
        line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
        self._buffers.setdefault(partition, bytearray()).extend(line)
        self._held += len(line)
        if self._held > _BUFFER:
            self._flush()

    def refuse(self, refusal: Refusal) -> None:
        """Write down a row that is not used."""
        self._refused.write(orjson.dumps(refusal.as_row(), option=orjson.OPT_APPEND_NEWLINE))

    def note(self, note: Note) -> None:
        """Write down a remark on a good row."""
        self._notes.write(orjson.dumps(note.as_row(), option=orjson.OPT_APPEND_NEWLINE))

    def refused_rows(self) -> Iterator[dict[str, Any]]:
        """What was written down as refused so far."""
        self._refused.flush()
        return read_rows(Path(self._refused.name))

    def publish_refused(self) -> None:
        """Show people what was refused although there will be no plan."""
        self._refused.flush()
        publish_refused(self._run, self.folder)

    def commit(self, summary: PlanSummary, index: ItemIndex[Item]) -> None:
        """Put the plan in place, durably, with each row as all rows together make it."""
        self._flush()
        final = _Final(index)
        for partition in range(self._partitions):
            path = self._part(partition)
            if not path.exists():
                path.touch()
            elif final.changes:
                final.rewrite(path)
            else:
                sync(path)
        for file in (self._refused, self._notes):
            file.flush()
            sync(Path(file.name))
        digest, _ = plan_digest(self.folder, self._partitions)
        write_atomically(self.folder / "summary.json", orjson.dumps(asdict(summary) | {"digest": digest}))
        self._swap()

    def _swap(self) -> None:
        plan, old = plan_folder(self._run), self._run / "plan.old"
        if plan.exists():
            plan.rename(old)
        self.folder.rename(plan)
        sync(self._run)
        publish_refused(self._run, plan)
        retire(old, plan, _OURS)

    def _flush(self) -> None:
        for partition, rows in self._buffers.items():
            with self._part(partition).open("ab") as file:
                file.write(rows)
        self._buffers.clear()
        self._held = 0

    def _part(self, partition: int) -> Path:
        return self.folder / part_name(partition)

    def _open(self, name: str) -> BinaryIO:
        return (self.folder / name).open("wb")


class _Final(Generic[Item]):
    """What only the end of the reading shows: what rows take from others, the order of those left."""

    def __init__(self, index: ItemIndex[Item]) -> None:
        self._index = index
        self._completes = index.completes_rows()
        self._withdrawn = index.withdrawn()
        self.changes = self._completes or bool(self._withdrawn) or index.planned > 0

    def rewrite(self, path: Path) -> None:
        """Bring one partition into its final form, in the order of the ordinals."""
        rows = [row for row in map(self._settled, read_rows(path)) if row is not None]
        rows.sort(key=itemgetter("ordinal"))
        with replacing(path) as temporary, temporary.open("wb") as out:
            for row in rows:
                out.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

    def _settled(self, row: dict[str, Any]) -> dict[str, Any] | None:
        before = bisect_left(self._withdrawn, row["ordinal"])
        if before < len(self._withdrawn) and self._withdrawn[before] == row["ordinal"]:
            return None
        row["ordinal"] -= before
        if self._completes:
            self._index.complete(row)
        return row
