"""vLLM's servers under Ray: each in an actor that asks for its GPUs, started by the driver, shared by all.

Invariants: a server listens on its own node's address and asks for a key that the driver makes at each start
of a run; the key travels inside Ray's messages and by environment only. Where a node is lost, Ray starts the
actor elsewhere, and workers that ask again get the new address.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import ray
from ray.exceptions import RayError

from dfj_bootstrap.cluster.trouble import WorkerDied, told
from dfj_bootstrap.config.models import VLLMModel
from dfj_bootstrap.endpoints.supervisor import GRACE_S
from dfj_bootstrap.endpoints.vllm.endpoint import Replicas, new_key, replica_launch
from dfj_bootstrap.endpoints.vllm.process import ServerProcess
from dfj_bootstrap.engine.task import Job
from dfj_bootstrap.errors import EndpointRejected
from dfj_bootstrap.roles.backends import vllm_models

_LOG = logging.getLogger(__name__)

_MOST_MOVES = 3
"""Nodes or actors that a replica may lose before it is given up."""

_SLACK_S = 30.0
"""Seconds beyond ``startup_timeout_s`` that an actor may wait for its place."""


class ReplicaActor:
    """One server on the node that Ray chose; a plain class, wrapped where it is created."""

    def __init__(self, job: Job, name: str, index: int, key: str) -> None:
        self._job = job
        self._name = name
        self._index = index
        self._key = key
        self._server: ServerProcess | None = None

    async def ready(self) -> str:
        """The base URL, as soon as the server answers; starts it the first time."""
        if self._server is None:
            model = vllm_models(self._job.config)[self._name]
            host = ray.util.get_node_ip_address()
            launch = replica_launch(self._name, self._index, model, self._job.run, host=host, key=self._key)
            self._server = ServerProcess(launch)
        return await self._server.ready()

    async def stop(self) -> None:
        """End the server; returns when it is gone."""
        if self._server is not None:
            await self._server.aclose()


class ActorReplica:
    """A worker's way to a server in an actor."""

    def __init__(self, title: str, actor: Any) -> None:
        self._title = title
        self._actor = actor

    async def ready(self) -> str:
        """See ``Replica``."""
        try:
            base_url: str = await told(self._actor.ready.remote())
        except WorkerDied as death:
            raise EndpointRejected(f"{self._title}: its actor is lost {death}") from None
        return base_url

    async def aclose(self) -> None:
        """Nothing: the driver ends the servers, when all workers are done."""


@asynccontextmanager
async def running_replicas(job: Job) -> AsyncIterator[dict[str, Replicas]]:
    """Start the servers of all models in use, wait until they answer, and end them at the end.

    Raises:
        EndpointRejected: one can't be started, or gets no GPU.
        ConfigError: a node that should serve lacks vLLM.
    """
    actors: list[Any] = []
    try:
        replicas = {
            name: _started(job, name, model, actors) for name, model in vllm_models(job.config).items()
        }
        async with asyncio.TaskGroup() as group:
            for name, model in vllm_models(job.config).items():
                for member in replicas[name].members:
                    group.create_task(_in_time(name, model, member))
        yield replicas
    finally:
        async with asyncio.TaskGroup() as group:
            for actor in actors:
                group.create_task(_dismiss(actor))


def _started(job: Job, name: str, model: VLLMModel, actors: list[Any]) -> Replicas:
    options = {
        "num_cpus": 0,
        "num_gpus": model.gpus_per_replica,
        "max_restarts": _MOST_MOVES,
        "max_task_retries": _MOST_MOVES,
        "max_concurrency": 1000,
    }
    actor_class = ray.remote(ReplicaActor).options(**options)
    _LOG.info(
        "models.%s: %d vLLM replicas start; what they say goes to %s", name, model.replicas, job.run / "logs"
    )
    key = new_key()
    members = []
    for index in range(model.replicas):
        actors.append(actor_class.remote(job, name, index, key))
        members.append(ActorReplica(f"models.{name}: vLLM replica {index}", actors[-1]))
    return Replicas(members, key)


async def _in_time(name: str, model: VLLMModel, member: Any) -> None:
    limit_s = model.startup_timeout_s + _SLACK_S
    try:
        async with asyncio.timeout(limit_s):
            await member.ready()
    except TimeoutError:
        wanted, there = model.replicas * model.gpus_per_replica, ray.cluster_resources().get("GPU", 0)
        raise EndpointRejected(
            f"models.{name}: not all vLLM replicas answered within {limit_s:g} s; "
            f"they ask for {wanted} GPUs, and Ray has {there:g}"
        ) from None


async def _dismiss(actor: Any) -> None:
    try:
        with suppress(RayError, TimeoutError):
            async with asyncio.timeout(GRACE_S + 10):
                await actor.stop.remote()
    finally:
        with suppress(RayError, ValueError):  # the handle of a Ray that is gone
            ray.kill(actor)
