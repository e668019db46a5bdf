"""A real chat completions server on 127.0.0.1 that invents its answers, with faults to order.

It is a test double, shipped: rehearsals (``backend: scripted``) and the project's own tests run against it.
The same request always gets the same answer; whether and how a request goes wrong is drawn by hash, too.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Self
from urllib.parse import unquote

from aiohttp import web

from dfj_bootstrap.endpoints.scripted.replay import Recorded, Recording
from dfj_bootstrap.endpoints.scripted.roles import draw
from dfj_bootstrap.endpoints.scripted.wire import ANSWERED, completion, error_response, role_of, texts

_BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the server does.

    Attributes:
        script: request number, from 1 → kind; wins over ``rates``.
        rates: kind → share of requests, drawn by hash of the request. Answers are the same whenever the
            same request comes; for faults it also counts how often it came, so it can fare better.
        retry_after: the header of a 429; empty: none.
        latency_s: mean time to an answer; each request's own is drawn between half and one and a half of it.
        schema: whether ``response_format`` is taken.
        max_tokens: whether ``max_tokens`` is taken, or only ``max_completion_tokens``.
        temperature, logprobs: whether these are taken.
        key, model: the only ones that are taken, where set.
        refuses: the models that refuse every request.
        off_level: the share of generated texts that miss their level.
    """

    script: Mapping[int, str] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)
    retry_after: str = "0.01"
    latency_s: float = 0.0
    schema: bool = True
    max_tokens: bool = True
    temperature: bool = True
    logprobs: bool = True
    key: str = ""
    model: str = ""
    refuses: tuple[str, ...] = ()
    off_level: float = 0.3
    rng_seed: int = 0

    @classmethod
    def from_json(cls, text: str) -> Behaviour:
        values = json.loads(text)
        values["script"] = {int(number): kind for number, kind in values.get("script", {}).items()}
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came, and what was done with it."""

    number: int
    digest: str
    kind: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def text(self) -> str:
        return texts(self.body)


class ModelServer:
    """The server; its port is bound when it is made, so that ``base_url`` is known before it starts.

    Attributes:
        in_flight, most_in_flight: requests that are being answered, now and at the most.
    """

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        recording: Recording | None = None,
        *,
        watch: Callable[[Request], None] = lambda request: None,
    ) -> None:
        """``watch`` is shown every request before it is answered."""
        self.behaviour = behaviour or Behaviour()
        self.in_flight = 0
        self.most_in_flight = 0
        self.first_request = asyncio.Event()
        self._recording = recording or Recording()
        self._watch = watch
        self._number = 0
        self._came: Counter[str] = Counter()
        self._closing = asyncio.Event()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self.port: int = self._socket.getsockname()[1]
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self) -> None:
        """Answer from now on; requests that came before have waited."""
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/v1/chat/completions", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket, backlog=_BACKLOG).start()

    async def close(self) -> None:
        """Drop what is hanging and free the port."""
        self._closing.set()
        if self._runner:
            await self._runner.cleanup()
        self._socket.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _handle(self, raw: web.Request) -> web.StreamResponse:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._respond(raw)
        finally:
            self.in_flight -= 1

    async def _respond(self, raw: web.Request) -> web.StreamResponse:
        data = await raw.read()
        self._number += 1
        self.first_request.set()
        number = self._number
        body = json.loads(data)
        digest = _digest(data, raw.headers)
        self._came[digest] += 1
        kind = self._kind(number, digest, raw.headers, body)
        latency = self.behaviour.latency_s * (0.5 + draw("latency", digest))
        if latency:
            await asyncio.sleep(latency)
        self._watch(Request(number, digest, kind, raw.headers, body))
        if kind == "hang":
            await self._closing.wait()
        if kind in ("hang", "drop"):
            if raw.transport:
                raw.transport.abort()
            return web.Response()
        return self._response(kind, raw, body, digest)

    def _kind(self, number: int, digest: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> str:
        refused = self._refused(headers, body)
        if refused:
            return refused
        if number in self.behaviour.script:
            return self.behaviour.script[number]
        rates, rng_seed = self.behaviour.rates, self.behaviour.rng_seed
        passing = {kind: rate for kind, rate in rates.items() if kind not in ANSWERED}
        lasting = {kind: rate for kind, rate in rates.items() if kind in ANSWERED}
        return (
            _drawn(passing, "passing", rng_seed, digest, self._came[digest])
            or _drawn(lasting, "lasting", rng_seed, digest)
            or "answer"
        )

    def _refused(self, headers: Mapping[str, str], body: Mapping[str, Any]) -> str:
        """What the request itself gets refused for, whatever the rates."""
        behaviour = self.behaviour
        if behaviour.key and headers.get("Authorization") != f"Bearer {behaviour.key}":
            return "401"
        if behaviour.model and body["model"] != behaviour.model:
            return "404"
        if not behaviour.schema and "response_format" in body:
            return "no_schema"
        if not behaviour.max_tokens and "max_tokens" in body:
            return "no_max_tokens"
        if not behaviour.temperature and "temperature" in body:
            return "temperature"
        if not behaviour.logprobs and "logprobs" in body:
            return "no_logprobs"
        return "refusal" if body["model"] in behaviour.refuses else ""

    def _response(self, kind: str, raw: web.Request, body: Mapping[str, Any], digest: str) -> web.Response:
        error = error_response(kind, raw.headers, self.behaviour.retry_after)
        if error:
            return error
        role = role_of(raw.headers, body)
        recorded = self._recorded(role, raw.headers, body, digest)
        return web.json_response(completion(kind, role, body, self.behaviour.off_level, recorded))

    def _recorded(
        self, role: str, headers: Mapping[str, str], body: Mapping[str, Any], digest: str
    ) -> Recorded | None:
        request = {
            "role": role,
            "seed": unquote(headers.get("X-DFJ-Seed", "")),
            "level": headers.get("X-DFJ-Level"),
            "round": headers.get("X-DFJ-Round"),
            "prompt": texts(body),
        }
        return self._recording.find(request, digest)


def _drawn(rates: Mapping[str, float], *parts: object) -> str:
    """One of the kinds, each with its rate, or none, by hash."""
    chance = draw(*parts)
    for kind, rate in rates.items():
        chance -= rate
        if chance < 0:
            return kind
    return ""


def _digest(data: bytes, headers: Mapping[str, str]) -> str:
    place = [headers.get(f"X-DFJ-{name}", "") for name in ("Role", "Seed", "Level", "Round")]
    return blake2b("\0".join(place).encode() + b"\0" + data, digest_size=16).hexdigest()
