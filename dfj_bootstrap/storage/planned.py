"""The plan of a run, as it is read: which rows are worked on, partition by partition.

``RUN/plan/`` holds ``part-0000.jsonl`` …, ``summary.json``, ``refused.jsonl`` and ``notes.jsonl``; how it is
written: ``intake/plan_writer.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import orjson

from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.policy.ordering import slice_of, slices_for

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """What a plan holds.

    Attributes:
        partitions: a power of two, the same for the life of the run.
        total: good rows.
        refused, notes: rows turned down, and remarks on good rows, in this reading.
        input_digest: of all that was read, but for pictures.
        complete: the input was read to its end, not cut short by a limit.
    """

    partitions: int
    total: int
    refused: int
    notes: int
    input_digest: str
    complete: bool


def partition_file(run: Path, partition: int) -> Path:
    """The file of a partition: equal bytes mean equal items."""
    return plan_folder(run) / part_name(partition)


def part_name(partition: int) -> str:
    return f"part-{partition:04d}.jsonl"


def plan_folder(run: Path) -> Path:
    """Where the plan in force lies."""
    return run / "plan"


def read_partition(
    run: Path, partition: int, from_row: Callable[[Mapping[str, Any]], Item]
) -> Iterator[Item]:
    """The items of a partition in the order of their ordinals, read line by line.

    Args:
        from_row: an item of its row, as the items of the run's job have it.

    Raises:
        RunFolderError: the file is missing or damaged.
    """
    path = partition_file(run, partition)
    for row in read_rows(path):
        try:
            item = from_row(row)
        except (KeyError, TypeError, ValueError):
            raise damaged_plan(path) from None
        yield item


class Slices:
    """The rows of a partition, slice by slice; only where they stand is in memory."""

    def __init__(self, run: Path, partition: int, partitions: int) -> None:
        """Reads through the file of the partition.

        Raises:
            RunFolderError: it is missing or damaged.
        """
        self._path = partition_file(run, partition)
        places = [(str(row["id"]), offset) for offset, row in _placed_rows(self._path)]
        self._offsets: list[list[int]] = [[] for _ in range(slices_for(len(places)))]
        for item_id, offset in places:
            self._offsets[slice_of(item_id, partitions, len(self._offsets))].append(offset)

    def __len__(self) -> int:
        return len(self._offsets)

    def read(self, slice_: int) -> list[dict[str, Any]]:
        """The rows of a slice, in input order."""
        with self._path.open("rb") as file:
            return [_row_at(file, offset) for offset in self._offsets[slice_]]


def _row_at(file: BinaryIO, offset: int) -> dict[str, Any]:
    file.seek(offset)
    row: dict[str, Any] = orjson.loads(file.readline())
    return row


def _placed_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a file of the plan, each with its offset in bytes.

    Raises:
        RunFolderError: it is missing or damaged.
    """
    offset = 0
    try:
        with path.open("rb") as file:
            for line in file:
                yield offset, orjson.loads(line)
                offset += len(line)
    except (FileNotFoundError, orjson.JSONDecodeError):
        raise damaged_plan(path) from None


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file of the plan.

    Raises:
        RunFolderError: it is missing or damaged.
    """
    for _, row in _placed_rows(path):
        yield row


def read_summary(run: Path) -> PlanSummary | None:
    """What the plan in force holds; ``None`` before the first one.

    Raises:
        RunFolderError: the plan is damaged.
    """
    path = plan_folder(run) / "summary.json"
    try:
        found = orjson.loads(path.read_bytes())
        return PlanSummary(**{name: found[name] for name in PlanSummary.__slots__})
    except FileNotFoundError:
        return None
    except (orjson.JSONDecodeError, TypeError, KeyError):
        raise damaged_plan(path) from None


def check_plan(run: Path, summary: PlanSummary) -> None:
    """Whether every item still stands in the plan as it was read.

    Raises:
        RunFolderError: a file is missing or damaged; names it.
    """
    folder = plan_folder(run)
    digest = orjson.loads((folder / "summary.json").read_bytes()).get("digest")
    seen, rows = plan_digest(folder, summary.partitions)
    if digest not in (None, seen) or rows != summary.total:  # older plans have no digest
        raise damaged_plan(folder)


def plan_digest(folder: Path, partitions: int) -> tuple[str, int]:
    """Of all rows of a plan, and how many there are."""
    digest, rows = blake2b(digest_size=16), 0
    for name in (*(part_name(p) for p in range(partitions)), "refused.jsonl"):
        try:
            data = (folder / name).read_bytes()
        except FileNotFoundError:
            raise damaged_plan(folder / name) from None
        digest.update(b"%d " % len(data))
        digest.update(data)
        rows += data.count(b"\n") if name != "refused.jsonl" else 0
    return digest.hexdigest(), rows


def damaged_plan(path: Path) -> RunFolderError:
    return RunFolderError(
        f"{path}: missing or damaged; put it back from a copy, or use a new output folder (`dfj regenerate`)"
    )
