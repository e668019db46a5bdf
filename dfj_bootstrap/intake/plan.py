"""The plan: all seeds, read once, checked against each other, laid into partitions by hash of their id.

The number of partitions is chosen by the first plan and never changes, so seeds that are added move nobody.
A plan only grows: a seed whose row changed or went away is an error, for work on it exists already, and a
seed that an earlier plan admitted stays, whatever rules there are now. Wherever rows are added, a partition
that gets none keeps its bytes, and so its work. The caller holds the lock of the run folder.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.errors import RunFolderError, SeedsError
from dfj_bootstrap.intake.image_paths import plain_name
from dfj_bootstrap.intake.plan_writer import PlanWriter, publish_refused, settle
from dfj_bootstrap.intake.seed_index import SeedIndex, SplitOf
from dfj_bootstrap.intake.seed_rows import Refusal, SeedRow, image_root_of
from dfj_bootstrap.intake.seed_rows import read_rows as read_seed_rows
from dfj_bootstrap.policy.ordering import partition_of
from dfj_bootstrap.runs.planned import (
    PlanSummary,
    partition_file,
    plan_folder,
    read_partition,
    read_rows,
    read_summary,
    seed_from_row,
    seed_to_row,
)

Progress: TypeAlias = Callable[[int, int], None]
"""Is told how many rows have been read, of about how many."""

_ROWS_PER_PARTITION = 32
_FEWEST, _MOST = 8, 1024
_OTHER_FOLDER = "work on it is done; use a new output folder (`dfj regenerate`) or put the row back"


def make_plan(
    run: Path,
    config: Config,
    *,
    limit: int | None = None,
    on_progress: Progress | None = None,
    split_of: SplitOf | None = None,
) -> PlanSummary:
    """Read the seeds and write the plan, unless the one that stands already holds what is wanted.

    Args:
        limit: stop after so many good rows; a plan that stands never shrinks.
        split_of: the split of a group that no row names one for: an added row may not say otherwise.

    Raises:
        SeedsError: a file is missing, or no row is good.
        RunFolderError: a seed of the plan that stands has changed or is gone, the plan is damaged, or the
            folder for temporary files is full.
    """
    run.mkdir(parents=True, exist_ok=True)
    settle(run)
    before = read_summary(run)
    digest, lines = _look_through(config)
    if before and before.input_digest == digest and _suffices(before, limit):
        publish_refused(run, plan_folder(run))
        return before
    partitions = before.partitions if before else _partitions(lines)
    try:
        with PlanWriter(run, partitions) as writer, SeedIndex(split_of) as index:
            if before:
                _remember(run, before, index)
            reading = _Reading(run, config, partitions, writer, index)
            complete = reading.read(limit, lines, on_progress)
            reading.settle()
            reading.check_nothing_lost(before)
            summary = PlanSummary(partitions, reading.good, reading.refused, reading.notes, digest, complete)
            writer.commit(summary, index)
    except sqlite3.OperationalError as error:
        raise RunFolderError(
            f"{tempfile.gettempdir()}: cannot keep the index of seeds there ({error}); "
            "make room, or set TMPDIR to another folder"
        ) from error
    return summary


class _Reading:
    """One pass over the seeds files."""

    def __init__(
        self, run: Path, config: Config, partitions: int, writer: PlanWriter, index: SeedIndex
    ) -> None:
        self._run = run
        self._config = config
        self._partitions = partitions
        self._writer = writer
        self._index = index
        self._first: Refusal | None = None
        self._next = index.planned
        self.good = self.refused = self.notes = 0

    def read(self, limit: int | None, lines: int, on_progress: Progress | None) -> bool:
        """Read rows until the limit; whether the end of the input was reached."""
        with closing(read_seed_rows(self._config.seed_files, self._config.image_root)) as rows:
            for item in rows:
                if isinstance(item, Refusal):
                    self._refuse(item)
                else:
                    self._take(item)
                if on_progress:
                    on_progress(self.good + self.refused, lines if limit is None else min(limit, lines))
                if limit is not None and self.good >= limit and not self._index.missing():
                    return False
        return True

    def settle(self) -> None:
        """Once nothing more is read: tell of the rows that were turned down in the end."""
        for refusal in self._index.withdrawals():
            self._refuse(refusal)

    def check_nothing_lost(self, before: PlanSummary | None) -> None:
        """There is something to do, and every seed of the earlier plan was met again."""
        if not self.good:
            self._writer.publish_refused()
            raise SeedsError(self._nothing())
        if before and self._index.missing():
            gone = next(s for s in _all_seeds(self._run, before) if self._index.earlier(s.id))
            raise RunFolderError(f"seed {gone.id!r}: {self._why_gone(gone)}; {_OTHER_FOLDER}")

    def _take(self, row: SeedRow) -> None:
        content, earlier = content_of(row.seed), self._index.earlier(row.seed.id)
        if earlier and earlier.content != content:
            self._changed(row)
        objection = None if earlier else row.unfit or self._index.objection(row)
        if objection:
            self._turn_down(row, *objection)
            return
        seed = replace(row.seed, ordinal=earlier.ordinal if earlier else self._next)
        self._index.admit(row, seed.ordinal)
        self._writer.add(
            partition_of(seed.id, self._partitions), seed_to_row(seed) | {"content": content.hex()}
        )
        self._next += not earlier
        self.good += 1
        self.notes += len(row.notes)
        for note in row.notes:
            self._writer.note(note)

    def _turn_down(self, row: SeedRow, field: str, why: str) -> None:
        if field == "label":
            self.good -= self._index.withdraw(row)
        self._refuse(row.refuse(field, why))

    def _refuse(self, refusal: Refusal) -> None:
        self._first = self._first or refusal
        self.refused += 1
        self._writer.refuse(refusal)

    def _changed(self, row: SeedRow) -> None:
        seeds = read_partition(self._run, partition_of(row.seed.id, self._partitions))
        old = _respelled(next(seed for seed in seeds if seed.id == row.seed.id))
        what = " and ".join(_differences(old, row.seed)) or "split"
        raise RunFolderError(
            f"{row.file} line {row.line}: {what} of seed {row.seed.id!r} changed since this run was planned;"
            f" {_OTHER_FOLDER}"
        )

    def _why_gone(self, seed: Seed) -> str:
        for row in self._writer.refused_rows():
            if row["id"] == seed.id:
                return (
                    f"its row is refused now ({row['file']} line {row['line']}: {row['field']} {row['why']})"
                )
        return "its row is no longer in the input"

    def _nothing(self) -> str:
        files = ", ".join(str(file) for file in self._config.seed_files)
        if not self._first:
            return f"{files}: there are no rows; a seeds file holds one JSON object per line"
        kept = self._run == self._config.output  # elsewhere it is a trial, and its folder goes away
        where = f" (see {self._run / 'refused.jsonl'})" if kept else ""
        return f"no good row: all {self.refused} refused{where}; the first: {self._first.sentence()}"


def _look_through(config: Config) -> tuple[str, int]:
    """A digest of everything that is read, but for the pictures, and the number of lines."""
    digest, lines = blake2b(digest_size=16), 0
    for file in config.seed_files:
        root = image_root_of(file, config.image_root)
        digest.update(f"\0{root.resolve()}\0".encode())
        try:
            with file.open("rb") as stream:
                while chunk := stream.read(2**20):
                    digest.update(chunk)
                    lines += chunk.count(b"\n")
        except OSError as error:
            raise SeedsError(f"{file}: cannot read the seeds file: {error.strerror}") from None
    return digest.hexdigest(), lines


def _suffices(before: PlanSummary, limit: int | None) -> bool:
    return before.complete or (limit is not None and limit <= before.total)


def _partitions(rows: int) -> int:
    """A power of two with some 32 rows each."""
    wanted = min(max(rows // _ROWS_PER_PARTITION, _FEWEST), _MOST)
    return 1 << (wanted - 1).bit_length()


def _remember(run: Path, before: PlanSummary, index: SeedIndex) -> None:
    for partition in range(before.partitions):
        for row in read_rows(partition_file(run, partition)):
            seed = seed_from_row(row)
            index.remember(seed, _content_now(seed, bytes.fromhex(row["content"])))


def _all_seeds(run: Path, before: PlanSummary) -> Iterator[Seed]:
    for partition in range(before.partitions):
        yield from read_partition(run, partition)


def content_of(seed: Seed) -> bytes:
    """Digest of what the row says: not where the picture lies, nor what other rows make of it."""
    return blake2b(orjson.dumps(_fields(seed)), digest_size=16).digest()


def _content_now(seed: Seed, content: bytes) -> bytes:
    """The digest of a planned row as it is made today, however the path of its picture was spelled."""
    plain = _respelled(seed)
    if plain == seed:
        return content
    for split in (seed.split, None):  # the row's own, or its group's
        if content_of(replace(seed, split=split)) == content:
            return content_of(replace(plain, split=split))
    return content


def _respelled(seed: Seed) -> Seed:
    return replace(seed, image=replace(seed.image, name=plain_name(seed.image.name)))


def _fields(seed: Seed) -> dict[str, Any]:
    """What the row says, by the names of its fields; the split as the row itself has it."""
    row = seed_to_row(seed)
    image = row.pop("image")
    del row["ordinal"]
    return {"image": image["name"], "the picture": image["digest"], "gold_rationale": row.pop("gold"), **row}


def _differences(old: Seed, new: Seed) -> list[str]:
    """The fields that differ, but for the split, which an old seed may have from its group."""
    before, after = _fields(old), _fields(new)
    names = [name for name in before if name != "split" and before[name] != after[name]]
    default_group = old.group == old.image.digest and new.group == new.image.digest
    return [name for name in names if not (name == "group" and default_group)]
