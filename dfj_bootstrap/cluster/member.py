"""A member of the crew: the driver's way to one worker actor, from its start to its certain end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from tenacity import AsyncRetrying, RetryError, retry_if_result, stop_after_delay, wait_fixed

from dfj_bootstrap.cluster.actor import RayWorker, Whereabouts
from dfj_bootstrap.cluster.session import Session, in_own_thread
from dfj_bootstrap.cluster.trouble import WorkerDied, all_told, told
from dfj_bootstrap.endpoints.vllm.endpoint import Replicas
from dfj_bootstrap.engine.task import Job
from dfj_bootstrap.engine.worker import GRACE_S
from dfj_bootstrap.limits.exchange import Account, Allowance
from dfj_bootstrap.storage.ledger import Tally

_SILENT_S = 40.0
"""Seconds without an answer to what is answered about once a second, until a worker is taken for dead."""

_END_S = 30.0
"""Seconds to wait for the end of a worker that had to be killed."""

_OPTIONS = {"num_cpus": 0, "max_concurrency": 1000}


class Member:
    """One worker actor; ``took`` and ``gained`` say whether it was of any use so far."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._actor: Any = None
        self._host = ""
        self._process: int | None = None
        self.took = False
        self.gained = False

    async def start(self, node: str, job: Job, workers: int, replicas: Mapping[str, Replicas]) -> None:
        """Start the worker on a node, or on another one if that is gone meanwhile.

        Raises:
            WorkerDied: it died before it was ready.
            RayLost: there is no node for it.
            RunError: it can't work there, nor elsewhere.
        """
        there = NodeAffinitySchedulingStrategy(node, soft=True)
        actor_class = ray.remote(scheduling_strategy=there, **_OPTIONS)(RayWorker)
        create = partial(actor_class.remote, job, workers, replicas)
        self._actor = await self._session.patiently(asyncio.create_task(in_own_thread(create)))
        place: Whereabouts = await self._session.patiently(
            asyncio.create_task(told(self._actor.start.remote()))
        )
        self._host = place.host
        if self._session.own and hasattr(os, "pidfd_open"):
            with suppress(ProcessLookupError):
                self._process = os.pidfd_open(place.pid)

    async def exchange(self, allowance: Allowance) -> Account:
        """See ``RayWorker.exchange``; one that doesn't answer is taken for dead."""
        try:
            async with asyncio.timeout(_SILENT_S):
                said: Account = await told(self._actor.exchange.remote(allowance))
        except TimeoutError:
            raise WorkerDied(f"it has not answered for {_SILENT_S:g} s") from None
        return said

    def work(self, partition: int) -> AsyncIterator[Tally]:
        """Work on a partition; yields the deltas of its books, and ends with its commit."""
        return all_told(self._actor.work.options(num_returns="streaming").remote(partition))

    def placed(self, death: WorkerDied) -> WorkerDied:
        """A death, with the node if only we know that."""
        return WorkerDied(death.why, self._host or death.node, sure=death.sure)

    async def dismiss(self, death: WorkerDied | None = None) -> None:
        """End the worker; without a death it gets the time to record the answers to its calls in flight.

        Returns when its process has ended, as far as that can be known: nobody may work beside it.
        """
        if self._actor is None:
            return
        try:
            if death is None:
                await asyncio.wait_for(asyncio.shield(self._stopped()), GRACE_S + 2)
        except TimeoutError:
            pass
        finally:
            self._kill()
        if death and not death.sure:
            await self._end()

    async def _stopped(self) -> None:
        with suppress(WorkerDied):
            await told(self._actor.stop.remote())

    def _kill(self) -> None:
        with suppress(RayError, ValueError):  # the handle of a Ray that is gone
            ray.kill(self._actor)
        if self._process is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, signal.SIGKILL)
            os.close(self._process)
            self._process = None

    async def _end(self) -> None:
        """Wait until Ray is sure that the worker is dead; it says so only when it is asked."""
        asking = AsyncRetrying(
            retry=retry_if_result(lambda ended: not ended), wait=wait_fixed(1), stop=stop_after_delay(_END_S)
        )
        with suppress(RetryError, TimeoutError):
            async with asyncio.timeout(_END_S):
                await asking(self._has_ended)

    async def _has_ended(self) -> bool:
        try:
            await told(self._actor.__ray_ready__.remote())
        except WorkerDied as death:
            return death.sure
        return False
