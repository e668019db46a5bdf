"""The worker as an actor: the side of the Ray engine that runs on a node."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from dfj_bootstrap.cluster.encoder import shared_encoder
from dfj_bootstrap.endpoints.vllm.endpoint import Replicas
from dfj_bootstrap.engine.task import Job
from dfj_bootstrap.engine.worker import Worker
from dfj_bootstrap.limits.exchange import Account, Allowance
from dfj_bootstrap.roles.backends import open_backends
from dfj_bootstrap.storage.ledger import Tally

_COALESCE_S = 0.25
"""Seconds over which an actor gathers deltas before it sends them on."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a worker runs."""

    host: str
    pid: int


class RayWorker:
    """A worker as an actor: a plain class, wrapped where it is created."""

    def __init__(self, job: Job, workers: int, replicas: Mapping[str, Replicas]) -> None:
        self._job = job
        self._workers = workers
        self._replicas = replicas
        self._open: set[asyncio.Task[None]] = set()
        self._worker: Worker | None = None

    async def start(self) -> Whereabouts:
        """Open endpoints and prove that the run folder is the driver's."""
        encode = shared_encoder(self._job.config, self._job.run_id)
        backends = open_backends(self._job.config, self._workers, encode, self._replicas)
        self._worker = await Worker(self._job, backends).__aenter__()
        return Whereabouts(socket.gethostname(), os.getpid())

    async def exchange(self, allowance: Allowance) -> Account:
        """Take an allowance; give account, within about a second, of what was done with it and is wanted."""
        assert self._worker
        return await self._worker.exchange(allowance)

    async def work(self, partition: int) -> AsyncIterator[Tally]:
        """Work on a partition; yields the deltas of its books."""
        assert self._worker
        pending: Tally = Counter()
        changed = asyncio.Event()

        def report(delta: Tally) -> None:
            pending.update(delta)
            changed.set()

        task = asyncio.create_task(self._worker.work(partition, report))
        self._open.add(task)
        task.add_done_callback(lambda _: changed.set())
        try:
            while not task.done():
                await changed.wait()
                changed.clear()
                if pending:
                    delta = Counter(pending)
                    pending.clear()  # before the yield: more comes in while the stream is read
                    yield delta
                    await asyncio.wait([task], timeout=_COALESCE_S)
            await task
            if pending:
                yield pending
        finally:
            self._open.discard(task)

    async def stop(self) -> None:
        """Let calls in flight be answered and recorded, then end."""
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)
        if self._worker:
            await self._worker.__aexit__(None, None, None)
