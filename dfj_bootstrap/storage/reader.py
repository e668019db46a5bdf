"""A run folder as it is read: what made it, what is planned, what has come out, what was recorded.

Nothing is written and no lock is taken, so a run may go on meanwhile. Invariants:

- What is read of a partition's tables is of one commit, also where a newer one takes its place meanwhile.
- Of one item only its partition is looked at, and of the tables only its slice; no call holds more than a
  partition's rows of a table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dfj_bootstrap.errors import DamagedPart, RunFolderError
from dfj_bootstrap.policy.ordering import partition_of, slice_of
from dfj_bootstrap.storage.commits import Commit, read_commit, read_commits
from dfj_bootstrap.storage.facts import fact_of
from dfj_bootstrap.storage.journal import Scale, read_journal, read_sums
from dfj_bootstrap.storage.journal_lines import Record
from dfj_bootstrap.storage.manifest import read_manifest
from dfj_bootstrap.storage.planned import PlanSummary, partition_file, read_rows, read_summary

if TYPE_CHECKING:
    from dfj_bootstrap.storage.tables import Schema, Slice

_Found = TypeVar("_Found")


def open_run(run: Path, schemas: Mapping[str, Schema] | None = None) -> RunReader:
    """The run in a folder.

    Args:
        schemas: table → the columns that it must have; one without them is as good as damaged.

    Raises:
        RunFolderError: the folder holds no run, or ``run.json`` can't be read.
    """
    manifest = read_manifest(run)
    if manifest is None:
        raise _no_run(run, "no run.json")
    return RunReader(run, manifest, schemas or {})


@dataclass(frozen=True, slots=True)
class RunReader:
    """The run in a folder, see ``open_run``.

    Attributes:
        manifest: what ``run.json`` said when the run was opened.
    """

    run: Path
    manifest: Mapping[str, Any]
    schemas: Mapping[str, Schema] = field(default_factory=dict)

    @property
    def config(self) -> dict[str, Any]:
        """The configuration of the last start, as plain values."""
        config: dict[str, Any] = self.manifest["config"]
        return config

    @property
    def noun(self) -> str:
        """What an item of the run's job is called."""
        ledger = self.manifest.get("ledger")
        return str(ledger["units"][0]["name"]).removesuffix("s") if ledger else "seed"

    def plan(self) -> PlanSummary:
        """What is planned.

        Raises:
            RunFolderError: nothing was so far, or the plan is damaged.
        """
        plan = read_summary(self.run)
        if plan is None:
            raise _no_run(self.run, "no plan")
        return plan

    def commits(self) -> dict[int, Commit]:
        """Partition → its newest commit."""
        return read_commits(self.run)

    def partition_of(self, item_id: str) -> int:
        """The partition of an item.

        Raises:
            RunFolderError: no such item is planned, or the plan is damaged.
        """
        partition = partition_of(item_id, self.plan().partitions)
        if all(row["id"] != item_id for row in read_rows(partition_file(self.run, partition))):
            raise RunFolderError(f"{self.run}: no {self.noun} {item_id!r} in this run")
        return partition

    def slices(self, table: str, partition: int) -> list[Slice]:
        """What a partition's last commit is read by, slice by slice; empty where it has none.

        Args:
            table: one that knows how many there are; all do.

        Raises:
            DamagedPart: it can't be read.
        """
        commit = read_commit(self.run, partition)
        return [] if commit is None else self._slices(table, partition, commit)

    def rows(
        self, table: str, partition: int | None = None, columns: Sequence[str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """The rows of a table that count: all, or those of a partition; ``columns`` chooses some.

        Raises:
            DamagedPart: a part can't be read.
        """
        commits = self.commits() if partition is None else self._commit(partition)
        for number, commit in commits.items():
            yield from self._standing(table, number, commit, lambda slices: _rows(slices, table, columns))

    def rows_of(self, item_id: str, tables: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Table → an item's rows; none where its partition has no commit, or one from before the item came.

        Raises:
            RunFolderError: no such item is planned.
            DamagedPart: a part can't be read.
        """
        partition = self.partition_of(item_id)
        partitions = self.plan().partitions

        def read(slices: list[Slice]) -> dict[str, list[dict[str, Any]]]:
            own = [slices[slice_of(item_id, partitions, len(slices))]]
            return {t: [row for row in _rows(own, t) if _first(row) == item_id] for t in tables}

        for commit in self._commit(partition).values():
            return self._standing(tables[0], partition, commit, read)
        return {table: [] for table in tables}

    def records(self, partition: int | None = None) -> Iterator[Record]:
        """What the journals hold, or a partition's; of two records of one key the first stands."""
        for folder in self._journals() if partition is None else [self._journal(partition)]:
            yield from read_journal(folder)

    def records_of(self, item_id: str) -> Iterator[Record]:
        """The answers and the facts of an item that stand, oldest first.

        Raises:
            RunFolderError: no such item is planned.
        """
        seen = set()
        for record in self.records(self.partition_of(item_id)):
            if record["key"] not in seen and _item_of(record) == item_id:
                seen.add(record["key"])
                yield record

    def sums(self, scale: Scale) -> Counter[str]:
        """What all records add up to."""
        sums: Counter[str] = Counter()
        for folder in self._journals():
            sums.update(read_sums(folder, scale))
        return sums

    def _commit(self, partition: int) -> dict[int, Commit]:
        commit = read_commit(self.run, partition)
        return {} if commit is None else {partition: commit}

    def _slices(self, table: str, partition: int, commit: Commit) -> list[Slice]:
        from dfj_bootstrap.storage.tables import Slice, slices_of

        count = slices_of(self.run, table, partition, commit.epoch)
        numbers = range(count) if count > 1 else [None]
        return [Slice(self.run, partition, commit.epoch, number, self.schemas) for number in numbers]

    def _standing(
        self, table: str, partition: int, commit: Commit, read: Callable[[list[Slice]], _Found]
    ) -> _Found:
        """What ``read`` finds in a commit, or in a newer one that takes its place, and its parts away."""
        while True:
            try:
                return read(self._slices(table, partition, commit))
            except DamagedPart:
                newest = read_commit(self.run, partition)
                if newest is None or newest.epoch <= commit.epoch:
                    raise
                commit = newest

    def _journals(self) -> list[Path]:
        return sorted((self.run / "journal").glob("part-*"))

    def _journal(self, partition: int) -> Path:
        return self.run / "journal" / f"part-{partition:04d}"


def _rows(slices: Sequence[Slice], table: str, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    return [row for slice_ in slices for row in slice_.rows(table, columns)]


def _first(row: Mapping[str, Any]) -> Any:
    """Whose row it is: the first column of every table says so."""
    return next(iter(row.values()))


def _item_of(record: Record) -> str | None:
    """The item that a record is about; facts of old don't name it beside their key."""
    fact = fact_of(record)
    return record.get("seed") if fact is None else fact.item_id


def _no_run(run: Path, why: str) -> RunFolderError:
    return RunFolderError(f"{run}: no run here ({why}); give the output folder of `dfj generate`")
