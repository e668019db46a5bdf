"""One partition on its way to its commit.

Invariants:

- What is held in memory is bounded by the seeds at work: a slice is written as soon as all its seeds and the
  slices before it are done, and the reader runs only so far ahead.
- Every question that the partition asked has ended before its commit, and is in its books.
- All that it writes carries the epoch of its journal; its tables count only once its part record is written,
  and that is written last.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TypeAlias

from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.domain.trajectory import Ladder, Paraphrase, Trajectory
from dfj_bootstrap.engine.endings import in_thread
from dfj_bootstrap.policy.ordering import SEEDS_PER_SLICE
from dfj_bootstrap.roles.casting import Cast, recipe_of
from dfj_bootstrap.runs.commits import PartRecord, read_part_record, write_part_record
from dfj_bootstrap.runs.facts import samples_of, start_over
from dfj_bootstrap.runs.journal import Journal
from dfj_bootstrap.runs.planned import Slices, partition_file
from dfj_bootstrap.runs.tables import PartWriter, drop_part
from dfj_bootstrap.runs.tally import DAMAGED, Tally, tally_paraphrase, tally_seed, tally_trajectory
from dfj_bootstrap.stages.ladder import build_ladder

Report: TypeAlias = Callable[[Tally], None]
"""Is told of everything that changes a partition's books, as deltas."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker needs to know of a run; picklable.

    Attributes:
        run_id: what ``run.json`` must say, so that a worker which sees another folder finds out.
        basis: digest of all that decides what is made of a seed.
        retry_rejected: give rejected levels another go.
        spent_usd: what earlier starts have spent, or may have; counts only where there is a budget.
        answered_before: earlier starts were answered, so that keys and models are known to be right.
    """

    run: Path
    run_id: str
    config: Config
    basis: str
    retry_rejected: bool = False
    spent_usd: float = 0.0
    answered_before: bool = False


def is_current(job: Job, partition: int, record: PartRecord | None) -> bool:
    """Whether a partition's last commit still stands for this job."""
    if record is None or record.basis != partition_basis(job, partition):
        return False
    again = record.tally.get("trajectories.rejected", 0) if job.retry_rejected else 0
    return not record.tally.get("seeds.failed", 0) and not again


def partition_basis(job: Job, partition: int) -> str:
    """Digest of what a partition is made from: its seeds and what decides."""
    digest = blake2b(job.basis.encode(), digest_size=16)
    digest.update(partition_file(job.run, partition).read_bytes())
    return digest.hexdigest()


class Counts:
    """A partition's books; what changes in one turn of the event loop is reported as one delta."""

    def __init__(self, report: Report) -> None:
        self.tally: Tally = Counter()
        self._report = report
        self._delta: Tally = Counter()

    def one(self, name: str, amount: float) -> None:
        if not self._delta:
            asyncio.get_running_loop().call_soon(self.tell)
        self.tally[name] += amount  # type: ignore[assignment]
        self._delta[name] += amount  # type: ignore[assignment]

    def all(self, delta: Mapping[str, float]) -> None:
        for name, amount in delta.items():
            self.one(name, amount)

    def tell(self) -> None:
        """Report what hasn't been."""
        if self._delta:
            delta, self._delta = self._delta, Counter()
            self._report(delta)


class Slots(asyncio.Semaphore):
    """Seeds that a worker may have at work, over all its partitions."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most


class Partition:
    """The work on one partition, in one opening of its journal."""

    def __init__(
        self, job: Job, number: int, journal: Journal, cast: Cast, counts: Counts, slots: Slots
    ) -> None:
        self._job = job
        self._number = number
        self._journal = journal
        self._cast = cast
        self._counts = counts
        self._slots = slots
        self._recipe = recipe_of(job.config)

    async def run(self, partitions: int) -> None:
        """Bring it to its commit; ``partitions``: how many the run has.

        Raises:
            RunError: the run can't go on.
        """
        self._counts.all(self._journal.contents.sums)
        self._counts.all({f"{DAMAGED}{place}": 1 for place in self._journal.contents.damaged})
        slices = await in_thread(Slices, self._job.run, self._number, partitions)
        part = PartWriter(self._job.run, self._number, self._journal.epoch, len(slices))
        try:
            await self._work_through(slices, part)
            await self._cast.settle()
            await in_thread(self._commit, part, dict(self._counts.tally))
        finally:
            part.discard()

    async def _work_through(self, slices: Slices, part: PartWriter) -> None:
        """Read slices only as fast as slots get free, and only so far ahead of what is written."""
        room = asyncio.Semaphore(2 + self._slots.most // SEEDS_PER_SLICE)
        written: asyncio.Task[None] | None = None
        async with asyncio.TaskGroup() as group:
            for number in range(len(slices)):
                await room.acquire()
                seeds = await in_thread(slices.read, number)
                at_work = [(seed, await self._begin(group, seed)) for seed in seeds]
                written = group.create_task(self._write(at_work, part, written))
                written.add_done_callback(lambda _: room.release())

    async def _begin(self, group: asyncio.TaskGroup, seed: Seed) -> asyncio.Task[Ladder]:
        await self._slots.acquire()
        task = group.create_task(self._ladder(seed))
        task.add_done_callback(lambda _: self._slots.release())
        return task

    async def _write(
        self,
        at_work: Sequence[tuple[Seed, asyncio.Task[Ladder]]],
        part: PartWriter,
        before: asyncio.Task[None] | None,
    ) -> None:
        """Write a slice once its seeds are done and the slice before it is written."""
        ladders = [(seed, await task) for seed, task in at_work]
        if before is not None:
            await before
        await in_thread(part.write, ladders)

    async def _ladder(self, seed: Seed) -> Ladder:
        roles, count = self._cast.roles, self._counts.all

        def watch(done: Trajectory | Paraphrase) -> None:
            count(tally_trajectory(done) if isinstance(done, Trajectory) else tally_paraphrase(done))

        if self._job.retry_rejected:
            samples = samples_of(self._journal, seed.id)
            ladder = await build_ladder(seed, samples, roles, self._recipe, lambda done: None)
            start_over(self._journal, ladder, samples)
        ladder = await build_ladder(seed, samples_of(self._journal, seed.id), roles, self._recipe, watch)
        count(tally_seed(ladder))
        return ladder

    def _commit(self, part: PartWriter, tally: Mapping[str, float]) -> None:
        """Tables first, then the record that makes them count."""
        run, epoch = self._job.run, self._journal.epoch
        before = read_part_record(run, self._number)
        part.finish()
        self._journal.sync()
        basis = partition_basis(self._job, self._number)
        write_part_record(run, self._number, PartRecord(epoch, basis, tally))
        if before is not None and before.epoch < epoch:
            drop_part(run, self._number, before.epoch)
