"""vLLM: replicas of its own OpenAI server, started for the run, and the way from a call to one of them.

Invariants: all calls of one seed go to one replica, by rendezvous hash, so that the image and the shared
prefix of its prompts are in that replica's prefix cache; while it is down they go to the next one by hash;
while none is up they wait, and hold no slot. Limits, retries and dialect are those of ``OpenAIEndpoint``, and
count over all replicas together. There is no load balancing beyond the hash.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dfj_bootstrap.calls.call import Call, Reply
from dfj_bootstrap.calls.usage import Metered
from dfj_bootstrap.config.models import VLLMModel
from dfj_bootstrap.endpoints.openai.endpoint import CHAT, OpenAIEndpoint, as_openai
from dfj_bootstrap.endpoints.openai.wire import Problem
from dfj_bootstrap.endpoints.vllm.command import free_port, gpu_shares, serve_command
from dfj_bootstrap.endpoints.vllm.process import Launch, Replica, ServerProcess
from dfj_bootstrap.errors import Stopped
from dfj_bootstrap.limits.broken import Broken

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Replicas:
    """The servers behind an entry of ``models`` and the key that all of them ask for."""

    members: Sequence[Replica]
    api_key: str = field(repr=False)


class VLLMEndpoint(OpenAIEndpoint):
    """An entry of ``models`` with ``backend: vllm``; its servers start with the first call."""

    _trust_env = False

    def __init__(self, name: str, config: VLLMModel, replicas: Replicas, **client: Any) -> None:
        """``client``: as for ``PaidEndpoint``."""
        config_there = as_openai(config, f"http://{LOOPBACK}/v1")  # each call brings its own address
        super().__init__(name, config_there, replicas.api_key, **client)
        self._router = Router(replicas.members)

    def stop_admission(self) -> None:
        self._router.stop()
        super().stop_admission()

    async def aclose(self) -> None:
        """Close all connections, then end the servers."""
        await super().aclose()
        await self._router.aclose()

    async def _attempt(self, call: Call) -> Reply:
        await self._router.seat_of(call.place.seed_id)  # a call that waits for a server holds no slot
        return await super()._attempt(call)

    async def _exchange(self, call: Call, body: bytes, path: str = CHAT) -> Metered | Problem:
        seat = await self._router.seat_of(call.place.seed_id)
        try:
            return await super()._exchange(call, body, f"{seat.base_url}{path}")
        except Broken:
            seat.doubt()
            raise


class Seat:
    """A replica as this process sees it: its address while it answers, else empty."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._asking: asyncio.Task[None] | None = None
        self.base_url = ""

    def ask(self) -> asyncio.Task[None]:
        """The question whether it answers; one at a time."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return self._asking

    def doubt(self) -> None:
        """A call to it went wrong: no further one until it has been asked whether it answers."""
        self.base_url = ""
        self.ask()

    def raise_if_given_up(self) -> None:
        """Raise what its question came to, if that was an error."""
        if self._asking and self._asking.done() and not self._asking.cancelled():
            self._asking.result()

    async def aclose(self) -> None:
        if self._asking:
            self._asking.cancel()
            await asyncio.wait([self._asking])
        await self._replica.aclose()

    async def _ask(self) -> None:
        self.base_url = await self._replica.ready()


class Router:
    """Which replica a seed's calls go to."""

    def __init__(self, replicas: Sequence[Replica]) -> None:
        self._seats = [Seat(replica) for replica in replicas]
        self._opening: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()

    async def seat_of(self, seed_id: str) -> Seat:
        """The first replica by hash that answers; waits while none does, and at first for all of them.

        Raises:
            EndpointRejected: a replica is given up.
            Stopped: the worker stops.
        """
        self._opening = self._opening or asyncio.create_task(self._open())
        await self._unless_stopped([self._opening])
        while True:
            for seat in self._seats:
                seat.raise_if_given_up()
            up = [index for index in ranking(seed_id, len(self._seats)) if self._seats[index].base_url]
            if up:
                return self._seats[up[0]]
            await self._unless_stopped([seat.ask() for seat in self._seats])

    def stop(self) -> None:
        """The worker stops: whoever waits for a replica is told so."""
        self._stopped.set()

    async def aclose(self) -> None:
        """End all replicas, at the same time."""
        if self._opening:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        async with asyncio.TaskGroup() as group:
            for seat in self._seats:
                group.create_task(seat.aclose())

    async def _open(self) -> None:
        """Wait until all answer, so that each seed begins where it belongs."""
        asked = [seat.ask() for seat in self._seats]
        await asyncio.wait(asked, return_when=asyncio.FIRST_EXCEPTION)

    async def _unless_stopped(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Wait until one of them is done."""
        if any(task.done() for task in tasks) and not self._stopped.is_set():
            return
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        if self._stopped.is_set():
            raise Stopped


def ranking(seed_id: str, replicas: int) -> list[int]:
    """Replicas in the order of a seed's preference (rendezvous hashing).

    One replica more or less moves only the seeds that it gets or had.
    """
    weights = [blake2b(f"{index}\0{seed_id}".encode(), digest_size=8).digest() for index in range(replicas)]
    return sorted(range(replicas), key=weights.__getitem__, reverse=True)


def local_replicas(name: str, model: VLLMModel, run: Path) -> Replicas:
    """Servers on this machine, as children of this process, each with GPUs of its own.

    Raises:
        ConfigError: vLLM isn't installed, or there are too few GPUs.
    """
    key = new_key()
    shares = gpu_shares(model, os.environ)
    launches = [
        replica_launch(name, index, model, run, host=LOOPBACK, key=key, environment=share)
        for index, share in enumerate(shares)
    ]
    return Replicas([ServerProcess(launch) for launch in launches], key)


def replica_launch(
    name: str,
    index: int,
    model: VLLMModel,
    run: Path,
    *,
    host: str,
    key: str,
    environment: Mapping[str, str] | None = None,
) -> Launch:
    """How replica ``index`` of ``models.NAME`` is started on this machine.

    Raises:
        ConfigError: vLLM isn't installed.
    """
    port = free_port(host)
    return Launch(
        title=f"models.{name}: vLLM replica {index}",
        command=serve_command(model, host, port),
        environment={
            "VLLM_NO_USAGE_STATS": os.environ.get("VLLM_NO_USAGE_STATS", "1"),
            **(environment or {}),
            "VLLM_API_KEY": key,
        },
        address=f"http://{f'[{host}]' if ':' in host else host}:{port}",
        log=run / "logs" / f"vllm-{quote(name, safe='')}-{index}.log",
        startup_timeout_s=model.startup_timeout_s,
    )


def new_key() -> str:
    """A key for the servers of one start of one run."""
    return secrets.token_urlsafe(32)
