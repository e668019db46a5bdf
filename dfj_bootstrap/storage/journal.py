"""The journal: every paid answer and every fact that decided something, append-only, per partition.

Invariants:

- A record is written before it is used; a kill loses at most what was in flight.
- One writer per file: each opening starts a new *epoch*. Which files count, and how far: ``journal_files``.
- A torn tail (killed in the middle of a write) ends a file; a damaged line costs itself alone, and is told.
- A disk that refuses is believed: what a short write left is cut off again, and after a failed fsync, of
  which nobody knows what it lost, the journal takes nothing more.
- Each header, and the last line of a file that was closed, say what all records until then add up to.

The form of a line: ``journal_lines``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.storage.atomic import make_folder, sync
from dfj_bootstrap.storage.journal_files import (
    VERSION,
    WITH_MERGED,
    Source,
    epoch_path,
    merge_if_many,
    place_of,
    sources,
)
from dfj_bootstrap.storage.journal_lines import (
    Damaged,
    Found,
    Record,
    decoded,
    encoded,
    first_record,
    last_record,
    scan,
)
from dfj_bootstrap.storage.journal_watch import Watch


class Records(Protocol):
    """What was recorded, by key: a journal, or the answers of an old one."""

    def get(self, key: str) -> Any | None: ...

    def append(self, key: str, value: Any, **about: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Scale:
    """What a record adds to the sums of a partition.

    Attributes:
        weigh: tells the function that it is given the names and amounts of a record.
        version: of the sums; those that were left by another one are made anew from the records.
    """

    weigh: Callable[[Mapping[str, Any], Callable[[str, float], None]], None]
    version: int


NO_SCALE = Scale(lambda record, add: None, 0)


@dataclass(slots=True)
class Contents:
    """What stands in a partition's journal.

    Attributes:
        sums: of all records that count, by the scale that it was opened with.
        damaged: places of lines that could not be read, as ``part-0003/epoch-000001.jsonl line 17``.
        index: key → file, offset and length of its first record.
        ends: epoch → the end of what is read of it, in bytes.
    """

    scale: Scale
    sums: Counter[str] = field(default_factory=Counter)
    damaged: list[str] = field(default_factory=list)
    index: dict[str, tuple[BinaryIO, int, int]] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)

    def add(self, record: Record, stream: BinaryIO, offset: int, length: int) -> None:
        """Enter a record; the first one of a key stands."""
        self.index.setdefault(record["key"], (stream, offset, length))
        self.scale.weigh(record, self._weigh)

    def read(self, source: Source, stream: BinaryIO) -> None:
        """Enter all records of a file."""
        end = 0
        for found in scan(stream, source.limit):
            end = found.end
            if isinstance(found, Damaged):
                self.damaged.append(place_of(source.path, found))
            elif "key" in found.record:
                self.add(found.record, stream, found.offset, found.length)
        if not source.merged:
            self.ends[source.number] = end

    def _weigh(self, name: str, amount: float) -> None:
        self.sums[name] += amount  # type: ignore[assignment]


class Journal:
    """One partition's journal, open for reading by key and for appending.

    Attributes:
        epoch: the number of the file that this opening writes.
        contents: what stands in it.
    """

    def __init__(
        self, epoch: int, own: BinaryIO, contents: Contents, streams: ExitStack, watch: Watch
    ) -> None:
        """``streams`` closes all files; use ``Journal.open``."""
        self.epoch = epoch
        self.contents = contents
        self._own = own
        self._streams = streams
        self._watch = watch
        self._end = 0
        self._dirty = False
        self._failure = ""

    @classmethod
    def open(cls, folder: Path, scale: Scale = NO_SCALE, watch: Watch | None = None) -> Journal:
        """Index what is there and start a new epoch. Reads all files: not for an event loop's thread.

        Args:
            scale: what the sums are made by.
            watch: is told of appends.

        Raises:
            RunFolderError: the folder can't be written, or was written by a newer version.
        """
        try:
            make_folder(folder)
            with ExitStack() as streams:
                journal = cls._open(folder, scale, watch or Watch(), streams)
                journal._streams = streams.pop_all()
        except OSError as error:
            raise _unwritable(folder, error) from error
        return journal

    @classmethod
    def _open(cls, folder: Path, scale: Scale, watch: Watch, streams: ExitStack) -> Journal:
        contents = Contents(scale, damaged=merge_if_many(folder))
        found = sources(folder)
        for source in found:
            contents.read(source, streams.enter_context(source.path.open("rb")))
        epoch = max((source.number for source in found), default=0) + 1
        own = streams.enter_context(epoch_path(folder, epoch).open("x+b", buffering=0))
        sync(folder)
        journal = cls(epoch, own, contents, streams, watch)
        version = WITH_MERGED if any(source.merged for source in found) else VERSION
        read = {str(older): end for older, end in contents.ends.items()}
        journal._write({"epoch": epoch, "read": read, "version": version, **journal._summary()})
        return journal

    def get(self, key: str) -> Any | None:
        """The value recorded under ``key``, or ``None``."""
        place = self.contents.index.get(key)
        if place is None:
            return None
        stream, offset, length = place
        record = decoded(os.pread(stream.fileno(), length, offset))
        if record is None:
            raise RunFolderError(f"{stream.name}: the journal changed while it was open")
        return record["value"]

    def append(self, key: str, value: Any, **about: Any) -> None:
        """Record ``value`` under ``key``; on return it survives a kill of this process.

        Args:
            about: what a reader of the file wants to know besides (role, seed, level …).

        Raises:
            RunFolderError: the disk is full, the folder was taken away, or a sync has failed before.
        """
        record = {"key": key, **about, "value": value}
        offset = self._end
        try:
            length = self._write(record)
        except RunFolderError as failure:
            self._watch.failed(failure)
            raise
        self.contents.add(record, self._own, offset, length)
        self._watch.appended()

    def sync(self) -> None:
        """Force what was appended onto the disk, so that it survives the machine as well.

        Raises:
            RunFolderError: the disk could not take it, now or at an earlier sync.
        """
        self._check()
        if not self._dirty:
            return
        self._dirty = False  # first: what is appended meanwhile needs the next sync
        try:
            os.fsync(self._own.fileno())
        except OSError as error:
            self._failure = (
                f"{self._own.name}: the disk has not kept what was written ({error.strerror}); "
                "look after it, then run again: what it lost is asked again"
            )
            raise RunFolderError(self._failure) from error

    def close(self) -> None:
        """Leave the sums, sync and close; the journal can't be used any more.

        Raises:
            RunFolderError: the disk could not take what was appended.
        """
        with self._streams:
            if not self._own.closed:
                try:
                    self._write(self._summary())
                finally:
                    self.sync()

    def _summary(self) -> Record:
        return {"sums": self.contents.sums, "scale": self.contents.scale.version}

    def _write(self, record: Record) -> int:
        self._check()
        line = encoded(record)
        rest = memoryview(line)
        try:
            while rest:  # a full disk may take a part, and says why only when it is given the rest
                rest = rest[self._own.write(rest) :]
        except OSError as error:
            self._cut_back()
            raise _unwritable(Path(self._own.name), error) from error
        self._end += len(line)
        self._dirty = True
        return len(line)

    def _cut_back(self) -> None:
        """Take away what a short write left: no later line may stand behind it."""
        try:
            self._own.truncate(self._end)
            self._own.seek(self._end)
        except OSError as error:
            self._failure = str(_unwritable(Path(self._own.name), error))

    def _check(self) -> None:
        if self._failure:
            raise RunFolderError(self._failure)


def read_journal(folder: Path) -> Iterator[Record]:
    """All records that count in one partition's journal, oldest epoch first; opens no new epoch."""
    for source in sources(folder):
        with source.path.open("rb") as stream:
            yield from _keyed(stream, source.limit)


def read_sums(folder: Path, scale: Scale) -> Counter[str]:
    """What all records that count add up to; reads only those that no header or last line tells of."""
    for source in reversed(sources(folder)):
        with source.path.open("rb") as stream:
            header, last = first_record(stream), last_record(stream)
            if header is None and not source.merged:
                continue  # killed while it was being started
            if last is not None and last.get("scale") == scale.version:
                return Counter(last["sums"])
            if header is not None and header.get("scale") == scale.version:
                stream.seek(0)
                return _weighed(_keyed(stream, None), scale, Counter(header["sums"]))
        break
    return _weighed(read_journal(folder), scale, Counter())


def _keyed(stream: BinaryIO, limit: int | None) -> Iterator[Record]:
    return (f.record for f in scan(stream, limit) if isinstance(f, Found) and "key" in f.record)


def _weighed(records: Iterator[Record], scale: Scale, sums: Counter[str]) -> Counter[str]:
    def add(name: str, amount: float) -> None:
        sums[name] += amount  # type: ignore[assignment]

    for record in records:
        scale.weigh(record, add)
    return sums


def _unwritable(path: Path, error: OSError) -> RunFolderError:
    return RunFolderError(f"{path}: cannot write the journal: {error.strerror}; nothing before this is lost")
