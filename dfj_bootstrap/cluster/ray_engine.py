"""The Ray engine: worker actors pull partitions; what a killed one had open goes on elsewhere.

Invariants:

- A partition is open in one actor at a time, as far as the driver knows; where it is wrong (a worker that
  wakes from the dead), the journal's epochs keep the damage out.
- Nothing polls: an actor streams the deltas of a partition's books, and the stream's end is the commit.
- Only a Ray that was started here is shut down here.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError

from dfj_bootstrap.cluster.encoder import shared_encoder
from dfj_bootstrap.cluster.replicas import running_replicas
from dfj_bootstrap.cluster.signals import own_signals
from dfj_bootstrap.endpoints.vllm import Replicas
from dfj_bootstrap.engine.allowances import Coordinator, Grants, Usage
from dfj_bootstrap.engine.partition import Job
from dfj_bootstrap.engine.tally import Tally
from dfj_bootstrap.engine.wiring import limits_of, open_backends, workers_of
from dfj_bootstrap.engine.worker import GRACE_S, Worker, partitions_at_once
from dfj_bootstrap.errors import RunError

_LOG = logging.getLogger(__name__)

_MOST_DEATHS = 3
"""Workers that may die over one partition before it is taken for the cause."""

_COALESCE_S = 0.25
"""Seconds over which an actor gathers deltas before it sends them on."""

_OBJECT_STORE_BYTES = 80 * 2**20
"""Of a Ray started here: nothing large goes through it, and its default is a third of the memory."""


class RayWorker:
    """A worker as an actor: a plain class, wrapped where it is created."""

    def __init__(self, job: Job, workers: int, replicas: Mapping[str, Replicas]) -> None:
        self._job = job
        self._workers = workers
        self._replicas = replicas
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Open endpoints and prove that the run folder is the driver's; returns the process id."""
        encode = shared_encoder(self._job.config, self._job.run_id)
        backends = open_backends(self._job.config, self._workers, encode, self._replicas)
        self._worker = await Worker(self._job, backends).__aenter__()
        return os.getpid()

    async def exchange(self, grants: Grants) -> Usage:
        """Take allowances; return, within about a second, what was done with them and what is wanted."""
        return await self._worker.exchange(grants)

    async def work(self, partition: int) -> AsyncIterator[Tally]:
        """Work on a partition; yields the deltas of its books."""
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
        await self._worker.__aexit__(None, None, None)


async def run_ray(job: Job, partitions: Sequence[int], report: Callable[[int, Tally | None], None]) -> None:
    """Work on all partitions with ``engine.workers`` actors.

    Args:
        report: is told of each partition's books, as deltas; ``None`` takes back all it was told.

    Raises:
        RunError: the run can't go on.
    """
    with _ray(job.config.engine.address):
        async with running_replicas(job) as replicas:
            await _Crew(job, partitions, report, replicas).run()


class _Crew:
    """The actors and the partitions that wait for them."""

    def __init__(
        self,
        job: Job,
        partitions: Sequence[int],
        report: Callable[[int, Tally | None], None],
        replicas: Mapping[str, Replicas],
    ) -> None:
        self._job = job
        self._replicas = replicas
        self._report = report
        self._waiting = deque(partitions)
        self._deaths: Counter[int] = Counter()
        self._workers = workers_of(job.config)
        self._at_once = partitions_at_once(len(partitions), self._workers)
        self._coordinator = Coordinator(limits_of(job.config), job.config.budget_usd, job.spent_usd)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for index in range(self._workers):
                group.create_task(self._tend(index))

    async def _tend(self, index: int) -> None:
        """Keep one place in the crew filled until nothing waits any more."""
        actor_class = ray.remote(num_cpus=0, max_concurrency=1000)(RayWorker)
        while self._waiting:
            actor = actor_class.remote(self._job, self._workers, self._replicas)
            try:
                await _told(actor.start.remote())
                await self._coordinator.supply(index, partial(_exchange, actor), self._pull_all(actor))
            except* RayActorError:
                _LOG.warning("worker %d died; its partitions go on elsewhere", index)
            finally:
                await _dismiss(actor)

    async def _pull_all(self, actor: Any) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._at_once):
                group.create_task(self._pull(actor))

    async def _pull(self, actor: Any) -> None:
        while self._waiting:
            partition = self._waiting.popleft()
            try:
                stream = actor.work.options(num_returns="streaming").remote(partition)
                async for delta in stream:
                    self._report(partition, await _told(delta))
            except BaseException:
                self._report(partition, None)
                self._give_back(partition)
                raise

    def _give_back(self, partition: int) -> None:
        self._waiting.appendleft(partition)
        self._deaths[partition] += 1
        if self._deaths[partition] >= _MOST_DEATHS:
            raise RunError(
                f"partition {partition} was open in {_MOST_DEATHS} workers that died; "
                "look for memory limits in Ray's logs, then run again"
            )


async def _exchange(actor: Any, grants: Grants) -> Usage:
    said: Usage = await _told(actor.exchange.remote(grants))
    return said


async def _told(reference: Any) -> Any:
    """The value behind a reference; an error that the actor raised comes out as itself."""
    try:
        return await reference
    except RayTaskError as error:
        raise error.cause from None


async def _dismiss(actor: Any) -> None:
    """End an actor; one that has calls in flight gets the time to record their answers."""
    try:
        await asyncio.wait_for(asyncio.shield(_told(actor.stop.remote())), GRACE_S + 2)
    except (RayActorError, TimeoutError):
        pass
    finally:
        ray.kill(actor)


@contextmanager
def _ray(address: str | None) -> Iterator[None]:
    """Join the cluster that is asked for or that this job runs in, else start one for this run alone."""
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    inside = "RAY_ADDRESS" in os.environ or "RAY_JOB_ID" in os.environ
    where = address or ("auto" if inside else "local")
    own = {"include_dashboard": False, "object_store_memory": _OBJECT_STORE_BYTES} if where == "local" else {}
    with own_signals():
        ray.init(address=where, logging_level=logging.ERROR, log_to_driver=False, **own)
    try:
        yield
    finally:
        ray.shutdown()
