"""``RUN/checksums.jsonl``: what every file of ``dfj-meta`` is, written last.

A line is ``{"path", "size", "sha256"}`` of one file, in the order of writing, the path from ``dfj-meta`` on;
the last line, ``{"files", "bytes"}``, shows that the list is whole. It stands beside ``dfj-meta``, since what
lies in there is a published layout. Files are hashed while they are written: it says what was meant.

Invariant: the same dataset gives the same list; reading and writing it takes no memory that grows with it.
"""

from __future__ import annotations

import io
import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import file_digest, sha256
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, Any

import orjson

from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.storage.atomic import sync
from dfj_bootstrap.storage.folder import empty_folders_below, files_below

OURS = re.compile(
    r"dfj-meta-(pointwise|pairwise)/(README\.md|data/(train|test)-\d{5}-of-\d{5}\.parquet"
    r"|(train|test)/(data\.jsonl|images/[0-9a-f]{16}\.\w+))"
)
"""The paths of a dataset's files, from ``dfj-meta`` on."""

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

_AGAIN = "`dfj generate` writes the dataset again, and its checksums with it"

_LOG = logging.getLogger(__name__)

CHANGED, MISSING, EXTRA = "changed", "missing", "extra"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file as it must be; ``path`` from ``dfj-meta`` on, ``size`` in bytes."""

    path: str
    size: int
    sha256: str


class HashedFile(io.BufferedWriter):
    """A new file that is hashed while it is written.

    Attributes:
        size: bytes so far.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path, "wb"))
        self._digest = sha256()
        self.size = 0

    def write(self, data: Buffer) -> int:
        """Write all of ``data``."""
        self._digest.update(data)
        written = super().write(data)
        self.size += written
        return written

    def hexdigest(self) -> str:
        """The checksum of what was written."""
        return self._digest.hexdigest()


class ChecksumWriter:
    """Notes the files of a new dataset; left without an error, the list is whole and can be published."""

    def __init__(self, run: Path, root: Path) -> None:
        """
        Args:
            root: where the new dataset is being written.
        """
        self._path = run / "checksums.jsonl"
        self._new = run / ".checksums.jsonl.new"
        self._root = root
        self._files = self._bytes = 0

    def __enter__(self) -> ChecksumWriter:
        self._stream = self._new.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._line({"files": self._files, "bytes": self._bytes})
        self._stream.close()
        if kind is not None:
            self._new.unlink()

    def add(self, file: Path, size: int, digest: str) -> None:
        """Note a file of ``size`` bytes, under the name that it will have."""
        self._line(asdict(Entry(file.relative_to(self._root).as_posix(), size, digest)))
        self._files += 1
        self._bytes += size

    def publish(self) -> None:
        """Put the list in force, durably, once the dataset has taken its place."""
        sync(self._new)
        self._new.replace(self._path)
        sync(self._path.parent)

    def _line(self, row: dict[str, object]) -> None:
        self._stream.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


def read_checksums(run: Path) -> Iterator[Entry]:
    """The files of the dataset as they must be, in the order of writing.

    Raises:
        RunFolderError: the list is missing, damaged or cut off; possibly after some entries.
    """
    path = run / "checksums.jsonl"
    files = size = 0
    whole = False
    try:
        with path.open("rb") as stream:
            for line in stream:
                row = orjson.loads(line)
                if row == {"files": files, "bytes": size}:
                    whole = not stream.readline()
                    break
                entry = _entry(row)
                yield entry
                files, size = files + 1, size + entry.size
    except FileNotFoundError:
        raise RunFolderError(f"{path}: missing; {_AGAIN}") from None
    except (orjson.JSONDecodeError, TypeError):
        pass
    if not whole:
        raise RunFolderError(f"{path}: damaged; {_AGAIN}")


def _entry(row: dict[str, Any]) -> Entry:
    """A line of the list; ``TypeError`` where it is none."""
    entry = Entry(**row)
    if not (isinstance(entry.path, str) and isinstance(entry.size, int)):
        raise TypeError
    return entry


def differences(run: Path, *, thorough: bool) -> Iterator[tuple[str, str]]:
    """What in ``dfj-meta`` isn't as the checksums say: ``changed``, ``missing`` or ``extra``, and its path.

    Args:
        thorough: read every file, and look for links and empty folders; else only sizes are compared. The
            path of such a folder ends in a slash.

    Raises:
        RunFolderError: there are no checksums, or they are damaged.
    """
    root = run / "dfj-meta"
    there = 0
    for entry in read_checksums(run):
        what = _difference(root / entry.path, entry, thorough)
        there += what != MISSING
        if what:
            yield what, entry.path
    if sum(1 for _ in files_below(root)) != there:  # only then is a list of all worth its memory
        known = {entry.path for entry in read_checksums(run)}
        yield from ((EXTRA, path) for path in files_below(root) if path not in known)
    if thorough and (empty := list(empty_folders_below(root))):
        ours = {str(folder) for entry in read_checksums(run) for folder in PurePosixPath(entry.path).parents}
        yield from ((EXTRA, f"{path}/") for path in empty if path not in ours)


def _difference(file: Path, entry: Entry, thorough: bool) -> str:
    if not file.is_file():
        return MISSING
    if file.stat().st_size != entry.size or (thorough and file.is_symlink()):
        return CHANGED  # what a link leads to can go away, and stays behind where the dataset is copied to
    return CHANGED if thorough and checksum(file) != entry.sha256 else ""


def checksum(file: Path) -> str:
    """The checksum of a file on the disk; empty where it can't be read."""
    try:
        with file.open("rb") as stream:
            return file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def visible_damage(run: Path) -> str:
    """What a look at names and sizes finds wrong with the dataset, in a few words; empty where nothing."""
    if not os.path.lexists(run / "dfj-meta"):
        return "dfj-meta is gone"
    try:
        for what, path in differences(run, thorough=False):
            if what != EXTRA or OURS.fullmatch(path):  # what others put there is theirs
                return f"dfj-meta/{path} is {what}"
    except RunFolderError:
        return "checksums.jsonl is missing or damaged"
    return ""


def keep_edited_cards(run: Path) -> None:
    """Copy aside each card that was edited by hand: a new one takes its place."""
    with suppress(
        RunFolderError
    ):  # without checksums an edited card can't be told from one of another version
        cards = [entry for entry in read_checksums(run) if entry.path.endswith("/README.md")]
        for entry in cards:
            path = run / "dfj-meta" / entry.path
            found = checksum(path)
            if found not in ("", entry.sha256):
                kept = run / "dfj-meta.kept" / Path(entry.path).with_name(f"README-{found[:8]}.md")
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, kept)
                _LOG.warning("%s was edited; a new one takes its place, the edited one is now %s", path, kept)
