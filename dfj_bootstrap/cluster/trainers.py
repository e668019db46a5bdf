"""A training under Ray: on each node one actor that holds its GPUs and runs the job's command as its child.

Invariants: a node's GPUs are held by one actor, so that Ray gives them to nobody else; an actor that goes
away, however that comes, takes the trainer's whole tree with it; the first node alone keeps the record.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from dfj_bootstrap.cluster.session import open_session
from dfj_bootstrap.cluster.trouble import RayLost, WorkerDied, all_told, told
from dfj_bootstrap.errors import RunError, unwrapped
from dfj_bootstrap.training.job import TrainingJob
from dfj_bootstrap.training.launch import GRACE_S, Training

_LOG = logging.getLogger(__name__)

_THREADS = 4
"""Of an actor: one trains, others answer ``place``, ``stop`` and ``ending``."""

_PATIENCE_S = 60.0
"""Seconds after which to say what is waited for."""


class TrainerActor:
    """One node's part of a training: a plain class, wrapped where it is created."""

    def __init__(self) -> None:
        self._training: Training | None = None
        self._ended: tuple[int, bool, str] = (0, False, "")
        self._done = threading.Event()

    def place(self, job: TrainingJob) -> tuple[str, int]:
        """This node's address and a free port, once it is sure that the job can run here.

        Raises:
            RunError: this node doesn't see the rows, the output folder or the command.
        """
        host = socket.gethostname()
        for what, path in (
            ("the rows", job.rows),
            ("the output folder", job.output),
            ("ms-swift", job.argv[0]),
        ):
            if not os.path.exists(path):  # noqa: PTH110
                raise RunError(f"node {host} doesn't see {what} ({path}); all nodes need the same paths")
        with socket.create_server(("", 0)) as free:
            return ray.util.get_node_ip_address(), free.getsockname()[1]

    def train(self, job: TrainingJob, facts: Mapping[str, Any]) -> Iterator[str]:
        """Train to the end; yields what the trainer prints."""
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        training = self._training = Training(job, lines.put, facts)
        failure: list[BaseException] = []

        def work() -> None:
            try:
                code = training.run()
                self._ended = code, training.stopped, training.cause() if code else ""
            except BaseException as error:
                failure.append(error)
            finally:
                self._done.set()
                lines.put(None)

        thread = threading.Thread(target=work, name="trains", daemon=True)
        thread.start()
        while (line := lines.get()) is not None:
            yield line
        thread.join()
        if failure:
            raise failure[0]

    def ending(self) -> tuple[int, bool, str]:
        """The trainer's exit code, whether it was told to stop, and why it failed."""
        return self._ended

    def stop(self) -> None:
        """End the trainer; returns when all that it started has ended."""
        if self._training is not None:
            self._training.stop()
            self._done.wait()


async def train_on_ray(
    job: TrainingJob, address: str, say: Callable[[str], None], facts: Mapping[str, Any]
) -> tuple[int, bool, str]:
    """Train on nodes of a Ray; returns the ``TrainerActor.ending`` of one that failed, else of the first.

    Raises:
        RunError: Ray has too few GPUs, or is lost.
    """
    try:
        async with open_session(address):
            _check_gpus(job)
            group = placement_group(
                [{"GPU": job.gpus} if job.gpus else {"CPU": 0.01}] * job.nodes,
                "STRICT_SPREAD" if job.nodes > 1 else "PACK",
            )
            try:
                await _ready(group, job)
                actors = [_actor(job, group, index) for index in range(job.nodes)]
                return await _train(job, actors, say, facts)
            finally:
                remove_placement_group(group)
    except (RayLost, WorkerDied) as lost:
        raise RunError(
            f"the training's node or Ray is lost: {lost}; run again to go on from the last checkpoint"
        ) from None


def _check_gpus(job: TrainingJob) -> None:
    each = [node["Resources"].get("GPU", 0) for node in ray.nodes() if node["Alive"]]
    if sum(gpus >= job.gpus for gpus in each) < job.nodes:
        most = max(each, default=0)
        raise RunError(
            f"--gpus {job.gpus} on {job.nodes} nodes: this Ray has {len(each)} nodes, with {most:g} GPUs "
            "at most; give a smaller number, or --gpus 0 for the CPU"
        )


async def _ready(group: Any, job: TrainingJob) -> None:
    waiting = asyncio.ensure_future(told(group.ready()))
    while not (await asyncio.wait([waiting], timeout=_PATIENCE_S))[0]:
        _LOG.info("waiting for %d free GPUs on each of %d nodes", job.gpus, job.nodes)
    await waiting


def _actor(job: TrainingJob, group: Any, index: int) -> Any:
    there = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=index)
    options = {"num_cpus": 0, "num_gpus": job.gpus, "max_concurrency": _THREADS, "scheduling_strategy": there}
    return ray.remote(TrainerActor).options(**options).remote()


async def _train(
    job: TrainingJob, actors: list[Any], say: Callable[[str], None], facts: Mapping[str, Any]
) -> tuple[int, bool, str]:
    try:
        places = [await told(actor.place.remote(job)) for actor in actors]
        mine = [job.on_node(rank, *places[0]) for rank in range(job.nodes)] if job.nodes > 1 else [job]
        async with asyncio.TaskGroup() as nodes:
            for actor, part in zip(actors, mine, strict=True):
                nodes.create_task(_follow(actor, part, say, facts, actors))
        endings: list[tuple[int, bool, str]] = [await told(actor.ending.remote()) for actor in actors]
        return next((ending for ending in endings if ending[0] and not ending[1]), endings[0])
    except BaseExceptionGroup as group:
        raise unwrapped(group) from None
    finally:
        await asyncio.shield(asyncio.ensure_future(_dismiss(actors)))


async def _follow(
    actor: Any, job: TrainingJob, say: Callable[[str], None], facts: Mapping[str, Any], crew: list[Any]
) -> None:
    """One node's words, to its end; if it fails, the others would wait for it for ever."""
    quiet = job.nodes > 1 and job.env["NODE_RANK"] != "0"
    async for line in all_told(actor.train.options(num_returns="streaming").remote(job, facts)):
        if not quiet:
            say(line)
    code, _, _ = await told(actor.ending.remote())
    if code:
        await _stop([other for other in crew if other is not actor])


async def _stop(actors: list[Any]) -> None:
    with suppress(RayError, WorkerDied, TimeoutError):
        async with asyncio.timeout(GRACE_S + 5):
            await asyncio.gather(*(told(actor.stop.remote()) for actor in actors))


async def _dismiss(actors: list[Any]) -> None:
    await _stop(actors)
    for actor in actors:
        with suppress(RayError, ValueError):
            ray.kill(actor)
