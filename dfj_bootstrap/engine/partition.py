"""One partition on its way to its commit.

Invariants:

- What is held in memory is bounded by the items at work: a slice is written as soon as all its items and the
  slices before it are done, and the reader runs only so far ahead.
- Every question that the partition asked has ended before its commit, and is in its books.
- All that it writes carries the epoch of its journal; its tables count only once its commit is written,
  and that is written last.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, TypeAlias

from dfj_bootstrap.engine.endings import in_thread
from dfj_bootstrap.engine.task import Job
from dfj_bootstrap.policy.ordering import ITEMS_PER_SLICE
from dfj_bootstrap.roles.casting import Cast
from dfj_bootstrap.storage.commits import Commit, read_commit, write_commit
from dfj_bootstrap.storage.journal import Journal
from dfj_bootstrap.storage.ledger import DAMAGED, Tally
from dfj_bootstrap.storage.planned import Slices, partition_file
from dfj_bootstrap.storage.tables import PartWriter, drop_part

TallyReport: TypeAlias = Callable[[Tally], None]
"""Is told of everything that changes a partition's books, as deltas."""

RunReport: TypeAlias = Callable[[int, Tally | None], None]
"""Is told of each partition's books, as deltas; ``None`` takes back all it was told."""


def is_current(job: Job, partition: int, commit: Commit | None) -> bool:
    """Whether a partition's last commit still stands for this job."""
    if commit is None or commit.basis != partition_basis(job, partition):
        return False
    return job.task.ledger.is_settled(commit.tally)


def partition_basis(job: Job, partition: int) -> str:
    """Digest of what a partition is made from: its items and what decides."""
    digest = blake2b(job.basis.encode(), digest_size=16)
    digest.update(partition_file(job.run, partition).read_bytes())
    return digest.hexdigest()


class Entries:
    """A partition's tally; what changes in one turn of the event loop is reported as one delta."""

    def __init__(self, report: TallyReport) -> None:
        self.tally: Tally = Counter()
        self._report = report
        self._delta: Tally = Counter()

    def add(self, key: str, amount: float) -> None:
        """Enter an amount."""
        if not self._delta:
            asyncio.get_running_loop().call_soon(self.tell)
        self.tally[key] += amount  # type: ignore[assignment]
        self._delta[key] += amount  # type: ignore[assignment]

    def tell(self) -> None:
        """Report what hasn't been."""
        if self._delta:
            delta, self._delta = self._delta, Counter()
            self._report(delta)


class Slots(asyncio.Semaphore):
    """Items that a worker may have at work, over all its partitions."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most


class Partition:
    """The work on one partition, in one opening of its journal."""

    def __init__(
        self, job: Job, number: int, journal: Journal, cast: Cast, entries: Entries, slots: Slots
    ) -> None:
        self._job = job
        self._task = job.task
        self._number = number
        self._journal = journal
        self._cast = cast
        self._entries = entries
        self._slots = slots

    async def run(self, partitions: int) -> None:
        """Bring it to its commit; ``partitions``: how many the run has.

        Raises:
            RunError: the run can't go on.
        """
        self._enter_what_stands()
        slices = await in_thread(Slices, self._job.run, self._number, partitions)
        part = PartWriter(self._job.run, self._number, self._journal.epoch, self._task.tables, len(slices))
        try:
            await self._work_through(slices, part)
            await self._cast.settle()
            await in_thread(self._commit, part, dict(self._entries.tally))
        finally:
            part.discard()

    def _enter_what_stands(self) -> None:
        """What the journal holds was paid by earlier starts, or lost to damage."""
        for key, amount in self._journal.contents.sums.items():
            self._entries.add(key, amount)
        for place in self._journal.contents.damaged:
            self._entries.add(f"{DAMAGED}{place}", 1)

    async def _work_through(self, slices: Slices, part: PartWriter) -> None:
        """Read slices only as fast as slots get free, and only so far ahead of what is written."""
        room = asyncio.Semaphore(2 + self._slots.most // ITEMS_PER_SLICE)
        written: asyncio.Task[None] | None = None
        async with asyncio.TaskGroup() as group:
            for number in range(len(slices)):
                await room.acquire()
                items = await in_thread(self._read_slice, slices, number)
                at_work = [(item, await self._begin(group, item)) for item in items]
                written = group.create_task(self._write(at_work, part, written))
                written.add_done_callback(lambda _: room.release())

    def _read_slice(self, slices: Slices, number: int) -> list[Any]:
        return [self._task.items.from_row(row) for row in slices.read(number)]

    async def _begin(self, group: asyncio.TaskGroup, item: Any) -> asyncio.Task[Any]:
        await self._slots.acquire()
        task = group.create_task(self._task.do(item, self._cast))
        task.add_done_callback(lambda _: self._slots.release())
        return task

    async def _write(
        self,
        at_work: Sequence[tuple[Any, asyncio.Task[Any]]],
        part: PartWriter,
        before: asyncio.Task[None] | None,
    ) -> None:
        """Write a slice once its items are done and the slice before it is written."""
        done = [(item, await task) for item, task in at_work]
        if before is not None:
            await before
        await in_thread(self._write_slice, part, done)

    def _write_slice(self, part: PartWriter, done: Sequence[tuple[Any, Any]]) -> None:
        part.write(self._task.rows(item, result) for item, result in done)

    def _commit(self, part: PartWriter, tally: Mapping[str, float]) -> None:
        """Tables first, then the record that makes them count."""
        run, epoch = self._job.run, self._journal.epoch
        before = read_commit(run, self._number)
        part.finish()
        self._journal.sync()
        basis = partition_basis(self._job, self._number)
        write_commit(run, self._number, Commit(epoch, basis, tally))
        if before is not None and before.epoch < epoch:
            drop_part(run, self._number, before.epoch)
