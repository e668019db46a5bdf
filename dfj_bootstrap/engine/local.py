"""The local engine: one asyncio process, one worker, no Ray."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from dfj_bootstrap.engine.partition import RunReport
from dfj_bootstrap.engine.task import Job
from dfj_bootstrap.engine.worker import Worker, partitions_at_once
from dfj_bootstrap.limits.coordinator import Coordinator
from dfj_bootstrap.roles.backends import limits_of, open_backends


async def run_local(job: Job, partitions: Sequence[int], report: RunReport) -> None:
    """Work on all partitions.

    Args:
        report: is told of each partition's books, as deltas.

    Raises:
        RunError: the run can't go on.
    """
    waiting = iter(partitions)

    async def pull(worker: Worker) -> None:
        for partition in waiting:
            await worker.work(partition, partial(report, partition))

    async def pull_all(worker: Worker) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(partitions_at_once(len(partitions), workers=1)):
                group.create_task(pull(worker))

    coordinator = Coordinator(
        limits_of(job.config), job.config.budget_usd, job.spent_usd, patient=job.patient
    )
    async with Worker(job, open_backends(job.config)) as worker:
        await coordinator.supply(0, worker.exchange, pull_all(worker))
