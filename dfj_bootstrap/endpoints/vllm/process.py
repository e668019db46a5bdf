"""One replica: vLLM's own OpenAI server as a supervised child, started, watched, and started again.

Invariants: the server's port and key are the same for all its lives; the key goes by environment, never on a
command line; whatever ends this process ends the server (see ``supervisor.py``). A server that dies before
it was ever ready isn't started again: it would only die the same way.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import aiohttp

from dfj_bootstrap.endpoints.child import GRACE_S, end_child, how_it_ended, start_child, tail_of
from dfj_bootstrap.errors import EndpointRejected
from dfj_bootstrap.limits.backoff import growing

log = logging.getLogger(__name__)

MOST_RESTARTS = 5
"""In a row: a server that has been up for ``STEADY_S`` begins anew."""

STEADY_S = 600.0
_LONGEST_BACKOFF_S = 60.0
_POLL_S = 0.5
_PROBE_TIMEOUT_S = 5.0


class Replica(Protocol):
    """A server that comes and goes."""

    async def ready(self) -> str:
        """Its base URL, as soon as it answers.

        Raises:
            EndpointRejected: it is given up; with the end of its log.
        """

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a server.

    Attributes:
        title: for messages, e.g. ``models.big: vLLM replica 0``.
        command: the server and its arguments.
        environment: on top of this process's own.
        address: ``http://HOST:PORT``, where it will answer.
        log: the file that takes what it prints.
        startup_timeout_s: seconds that it may take until it answers ``GET /health``.
    """

    title: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    address: str
    log: Path
    startup_timeout_s: float


class ServerProcess:
    """A supervised server; its first life begins when somebody first asks whether it is ready."""

    def __init__(
        self,
        launch: Launch,
        *,
        grace_s: float = GRACE_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``sleep`` is what the waits between two lives are made of, for tests to replace."""
        self._launch = launch
        self._grace_s = grace_s
        self._sleep = sleep
        self._settled = asyncio.Event()
        self._failure: BaseException | None = None
        self._tending: asyncio.Task[None] | None = None
        self.pid = 0

    async def ready(self) -> str:
        """The base URL, as soon as the server answers; see ``Replica``."""
        if self._tending is None:
            self._tending = asyncio.create_task(self._tend())
            self._tending.add_done_callback(self._note_end)
        while True:
            await self._settled.wait()
            if self._failure:
                raise self._failure
            if await _is_healthy(self._launch.address):
                return f"{self._launch.address}/v1"
            await asyncio.sleep(_POLL_S)

    async def aclose(self) -> None:
        """End the server and all that it started; returns when they are gone."""
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.wait([self._tending])
        self._failure = self._failure or EndpointRejected(f"{self._launch.title} was closed")
        self._settled.set()

    def _note_end(self, tending: asyncio.Task[None]) -> None:
        """Whoever waits must be told, however the tending ends."""
        if not tending.cancelled() and tending.exception():
            self._failure = tending.exception()
        self._settled.set()

    async def _tend(self) -> None:
        """Life after life, until it is given up."""
        lives = restarts = 0
        while True:
            lived_s, how = await self._live()
            lives += 1
            restarts = 0 if lived_s > STEADY_S else restarts
            if (lives == 1 and not lived_s) or restarts == MOST_RESTARTS:
                self._give_up(how, restarts)
                return
            restarts += 1
            wait_s = growing(1.0, restarts, _LONGEST_BACKOFF_S)
            log.warning("%s %s; it starts again in %g s", self._launch.title, how, wait_s)
            await self._sleep(wait_s)

    async def _live(self) -> tuple[float, str]:
        """One life: the seconds for which it answered, and how it ended."""
        launch = self._launch
        process = await self._start()
        try:
            async with asyncio.timeout(launch.startup_timeout_s):
                if not await self._answers(process):
                    return 0.0, f"ended with {how_it_ended(process)} before it was ready"
            since = time.monotonic()
            self._settled.set()
            log.info("%s answers at %s", launch.title, launch.address)
            await process.wait()
            return max(time.monotonic() - since, 1e-3), f"ended with {how_it_ended(process)}"
        except TimeoutError:
            return 0.0, f"was not ready within {launch.startup_timeout_s:g} s (startup_timeout_s)"
        finally:
            self._settled.clear()
            await end_child(process, self._grace_s)

    async def _answers(self, process: asyncio.subprocess.Process) -> bool:
        """Wait until it is healthy; false where it ends before."""
        ended = asyncio.create_task(process.wait())
        try:
            while not ended.done():
                if await _is_healthy(self._launch.address):
                    return True
                await asyncio.wait([ended], timeout=_POLL_S)
            return False
        finally:
            ended.cancel()

    async def _start(self) -> asyncio.subprocess.Process:
        launch = self._launch
        environment = {**os.environ, **launch.environment}
        process = await start_child(launch.command, environment, launch.log, self._grace_s)
        self.pid = process.pid
        log.info("%s starts; what it says goes to %s", launch.title, launch.log)
        return process

    def _give_up(self, how: str, restarts: int) -> None:
        launch = self._launch
        again = f" after {restarts} restarts" if restarts else ""
        said = " | ".join(tail_of(launch.log)) or "nothing"
        self._failure = EndpointRejected(
            f"{launch.title} {how}{again}; its log ({launch.log}) ends with: {said}"
        )


async def _is_healthy(address: str) -> bool:
    timeout = aiohttp.ClientTimeout(total=_PROBE_TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{address}/health") as said,
        ):
            return said.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
