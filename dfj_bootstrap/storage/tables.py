"""The tables of a run: what was made, row by row, in Parquet parts of one partition and epoch each.

Invariants:

- A part is there whole or not at all. It is written slice by slice while its seeds end, so that memory
  doesn't grow with the partition; each slice is a row group of its own, which can be read alone.
- Rows stand in the order in which the ladders were given: same ladders, same bytes.
- Only the parts of one epoch belong together: of the one that the partition's newest commit names.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from dfj_bootstrap.errors import DamagedPart, RunFolderError
from dfj_bootstrap.storage.atomic import make_folder, replacing

Row: TypeAlias = tuple[Any, ...]
"""The values of a row, in the order of its table's columns."""

Schema: TypeAlias = Any
"""Of a table: pyarrow's."""

ROWS_PER_GROUP = 2000
"""Rows of a part without slices that are held in memory, per table, before they are written."""

_SLICES = b"slices"
"""In a part's metadata: how many slices it has; absent in one that has a single slice in any row groups."""

_NAME = re.compile(r"part-(\d{4,})-e(\d{4,})\.parquet")
_LEFT = re.compile(r"\.part-\d{4,}-e\d{4,}\.parquet\.\w+\.tmp")
"""What a worker that was killed leaves of a part."""


class PartWriter:
    """Writes a partition's part of all tables of a job; nothing of it counts before it is finished."""

    def __init__(
        self, run: Path, partition: int, epoch: int, tables: Mapping[str, Schema], slices: int = 1
    ) -> None:
        """``tables``: name → schema."""
        self._run = run
        self._partition = partition
        self._epoch = epoch
        self._schemas = tables
        self._slices = slices
        self._stack = ExitStack()
        self._tables: dict[str, _Rows] = {}

    def write(self, results: Iterable[Mapping[str, Sequence[Row]]]) -> None:
        """Add a slice: what each of its items adds to the tables, by their names.

        Raises:
            RunFolderError: the folder can't be written or the disk is full.
        """
        try:
            self._open()
            for result in results:
                for name, rows in result.items():
                    self._tables[name].add(rows)
            for table in self._tables.values():
                table.end_slice()
        except OSError as error:
            raise _unwritable(self._run, error) from error

    def finish(self) -> None:
        """Put the part in place, durably.

        Raises:
            RunFolderError: the folder can't be written or the disk is full.
        """
        try:
            with self._stack:
                self._open()
        except OSError as error:
            raise _unwritable(self._run, error) from error

    def discard(self) -> None:
        """Leave nothing of a part that isn't finished."""
        try:
            with self._stack:
                raise _Discarded
        except _Discarded:
            return

    def _open(self) -> None:
        if self._tables:
            return
        for table, schema in self._schemas.items():
            path = part_path(self._run, table, self._partition, self._epoch)
            make_folder(path.parent)
            temporary = self._stack.enter_context(replacing(path))
            writer = pq.ParquetWriter(temporary, schema, compression="zstd")
            file = self._stack.enter_context(writer)
            if self._slices > 1:
                file.add_key_value_metadata({_SLICES: str(self._slices)})
            self._tables[table] = self._stack.enter_context(_Rows(file, schema, sliced=self._slices > 1))


class _Discarded(Exception):
    """A part is given up."""


def part_path(run: Path, table: str, partition: int, epoch: int) -> Path:
    """Where a part of a table stands."""
    return run / "tables" / table / f"part-{partition:04d}-e{epoch:04d}.parquet"


def slices_of(run: Path, table: str, partition: int, epoch: int) -> int:
    """How many slices a part was written in: a power of two, each with a row group of its own if many.

    Raises:
        DamagedPart: the part is missing or damaged.
    """
    path = part_path(run, table, partition, epoch)
    with _damage_told(path, partition), pq.ParquetFile(path) as part:
        return int((part.metadata.metadata or {}).get(_SLICES, b"1"))


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the tables; with a ``number``, one of its many slices.

    Attributes:
        schemas: table → the columns that it must have, as far as somebody relies on them.
    """

    run: Path
    partition: int
    epoch: int
    number: int | None = None
    schemas: Mapping[str, Schema] = field(default_factory=dict)

    def rows(self, table: str, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """The rows of one table, in their order; ``columns`` chooses some.

        Raises:
            DamagedPart: it is missing, or can't be read as what it was written as.
        """
        path = part_path(self.run, table, self.partition, self.epoch)
        # Not through the dataset reader: it would take part of the path for a partition column.
        with _damage_told(path, self.partition), pq.ParquetFile(path) as part:
            wanted = self.schemas[table].names if table in self.schemas else columns or ()
            if missing := set(wanted).difference(part.schema_arrow.names):
                raise ValueError(f"no column {min(missing)}")
            groups = range(part.num_row_groups) if self.number is None else [self.number]
            found = part.read_row_groups(groups, columns=columns, use_threads=False)
            rows: list[dict[str, Any]] = found.to_pylist()
        return rows


@contextmanager
def _damage_told(path: Path, partition: int) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT):
            raise  # of the disk or of rights: the file may well be whole
        raise DamagedPart(
            f"{path}: missing or damaged; remove it and run again: it is made again from the journal",
            partition,
        ) from None


def table_folders(run: Path) -> list[Path]:
    """A folder for each table."""
    return sorted(path for path in (run / "tables").glob("*") if path.is_dir())


def drop_part(run: Path, partition: int, epoch: int) -> None:
    """Remove a part that a newer commit has taken the place of."""
    for table in table_folders(run):
        part_path(run, table.name, partition, epoch).unlink(missing_ok=True)


def drop_stale_parts(run: Path, epochs: Mapping[int, int]) -> None:
    """Remove what doesn't count and never will: parts older than the commits, and what kills left of parts.

    Args:
        epochs: partition → the epoch of its commit. Nobody may be at work in the run.
    """
    for table in table_folders(run):
        for path in list(table.glob("*part-*")):
            match = _NAME.fullmatch(path.name)
            stale = match is not None and int(match[2]) < epochs.get(int(match[1]), 0)
            if stale or _LEFT.fullmatch(path.name):
                path.unlink(missing_ok=True)


class _Rows:
    """Rows on their way into a part, written in groups: one for each slice where there are many."""

    def __init__(self, file: Any, schema: pa.Schema, *, sliced: bool) -> None:
        self._file, self._schema, self._sliced = file, schema, sliced
        self._waiting: list[Row] = []

    def __enter__(self) -> _Rows:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._waiting:
            self._flush()

    def add(self, rows: Iterable[Row]) -> None:
        self._waiting.extend(rows)
        if not self._sliced and len(self._waiting) >= ROWS_PER_GROUP:
            self._flush()

    def end_slice(self) -> None:
        """Write the slice's row group, empty where it has no rows."""
        if self._sliced:
            self._flush()

    def _flush(self) -> None:
        columns = zip(*self._waiting, strict=True) if self._waiting else [()] * len(self._schema)
        arrays = [pa.array(c, field.type) for c, field in zip(columns, self._schema, strict=True)]
        self._file.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._waiting.clear()


def _unwritable(run: Path, error: OSError) -> RunFolderError:
    return RunFolderError(f"{run / 'tables'}: cannot write the tables: {error.strerror}")
