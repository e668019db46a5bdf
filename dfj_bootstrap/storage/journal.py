"""The journal: every paid answer and every fact that decided something, append-only, per partition.

Invariants:

- A record is written before it is used; a kill loses at most what was in flight.
- One writer per file. Each opening makes a new *epoch*: a new file whose header says how far it read the
  older ones. What a writer that was given up adds to an older epoch afterwards is ignored for ever.
- A torn tail (killed in the middle of a write, or the disk was full) ends a file; what stands before counts.

A line is eight hex digits of CRC-32, a space, a JSON object and a newline.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import orjson

from dfj_bootstrap.errors import RunFolderError

VERSION = 1
"""Of the journal's format; a newer one is refused rather than misread."""

_NAME = re.compile(r"epoch-(\d{6})\.jsonl")


class Records(Protocol):
    """What was recorded, by key: a journal, or the answers of an old one."""

    def get(self, key: str) -> Any | None: ...

    def append(self, key: str, value: Any, **about: Any) -> None: ...


@dataclass(slots=True, eq=False)
class Journal:
    """One partition's journal, open for reading by key and for appending.

    Attributes:
        epoch: the number of the file that this opening writes.
    """

    epoch: int
    _own: BinaryIO
    _end: int
    _files: dict[int, BinaryIO]
    _index: dict[str, tuple[int, int, int]]
    _on_append: Callable[[], None]
    _dirty: bool = False

    @classmethod
    def open(
        cls,
        folder: Path,
        visit: Callable[[dict[str, Any]], None] = lambda record: None,
        on_append: Callable[[], None] = lambda: None,
    ) -> Journal:
        """Index what is there and start a new epoch.

        Args:
            visit: is shown every record that counts, for the books.
            on_append: is called after each append, so that someone can sync.

        Raises:
            RunFolderError: the folder can't be written, or was written by a newer version.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return cls._open(folder, visit, on_append)
        except OSError as error:
            raise _unwritable(folder, error) from error

    @classmethod
    def _open(
        cls, folder: Path, visit: Callable[[dict[str, Any]], None], on_append: Callable[[], None]
    ) -> Journal:
        epochs = _epochs(folder)
        limits = _limits(folder, epochs)
        files: dict[int, BinaryIO] = {}
        index: dict[str, tuple[int, int, int]] = {}
        read: dict[str, int] = {}
        for epoch in epochs:
            files[epoch] = _path(folder, epoch).open("rb")
            end = 0
            for offset, length, record in _records(files[epoch], limits.get(epoch)):
                if "key" in record:
                    index.setdefault(record["key"], (epoch, offset, length))
                    visit(record)
                end = offset + length
            read[str(epoch)] = end
        own = max(epochs, default=0) + 1
        stream = _path(folder, own).open("xb", buffering=0)
        files[own] = _path(folder, own).open("rb")
        journal = cls(own, stream, 0, files, index, on_append)
        journal._write({"epoch": own, "read": read, "version": VERSION})
        return journal

    def get(self, key: str) -> Any | None:
        """The value recorded under ``key``, or ``None``."""
        place = self._index.get(key)
        if place is None:
            return None
        epoch, offset, length = place
        line = os.pread(self._files[epoch].fileno(), length, offset)
        record = _decode(line)
        if record is None:
            raise RunFolderError(f"{self._files[epoch].name}: the journal changed while it was open")
        return record["value"]

    def append(self, key: str, value: Any, **about: Any) -> None:
        """Record ``value`` under ``key``; on return it survives a kill of this process.

        Args:
            about: what a reader of the file wants to know besides (role, seed, level …).

        Raises:
            RunFolderError: the disk is full or the folder was taken away.
        """
        offset = self._end
        try:
            length = self._write({"key": key, **about, "value": value})
        except OSError as error:
            raise _unwritable(Path(self._own.name), error) from error
        self._index.setdefault(key, (self.epoch, offset, length))
        self._on_append()

    def _write(self, record: dict[str, Any]) -> int:
        line = _encode(record)
        written = self._own.write(line)
        if written != len(line):
            raise OSError(28, "No space left on device")
        self._end += written
        self._dirty = True
        return written

    def sync(self) -> None:
        """Force what was appended onto the disk, so that it survives the machine as well."""
        if self._dirty:
            self._dirty = False
            os.fsync(self._own.fileno())

    def close(self) -> None:
        """Sync and close; the journal can't be used any more."""
        try:
            if not self._own.closed:
                self.sync()
        finally:
            for stream in (self._own, *self._files.values()):
                stream.close()


def read_journal(folder: Path) -> Iterator[dict[str, Any]]:
    """All records that count in one partition's journal, oldest epoch first; opens no new epoch."""
    epochs = _epochs(folder)
    limits = _limits(folder, epochs)
    for epoch in epochs:
        with _path(folder, epoch).open("rb") as stream:
            for _, _, record in _records(stream, limits.get(epoch)):
                if "key" in record:
                    yield record


def _epochs(folder: Path) -> list[int]:
    if not folder.is_dir():
        return []
    return sorted(int(m[1]) for entry in folder.iterdir() if (m := _NAME.fullmatch(entry.name)))


def _path(folder: Path, epoch: int) -> Path:
    return folder / f"epoch-{epoch:06d}.jsonl"


def _limits(folder: Path, epochs: list[int]) -> dict[int, int]:
    """How far each older epoch counts: what the newest readable header says it had read."""
    for epoch in reversed(epochs):
        with _path(folder, epoch).open("rb") as stream:
            header = next((record for _, _, record in _records(stream, None)), None)
        if header is None:
            continue  # killed while it was being started: nothing in it
        if header.get("version") != VERSION:
            raise RunFolderError(
                f"{folder}: written by another version of this program; use that, or a new folder"
            )
        return {int(older): end for older, end in header["read"].items()}
    return {}


def _records(stream: BinaryIO, limit: int | None) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Offset, length and content of each whole line, up to ``limit`` bytes or the first torn one."""
    offset = 0
    for line in stream:
        record = _decode(line)
        if record is None or (limit is not None and offset + len(line) > limit):
            return
        yield offset, len(line), record
        offset += len(line)


def _encode(record: dict[str, Any]) -> bytes:
    body = orjson.dumps(record)
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _decode(line: bytes) -> dict[str, Any] | None:
    """The record of a line, ``None`` where it is torn or damaged."""
    body = line[9:-1]
    if not line.endswith(b"\n") or line[:9] != b"%08x " % zlib.crc32(body):
        return None
    record: dict[str, Any] = orjson.loads(body)
    return record


def _unwritable(path: Path, error: OSError) -> RunFolderError:
    return RunFolderError(f"{path}: cannot write the journal: {error.strerror}; nothing before this is lost")
