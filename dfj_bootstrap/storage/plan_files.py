"""How a plan lies on disk.

``RUN/plan/`` holds ``part-0000.jsonl`` …, ``summary.json``, ``refused.jsonl`` and ``notes.jsonl``. A plan is
written aside in ``RUN/plan.new`` and put in place by two renames; ``settle`` undoes a crash between them.
``RUN/refused.jsonl`` is a copy for people. All else is private to the plan.
"""

from __future__ import annotations

import filecmp
import re
import shutil
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import blake2b
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import orjson

from dfj_bootstrap.domain.rationale import Label
from dfj_bootstrap.domain.seed import Annotation, Box, ImageRef, Seed, Split
from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.policy.ordering import slice_of, slices_for
from dfj_bootstrap.storage.atomic import replacing, sync, write_atomically
from dfj_bootstrap.storage.folder import retire
from dfj_bootstrap.storage.seed_index import SeedIndex
from dfj_bootstrap.storage.seed_rows import Note, Refusal

_OURS = re.compile(r"part-\d{4,}\.jsonl|summary\.json|refused\.jsonl|notes\.jsonl|\..*\.tmp")
"""Names that a plan gives to its files."""

_BUFFER = 4 * 2**20
"""Bytes of rows that are held back over all partitions, so that few files need to be open."""


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """What a plan holds.

    Attributes:
        partitions: a power of two, the same for the life of the run.
        total: good rows.
        refused, notes: rows turned down, and remarks on good rows, in this reading.
        input_digest: of the seeds files' bytes and the image roots.
        complete: the input was read to its end, not cut short by a limit.
    """

    partitions: int
    total: int
    refused: int
    notes: int
    input_digest: str
    complete: bool


def partition_file(run: Path, partition: int) -> Path:
    """The file of a partition: equal bytes mean equal seeds."""
    return plan_folder(run) / _part_name(partition)


def _part_name(partition: int) -> str:
    return f"part-{partition:04d}.jsonl"


def plan_folder(run: Path) -> Path:
    """Where the plan in force lies."""
    return run / "plan"


def read_partition(run: Path, partition: int) -> Iterator[Seed]:
    """The seeds of a partition in the order of their ordinals, read line by line.

    Raises:
        RunFolderError: the file is missing or damaged.
    """
    path = partition_file(run, partition)
    for row in read_rows(path):
        try:
            seed = seed_from_row(row)
        except (KeyError, TypeError, ValueError):
            raise _damaged(path) from None
        yield seed


class Slices:
    """The seeds of a partition, slice by slice; only where they stand is in memory."""

    def __init__(self, run: Path, partition: int, partitions: int) -> None:
        """Reads through the file of the partition.

        Raises:
            RunFolderError: it is missing or damaged.
        """
        self._path = partition_file(run, partition)
        places = [(str(row["id"]), offset) for offset, row in _placed_rows(self._path)]
        self._offsets: list[list[int]] = [[] for _ in range(slices_for(len(places)))]
        for seed_id, offset in places:
            self._offsets[slice_of(seed_id, partitions, len(self._offsets))].append(offset)

    def __len__(self) -> int:
        return len(self._offsets)

    def read(self, slice_: int) -> list[Seed]:
        """The seeds of a slice, in input order."""
        with self._path.open("rb") as file:
            return [seed_from_row(_row_at(file, offset)) for offset in self._offsets[slice_]]


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
        raise _damaged(path) from None


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
        raise _damaged(path) from None


def check_plan(run: Path, summary: PlanSummary) -> None:
    """Whether every seed still stands in the plan as it was read.

    Raises:
        RunFolderError: a file is missing or damaged; names it.
    """
    folder = plan_folder(run)
    digest = orjson.loads((folder / "summary.json").read_bytes()).get("digest")
    seen, rows = _digest_of(folder, summary.partitions)
    if digest not in (None, seen) or rows != summary.total:  # older plans have no digest
        raise _damaged(folder)


def _digest_of(folder: Path, partitions: int) -> tuple[str, int]:
    """Of all rows of a plan, and how many there are."""
    digest, rows = blake2b(digest_size=16), 0
    for name in (*(_part_name(p) for p in range(partitions)), "refused.jsonl"):
        try:
            data = (folder / name).read_bytes()
        except FileNotFoundError:
            raise _damaged(folder / name) from None
        digest.update(b"%d " % len(data))
        digest.update(data)
        rows += data.count(b"\n") if name != "refused.jsonl" else 0
    return digest.hexdigest(), rows


def _damaged(path: Path) -> RunFolderError:
    return RunFolderError(
        f"{path}: missing or damaged; put it back from a copy, or use a new output folder (`dfj regenerate`)"
    )


def seed_to_row(seed: Seed) -> dict[str, Any]:
    """A seed as a JSON object."""
    return asdict(seed)


def seed_from_row(row: dict[str, Any]) -> Seed:
    """The seed that ``seed_to_row`` took apart."""
    return Seed(
        id=row["id"],
        image=ImageRef(**row["image"]),
        label=Label(row["label"]),
        gold=row["gold"],
        annotations=tuple(_annotation(mark) for mark in row["annotations"]),
        group=row["group"],
        split=None if row["split"] is None else Split(row["split"]),
        source=row["source"],
        licence=row["licence"],
        ordinal=row["ordinal"],
    )


def _annotation(mark: dict[str, Any]) -> Annotation:
    box = mark["box"]
    return Annotation(mark["text"], mark["flag"], None if box is None else Box(**box))


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
        raise _damaged(source)
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
        """Add a seed's row to a partition."""
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

    def commit(self, summary: PlanSummary, index: SeedIndex) -> None:
        """Put the plan in place, durably; rows without a split take that of their group."""
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
        digest, _ = _digest_of(self.folder, self._partitions)
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
        return self.folder / _part_name(partition)

    def _open(self, name: str) -> BinaryIO:
        return (self.folder / name).open("wb")


class _Final:
    """What only the end of the reading shows: splits of groups, rows withdrawn, the order of the rest."""

    def __init__(self, index: SeedIndex) -> None:
        self._index = index
        self._inherit = index.any_inherit()
        self._withdrawn = index.withdrawn()
        self.changes = self._inherit or bool(self._withdrawn) or index.planned > 0

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
        if self._inherit:
            row["split"] = row["split"] or self._index.split_named(row["group"])
        return row
