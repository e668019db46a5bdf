"""The worker: brings partitions to their commit. The same class serves every engine.

Invariants: one partition is worked on by one worker at a time. Whatever ends the work on one of a worker's
partitions stops the worker: from then on it sends nothing more, and all its partitions end with the cause.
"""

from __future__ import annotations

import asyncio
import gc
from types import TracebackType
from typing import Self

from dfj_bootstrap.engine.endings import uninterrupted
from dfj_bootstrap.engine.partition import Entries, Partition, Slots, TallyReport
from dfj_bootstrap.engine.syncer import Syncer
from dfj_bootstrap.engine.task import Job
from dfj_bootstrap.errors import RunFolderError, Stopped, unwrapped
from dfj_bootstrap.limits.exchange import Account, Allowance
from dfj_bootstrap.roles.backends import Backends
from dfj_bootstrap.roles.casting import Cast
from dfj_bootstrap.storage.journal import Journal
from dfj_bootstrap.storage.planned import read_summary

GRACE_S = 5.0
"""Seconds that calls in flight get to be answered when the run is stopped."""

_COLLECTIONS = (20_000, 50, 100)
"""Thresholds of the garbage collector while a worker works: nearly all that calls leave behind is freed
without it, and with the usual ones looking for the rest takes a tenth of the CPU."""

_PARTITIONS_AT_ONCE = 8
"""Open partitions per worker: enough that the last long chains of one don't leave slots idle."""


def partitions_at_once(partitions: int, workers: int) -> int:
    """How many partitions one of ``workers`` workers should have open: few enough that all get some."""
    return max(1, min(_PARTITIONS_AT_ONCE, -(-partitions // workers)))


class Worker:
    """Works on partitions, several at once; holds what they share: endpoints, similarity, slots for items."""

    def __init__(self, job: Job, backends: Backends) -> None:
        self._job = job
        self._backends = backends
        self._slots = Slots(backends.items_at_once)
        self._syncer = Syncer(self._stopped_by)
        self._cause: BaseException | None = None

    async def __aenter__(self) -> Self:
        check_same_folder(self._job)
        plan = read_summary(self._job.run)
        self._partitions = plan.partitions if plan else 1
        if self._job.answered_before:
            self._backends.limits.vouch()
        self._collections = gc.get_threshold()
        gc.set_threshold(*_COLLECTIONS)
        self._syncing = asyncio.create_task(self._syncer.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._syncing.cancel()
        await asyncio.wait([self._syncing])
        await self._syncer.aclose()
        await self._backends.aclose()
        gc.set_threshold(*self._collections)

    async def exchange(self, allowance: Allowance) -> Account:
        """Take an allowance; give account, within about a second, of what was done with it and is wanted."""
        return await self._backends.limits.exchange(allowance)

    async def work(self, partition: int, report: TallyReport) -> None:
        """Bring one partition to its commit; the sum of what is reported is its books.

        Raises:
            RunError: the run can't go on; nothing more is sent by this worker.
        """
        entries = Entries(report)
        try:
            await self._bring_to_commit(partition, entries)
        except BaseException as error:
            raise self._stopped_by(unwrapped(error)) from None
        finally:
            entries.tell()

    async def _bring_to_commit(self, partition: int, entries: Entries) -> None:
        journal = await self._syncer.open(self._job.run / "journal" / f"part-{partition:04d}")
        cast = Cast(self._job.config, self._backends, journal, entries.add)
        try:
            await Partition(self._job, partition, journal, cast, entries, self._slots).run(self._partitions)
        except BaseException as error:
            self._stopped_by(unwrapped(error))  # before calls in flight are waited for
            raise
        finally:
            await uninterrupted(self._end(cast, journal))

    async def _end(self, cast: Cast, journal: Journal) -> None:
        """Nobody is at work any more: what is still in flight is recorded."""
        await cast.drain(GRACE_S)
        await self._syncer.close(journal)

    def _stopped_by(self, error: BaseException) -> BaseException:
        """Stop the worker; returns what the work on a partition that ended with ``error`` should say."""
        self._backends.stop_admission()
        if not isinstance(error, Stopped):
            self._cause = self._cause or error
            return error
        return self._cause or error


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
