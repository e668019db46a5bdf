"""The worker: brings partitions to their commit. The same class serves every engine.

Invariants: one partition is worked on by one worker at a time; everything that it writes carries the epoch of
its own journal; its tables count only once its part record is written, and that is written last.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from dfj_bootstrap.config import Config
from dfj_bootstrap.domain.rationale import LEVELS
from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.domain.trajectory import Ladder, Paraphrase, Rejected, Trajectory
from dfj_bootstrap.endpoints.journalled import count_journalled
from dfj_bootstrap.engine.allowances import Grants, Usage
from dfj_bootstrap.engine.syncer import Syncer
from dfj_bootstrap.engine.tally import Tally, tally_paraphrase, tally_seed, tally_trajectory
from dfj_bootstrap.engine.wiring import Backends, Cast, recipe_of
from dfj_bootstrap.errors import RunFolderError, unwrapped
from dfj_bootstrap.stages.ladder import build_ladder
from dfj_bootstrap.storage import tables
from dfj_bootstrap.storage.journal import Journal, Records
from dfj_bootstrap.storage.parts import PartRecord, read_part_record, write_part_record
from dfj_bootstrap.storage.plan import partition_file, read_partition

Report: TypeAlias = Callable[[Tally], None]
"""Is told of everything that changes a partition's books, as deltas."""

GRACE_S = 5.0
"""Seconds that calls in flight get to be answered when the run is stopped."""

_COLLECTIONS = (20_000, 50, 100)
"""Thresholds of the garbage collector while a worker works: nearly all that calls leave behind is freed
without it, and with the usual ones looking for the rest takes a tenth of the CPU."""

_PARTITIONS_AT_ONCE = 8
"""Open partitions per worker: enough that the last long chains of one don't leave slots idle."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker needs to know of a run; picklable.

    Attributes:
        run_id: what ``run.json`` must say, so that a worker which sees another folder finds out.
        basis: digest of all that decides what is made of a seed.
        retry_rejected: give rejected levels another go.
        spent_usd: what earlier starts have spent, or may have; counts only where there is a budget.
    """

    run: Path
    run_id: str
    config: Config
    basis: str
    retry_rejected: bool = False
    spent_usd: float = 0.0


def partitions_at_once(partitions: int, workers: int) -> int:
    """How many partitions one of ``workers`` workers should have open: few enough that all get some."""
    return max(1, min(_PARTITIONS_AT_ONCE, -(-partitions // workers)))


def is_current(job: Job, partition: int) -> bool:
    """Whether a partition's last commit still stands for this job."""
    record = read_part_record(job.run, partition)
    if record is None or record.basis != partition_basis(job, partition):
        return False
    again = record.tally.get("trajectories.rejected", 0) if job.retry_rejected else 0
    return not record.tally.get("seeds.failed", 0) and not again


def partition_basis(job: Job, partition: int) -> str:
    """Digest of what a partition is made from: its seeds and what decides."""
    digest = blake2b(job.basis.encode(), digest_size=16)
    digest.update(partition_file(job.run, partition).read_bytes())
    return digest.hexdigest()


class _Counts:
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


class Worker:
    """Works on partitions, several at once; holds what they share: endpoints, similarity, slots for seeds."""

    def __init__(self, job: Job, backends: Backends) -> None:
        self._job = job
        self._backends = backends
        self._recipe = recipe_of(job.config)
        self._slots = asyncio.Semaphore(backends.seeds_at_once)
        self._syncer = Syncer()

    async def __aenter__(self) -> Self:
        check_same_folder(self._job)
        self._collections = gc.get_threshold()
        gc.set_threshold(*_COLLECTIONS)
        self._syncing = asyncio.create_task(self._syncer.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._syncing.cancel()
        await asyncio.wait([self._syncing])
        await self._backends.aclose()
        gc.set_threshold(*self._collections)

    async def exchange(self, grants: Grants) -> Usage:
        """Take allowances; return, within about a second, what was done with them and what is wanted."""
        return await self._backends.allowances.exchange(grants)

    async def work(self, partition: int, report: Report) -> None:
        """Bring one partition to its commit; the sum of what is reported is its books.

        Raises:
            RunError: the run can't go on.
        """
        counts = _Counts(report)
        journal = Journal.open(
            self._job.run / "journal" / f"part-{partition:04d}",
            visit=lambda record: count_journalled(record, counts.one),
            on_append=self._syncer.wake,
        )
        self._syncer.add(journal)
        cast = Cast(self._job.config, self._backends, journal, counts.one)
        try:
            ladders = await self._ladders(partition, journal, cast, counts.all)
            await self._commit(partition, journal, ladders, counts.tally)
        except BaseExceptionGroup as group:
            raise unwrapped(group) from None
        finally:
            await cast.drain(GRACE_S)
            await self._syncer.close(journal)
            counts.tell()

    async def _ladders(
        self, partition: int, journal: Journal, cast: Cast, count: Callable[[Mapping[str, float]], None]
    ) -> list[tuple[Seed, Ladder]]:
        """The ladders of a partition in the order of its seeds, read only as fast as slots get free."""
        tasks: list[tuple[Seed, asyncio.Task[Ladder]]] = []
        async with asyncio.TaskGroup() as group:
            for seed in read_partition(self._job.run, partition):
                await self._slots.acquire()
                task = group.create_task(self._ladder(seed, journal, cast, count))
                task.add_done_callback(lambda _: self._slots.release())
                tasks.append((seed, task))
        return [(seed, task.result()) for seed, task in tasks]

    async def _ladder(
        self, seed: Seed, journal: Journal, cast: Cast, count: Callable[[Mapping[str, float]], None]
    ) -> Ladder:
        def watch(done: Trajectory | Paraphrase) -> None:
            count(tally_trajectory(done) if isinstance(done, Trajectory) else tally_paraphrase(done))

        if self._job.retry_rejected:
            samples = samples_of(journal, seed.id)
            ladder = await build_ladder(seed, samples, cast.roles, self._recipe, lambda done: None)
            _start_over(journal, ladder, samples)
        ladder = await build_ladder(seed, samples_of(journal, seed.id), cast.roles, self._recipe, watch)
        count(tally_seed(ladder))
        return ladder

    async def _commit(
        self, partition: int, journal: Journal, ladders: list[tuple[Seed, Ladder]], tally: Tally
    ) -> None:
        """Tables first, then the record that makes them count."""
        run, epoch = self._job.run, journal.epoch
        await asyncio.to_thread(tables.write_part, run, partition, epoch, ladders)
        await asyncio.to_thread(journal.sync)
        basis = await asyncio.to_thread(partition_basis, self._job, partition)
        write_part_record(run, partition, PartRecord(epoch, basis, dict(tally)))
        tables.drop_older_parts(run, partition, epoch)


def samples_of(journal: Records, seed_id: str) -> dict[int, int]:
    """How often each level of a seed was started over; facts of the journal, so that replay does the same."""
    samples = dict.fromkeys(LEVELS, 0)
    for level in LEVELS:
        while journal.get(_start_over_key(seed_id, level, samples[level] + 1)) is not None:
            samples[level] += 1
    return samples


def _start_over(journal: Journal, ladder: Ladder, samples: Mapping[int, int]) -> None:
    for trajectory in ladder.trajectories:
        level = trajectory.brief.level
        if isinstance(trajectory.outcome, Rejected):
            journal.append(_start_over_key(ladder.seed_id, level, samples[level] + 1), True)


def _start_over_key(seed_id: str, level: int, sample: int) -> str:
    return f"start-over:{level}:{sample}:{seed_id}"


def check_same_folder(job: Job) -> None:
    """Prove that this process sees the run folder that the driver sees.

    Raises:
        RunFolderError: it doesn't; names the host.
    """
    from dfj_bootstrap.storage.manifest import read_manifest

    manifest = read_manifest(job.run)
    if manifest is None or manifest["run_id"] != job.run_id:
        import socket

        raise RunFolderError(
            f"{job.run}: the node {socket.gethostname()} does not see the run folder that the driver sees; "
            "put it on a file system that all nodes share"
        )
