"""A partition's commit: the record that says which epoch's tables count, and for what they were made.

Written last, in one rename. A partition without a record, or whose record doesn't fit what is asked for now
(seeds were added, thresholds changed), is worked on again; the journal answers what was paid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from dfj_bootstrap.storage.atomic import write_atomically


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
    """Commit a partition."""
    path = _path(run, partition)
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, orjson.dumps(asdict(record)))


def read_part_record(run: Path, partition: int) -> PartRecord | None:
    """The last commit of a partition; ``None`` where there was none, or its record is damaged."""
    try:
        return PartRecord(**orjson.loads(_path(run, partition).read_bytes()))
    except (FileNotFoundError, orjson.JSONDecodeError, TypeError):
        return None


def _path(run: Path, partition: int) -> Path:
    return run / "parts" / f"part-{partition:04d}.json"
