"""Which files of a partition's journal count, and how far; many of them are made into one.

Invariants:

- Each opening writes a file of its own, an *epoch*, whose header says how far it has read the older ones:
  what their writers add afterwards doesn't count.
- ``merged-N.jsonl`` holds all that counts of the epochs up to N, and is there whole or not at all; from then
  on those epochs don't count. The newest epoch is never merged, since its writer may be alive.
- A damaged file is kept aside under another name when it is merged, for whoever wants to look at it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.storage.atomic import replacing
from dfj_bootstrap.storage.journal_lines import Damaged, encoded, first_record, scan

VERSION, WITH_MERGED = 1, 2
"""Of a header: without and with a merged file beside it, of which programs before that one know nothing."""

MOST_FILES = 8
"""Files that are read where they lie; of more all but the newest are merged."""

_EPOCH = re.compile(r"epoch-(\d{6,})\.jsonl")
_MERGED = re.compile(r"merged-(\d{6,})\.jsonl")


@dataclass(frozen=True, slots=True)
class Source:
    """A file that counts, up to ``limit`` bytes.

    Attributes:
        number: the epoch; of a merged file, the last one in it.
    """

    number: int
    path: Path
    merged: bool = False
    limit: int | None = None


def sources(folder: Path) -> list[Source]:
    """The files of a partition's journal that count, oldest first.

    Raises:
        RunFolderError: written by a newer version.
    """
    base = max(_numbered(folder, _MERGED), default=0)
    epochs = [epoch for epoch in sorted(_numbered(folder, _EPOCH)) if epoch > base]
    limits = _limits(folder, epochs)
    found = [Source(base, _merged_path(folder, base), merged=True)] if base else []
    return found + [Source(epoch, epoch_path(folder, epoch), limit=limits.get(epoch)) for epoch in epochs]


def epoch_path(folder: Path, epoch: int) -> Path:
    """The file of an epoch."""
    return folder / f"epoch-{epoch:06d}.jsonl"


def merge_if_many(folder: Path) -> list[str]:
    """Make the older files into one where there are many; returns the places of damaged lines in them.

    Raises:
        OSError: the disk is full, or the folder isn't writable.
    """
    older = sources(folder)[:-1]
    if len(older) < MOST_FILES:
        return []
    target = _merged_path(folder, older[-1].number)
    with replacing(target) as temporary, temporary.open("wb") as out:
        out.write(encoded({"merged": older[-1].number, "version": WITH_MERGED}))
        damaged = {source.path: _copy(source, out) for source in older}
    for path, places in damaged.items():
        _retire(path, keep=bool(places))
    return [place for places in damaged.values() for place in places]


def place_of(path: Path, damaged: Damaged) -> str:
    """For a person: the partition, the file and the line."""
    return f"{path.parent.name}/{path.name} line {damaged.number}"


def _copy(source: Source, out: BinaryIO) -> list[str]:
    """Copy the records that count; returns the places of damaged lines."""
    damaged = []
    with source.path.open("rb") as stream:
        for found in scan(stream, source.limit):
            if isinstance(found, Damaged):
                damaged.append(place_of(source.path, found))
            elif "key" in found.record:
                out.write(encoded(found.record))
    return damaged


def _retire(path: Path, *, keep: bool) -> None:
    if keep:
        path.rename(path.with_name(f"{path.name}.damaged"))
    else:
        path.unlink()


def _merged_path(folder: Path, number: int) -> Path:
    return folder / f"merged-{number:06d}.jsonl"


def _numbered(folder: Path, name: re.Pattern[str]) -> list[int]:
    if not folder.is_dir():
        return []
    return [int(match[1]) for entry in folder.iterdir() if (match := name.fullmatch(entry.name))]


def _limits(folder: Path, epochs: Sequence[int]) -> dict[int, int]:
    """How far each older epoch counts: what the newest readable header says it had read."""
    for epoch in reversed(epochs):
        with epoch_path(folder, epoch).open("rb") as stream:
            header = first_record(stream)
        if header is None:
            continue  # killed while it was being started, or damaged
        if header.get("version") not in (VERSION, WITH_MERGED):
            raise RunFolderError(
                f"{folder}: written by another version of this program; use that, or a new folder"
            )
        return {int(older): end for older, end in header["read"].items()}
    return {}
