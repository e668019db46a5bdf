"""A partition's commit: the record that says which epoch's tables count, and for what they were made.

Written last, in one rename, under the epoch's own name: a worker that was given up and wakes writes beside a
newer commit, never over it. The newest counts. A partition without a record, or whose record doesn't fit
what is asked for now (seeds added, another threshold), is worked on again; the journal answers what was paid.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from dfj_bootstrap.runs.atomic import make_folder, write_atomically

_NAME = re.compile(r"part-(\d{4,})(?:-e\d{4,})?\.json")
"""A record; the first versions of this program wrote one per partition, without an epoch in its name."""


@dataclass(frozen=True, slots=True)
class PartRecord:
    """What was done in a partition.

    Attributes:
        epoch: of the journal and of the table parts that belong together.
        basis: digest of the seeds and options that it was made from.
        tally: the books of these seeds; answers and their cost over the run's whole life.
    """

    epoch: int
    basis: str
    tally: Mapping[str, float]


def write_part_record(run: Path, partition: int, record: PartRecord) -> None:
    """Commit a partition; its commits of older epochs are removed."""
    folder = run / "parts"
    make_folder(folder)
    write_atomically(folder / f"part-{partition:04d}-e{record.epoch:04d}.json", orjson.dumps(asdict(record)))
    for path in _paths(run, partition):
        older = read_record(path)
        if older is not None and older.epoch < record.epoch:
            path.unlink(missing_ok=True)


def read_part_record(run: Path, partition: int) -> PartRecord | None:
    """The newest commit of a partition, if there was one."""
    return _newest(_paths(run, partition))


def read_part_records(run: Path) -> dict[int, PartRecord]:
    """Partition → its newest commit."""
    newest = ((partition, _newest(paths)) for partition, paths in part_record_paths(run).items())
    return {partition: record for partition, record in newest if record is not None}


def part_record_paths(run: Path) -> dict[int, list[Path]]:
    """Partition → all that lies there as its record."""
    paths: dict[int, list[Path]] = {}
    for path in sorted((run / "parts").glob("part-*.json")):
        if match := _NAME.fullmatch(path.name):
            paths.setdefault(int(match[1]), []).append(path)
    return paths


def read_record(path: Path) -> PartRecord | None:
    """A record; ``None`` where it has gone, or is none: then its partition is worked on again."""
    try:
        found = PartRecord(**orjson.loads(path.read_bytes()))
    except (FileNotFoundError, TypeError, orjson.JSONDecodeError):
        return None
    tally = isinstance(found.tally, dict) and all(isinstance(n, int | float) for n in found.tally.values())
    return found if tally and isinstance(found.epoch, int) and isinstance(found.basis, str) else None


def _paths(run: Path, partition: int) -> list[Path]:
    stem = f"part-{partition:04d}"
    return [run / "parts" / f"{stem}.json", *(run / "parts").glob(f"{stem}-e*.json")]


def _newest(paths: Iterable[Path]) -> PartRecord | None:
    return max(filter(None, map(read_record, paths)), key=lambda record: record.epoch, default=None)
