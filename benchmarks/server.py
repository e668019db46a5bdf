"""A chat completions server of known capacity, in a process of its own.

Raw asyncio, so that it costs little: what it does with a request is the scripted roles' answer after a
lognormal latency. It has ``capacity`` slots. Beyond them a request waits, or gets a 429 where ``refuse`` is
on; ``stray`` of all requests get a 429 whatever the load. ``GET /stats`` says what happened since the last
``POST /reset``; times are seconds from then.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from dfj_bootstrap.endpoints.scripted.wire import completion, role_of

_SERVER_LIFE_S = 1200


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the server can do.

    Attributes:
        slots: requests that it works on at once.
        mean_s, sigma: of the lognormal latency.
        refuse: 429 beyond the slots, at once; else such requests wait.
        stray: share of 429s whatever the load.
        retry_after: the header of a 429; empty: none.
        off_level: share of generated texts that miss their level.
    """

    slots: int = 64
    mean_s: float = 0.2
    sigma: float = 0.5
    refuse: bool = False
    stray: float = 0.0
    retry_after: str = ""
    off_level: float = 0.3
    rng_seed: int = 17


@dataclass(slots=True)
class Stats:
    """What happened.

    Attributes:
        used_s: latency drawn for all answered requests: slot-time that was of use.
        held_s: slot-time from when a request got its slot to when its answer was written.
        came: when each request came.
    """

    started: float
    cpu_before_s: float
    answers: int = 0
    refusals: int = 0
    used_s: float = 0.0
    held_s: float = 0.0
    most_working: int = 0
    last_answer: float = 0.0
    came: list[float] = field(default_factory=list)


class Server:
    """Slots, the queue before them, and the books."""

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self._rng = random.Random(capacity.rng_seed)
        self._working = 0
        self._queue: deque[tuple[Connection, bytes, dict[str, str]]] = deque()
        self.reset()

    def reset(self) -> None:
        self.stats = Stats(time.monotonic(), time.process_time())

    def report(self) -> bytes:
        stats = asdict(self.stats)
        cpu_s = time.process_time() - stats.pop("cpu_before_s")
        return orjson.dumps({**stats, "cpu_s": cpu_s, "slots": self._capacity.slots})

    def take(self, connection: Connection, head: dict[str, str], body: bytes) -> None:
        """Deal with a completion request."""
        capacity, stats = self._capacity, self.stats
        stats.came.append(time.monotonic() - stats.started)
        if self._rng.random() < capacity.stray or (capacity.refuse and self._working >= capacity.slots):
            stats.refusals += 1
            connection.respond(429, b'{"error": {"message": "slow down", "code": "rate_limit_exceeded"}}')
        elif self._working >= capacity.slots:
            self._queue.append((connection, body, head))
        else:
            self._work(connection, body, head)

    def _work(self, connection: Connection, body: bytes, head: dict[str, str]) -> None:
        self._working += 1
        self.stats.most_working = max(self.stats.most_working, self._working)
        mu = math.log(self._capacity.mean_s) - self._capacity.sigma**2 / 2
        latency = self._rng.lognormvariate(mu, self._capacity.sigma)
        began = time.monotonic()
        answer = self._answer(body, head)
        loop = asyncio.get_running_loop()
        loop.call_later(latency, self._answered, connection, answer, began, latency)

    def _answered(self, connection: Connection, answer: bytes, began: float, latency: float) -> None:
        now = time.monotonic()
        connection.respond(200, answer)
        self._working -= 1
        stats = self.stats
        stats.answers += 1
        stats.used_s += latency
        stats.held_s += now - began
        stats.last_answer = now - stats.started
        if self._queue:
            self._work(*self._queue.popleft())

    def _answer(self, body: bytes, head: dict[str, str]) -> bytes:
        request = orjson.loads(body)
        role = role_of({"X-DFJ-Role": head.get("x-dfj-role", "")}, request)
        return orjson.dumps(completion("answer", role, request, self._capacity.off_level))

    @property
    def retry_after(self) -> str:
        return self._capacity.retry_after


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as much of it as the clients here speak."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._data = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        while end >= 0:
            lines = self._data[:end].decode("latin-1").split("\r\n")
            head = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
            }
            length = int(head.get("content-length", 0))
            if len(self._data) < end + 4 + length:
                return
            body = bytes(self._data[end + 4 : end + 4 + length])
            del self._data[: end + 4 + length]
            self._handle(lines[0].split(" ")[1], head, body)
            end = self._data.find(b"\r\n\r\n")

    def _handle(self, path: str, head: dict[str, str], body: bytes) -> None:
        if path == "/stats":
            self.respond(200, self._server.report())
        elif path == "/reset":
            self._server.reset()
            self.respond(200, b"{}")
        else:
            self._server.take(self, head, body)

    def respond(self, status: int, body: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        wait = (
            f"Retry-After: {self._server.retry_after}\r\n"
            if status == 429 and self._server.retry_after
            else ""
        )
        head = (
            f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\n{wait}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)


@dataclass(frozen=True, slots=True)
class Running:
    """A server process."""

    base_url: str

    def stats(self) -> dict[str, Any]:
        return self._get("/stats")

    def reset(self) -> None:
        self._get("/reset")

    def _get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(self.base_url.removesuffix("/v1") + path, timeout=10) as response:
            answer: dict[str, Any] = json.load(response)
        return answer


@contextmanager
def serving(capacity: Capacity) -> Iterator[Running]:
    """Run the server as a process of its own."""
    command = [sys.executable, "-m", "benchmarks.server", json.dumps(asdict(capacity))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield Running(process.stdout.readline().strip())
        finally:
            process.terminate()


async def _main(capacity: Capacity) -> None:
    server = Server(capacity)
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: Connection(server), sock=listening):
        sys.stdout.write(f"http://127.0.0.1:{listening.getsockname()[1]}/v1\n")
        sys.stdout.flush()
        await asyncio.sleep(_SERVER_LIFE_S)


if __name__ == "__main__":
    asyncio.run(_main(Capacity(**json.loads(sys.argv[1]))))
