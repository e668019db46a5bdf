"""A real server on 127.0.0.1 that speaks Gemini's ``generateContent``, with faults to order."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Self

from aiohttp import web

from dfj_bootstrap.endpoints.scripted.roles import answer, draw
from tests.support.odd_replies import odd_reply

_TYPES = "type.googleapis.com/google.rpc"
_PER_MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
_PER_DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"

REFUSALS = ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT")
"""Finish reasons that are kinds of answers. Others: answer, garbage, empty, cut_off, blocked_prompt."""


def _error(status: int, state: str, message: str, *details: Mapping[str, Any]) -> tuple[int, str]:
    error = {"code": status, "message": message, "status": state, "details": details}
    return status, json.dumps({"error": error})


def _quota(*quotas: str, delay: str | None = None, message: str = "") -> tuple[int, str]:
    details: list[Mapping[str, Any]] = []
    if quotas:
        violations = [{"quotaMetric": "requests", "quotaId": quota} for quota in quotas]
        details.append({"@type": f"{_TYPES}.QuotaFailure", "violations": violations})
    if delay:
        details.append({"@type": f"{_TYPES}.RetryInfo", "retryDelay": delay})
    return _error(429, "RESOURCE_EXHAUSTED", message or "You exceeded your current quota.", *details)


def _info(reason: str) -> Mapping[str, Any]:
    return {"@type": f"{_TYPES}.ErrorInfo", "reason": reason, "domain": "googleapis.com"}


_ERRORS: Mapping[str, tuple[int, str]] = {
    "429": _quota(_PER_MINUTE, delay="7.5s"),
    "429_bare": _quota(message="Resource has been exhausted (e.g. check quota)."),
    "daily": _quota(_PER_MINUTE, _PER_DAY, delay="34s"),
    "no_quota": _quota(delay="20s", message="* Quota exceeded for metric: x, limit: 0, model: tiny"),
    "no_credit": _quota(message="Your prepayment credits are depleted."),
    "500": _error(500, "INTERNAL", "An internal error has occurred."),
    "503": _error(503, "UNAVAILABLE", "The model is overloaded."),
    "504_html": (504, "<html>upstream timed out</html>"),
    "500_cut": (500, '{"error": {'),
    "400": _error(400, "INVALID_ARGUMENT", "Unable to process input image."),
    "key": _error(400, "INVALID_ARGUMENT", "API key not valid: {key}", _info("API_KEY_INVALID")),
    "401": _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
    "403": _error(403, "PERMISSION_DENIED", "Your API key was reported as leaked."),
    "404": _error(404, "NOT_FOUND", "models/tiny is not found for API version v1beta."),
    "place": _error(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
    "thinking": _error(
        400, "INVALID_ARGUMENT", "Budget 0 is invalid. The model only works in thinking mode."
    ),
    "no_schema": _error(400, "INVALID_ARGUMENT", "JSON mode is not enabled for models/tiny"),
    "too_long": _error(400, "INVALID_ARGUMENT", "max_output_tokens must be in the range from 1 to 8192."),
}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the server does.

    Attributes:
        script: request number, from 1 → kind; wins over ``rates``.
        rates: kind → share of requests, drawn by hash of the request and of how often it came.
        retry_after: the header of a 429; empty: none.
        latency_s: time to an answer.
        schema: whether a schema is taken.
        most_tokens: the greatest ``maxOutputTokens`` that is taken.
        key, model: the only ones that are taken, where set.
    """

    script: Mapping[int, str] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)
    retry_after: str = ""
    latency_s: float = 0.0
    schema: bool = True
    most_tokens: int = 65_536
    key: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came, and what was done with it."""

    number: int
    digest: str
    kind: str
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def parts(self) -> list[Mapping[str, Any]]:
        return [part for content in self.body["contents"] for part in content["parts"]]

    @property
    def settings(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.body["generationConfig"]
        return found


class GeminiServer:
    """The server; ``requests`` holds all that came, in order, with what was done with them."""

    def __init__(self, behaviour: Behaviour | None = None) -> None:
        self.behaviour = behaviour or Behaviour()
        self.requests: list[Request] = []
        self.port = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.first_request = asyncio.Event()
        self._more = asyncio.Condition()
        self._number = 0
        self._came: Counter[str] = Counter()
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def came(self, number: int) -> None:
        """Wait until so many requests have come."""
        async with self._more:
            await self._more.wait_for(lambda: len(self.requests) >= number)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/v1beta/models/{model}:generateContent", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        if self._runner:
            await self._runner.cleanup()

    async def _handle(self, raw: web.Request) -> web.StreamResponse:
        data = await raw.read()
        self._number += 1
        self.first_request.set()
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._respond(raw, data, self._number)
        finally:
            self.in_flight -= 1

    async def _respond(self, raw: web.Request, data: bytes, number: int) -> web.StreamResponse:
        digest = _digest(data, raw)
        self._came[digest] += 1
        body = json.loads(data)
        kind = self._refused(raw, body) or self.behaviour.script.get(number) or self._drawn(digest)
        if self.behaviour.latency_s:
            await asyncio.sleep(self.behaviour.latency_s)
        async with self._more:
            self.requests.append(Request(number, digest, kind, raw.path, raw.headers, body))
            self._more.notify_all()
        if kind == "hang":
            await self._closing.wait()
        if kind in ("hang", "drop"):
            if raw.transport:
                raw.transport.abort()
            return web.Response()
        if kind in _ERRORS:
            return self._fault(kind, raw)
        if kind == "garbage_body":
            return web.Response(text='{"candidates": [', content_type="application/json")
        good = _response(kind, raw.headers, body, raw.match_info["model"])
        return odd_reply(kind, lambda: _countable(good)) or web.json_response(good)

    def _refused(self, raw: web.Request, body: Mapping[str, Any]) -> str:
        behaviour, settings = self.behaviour, body["generationConfig"]
        if behaviour.key and raw.headers.get("x-goog-api-key") != behaviour.key:
            return "key"
        if behaviour.model and raw.match_info["model"] != behaviour.model:
            return "404"
        if not behaviour.schema and "responseJsonSchema" in settings:
            return "no_schema"
        return "too_long" if settings["maxOutputTokens"] > behaviour.most_tokens else ""

    def _drawn(self, digest: str) -> str:
        chance = draw("kind", digest, self._came[digest])
        for kind, rate in self.behaviour.rates.items():
            chance -= rate
            if chance < 0:
                return kind
        return "answer"

    def _fault(self, kind: str, raw: web.Request) -> web.Response:
        status, text = _ERRORS[kind]
        waits = {"Retry-After": self.behaviour.retry_after} if status == 429 else {}
        return web.Response(
            status=status,
            text=text.replace("{key}", raw.headers.get("x-goog-api-key", "")),
            headers={name: value for name, value in waits.items() if value},
            content_type="text/html" if text.startswith("<") else "application/json",
        )


def _response(
    kind: str, headers: Mapping[str, str], body: Mapping[str, Any], model: str
) -> Mapping[str, Any]:
    prompt = "\n".join(part.get("text", "") for part in body["contents"][0]["parts"])
    digest = blake2b(f"{model}\0{prompt}".encode(), digest_size=16).hexdigest()
    fields = answer(headers.get("X-DFJ-Role", "generator"), prompt, digest, 0.3)
    as_json = "responseJsonSchema" in body["generationConfig"]
    tagged = "\n".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    text = json.dumps(fields) if as_json else tagged
    usage = {
        "promptTokenCount": len(prompt) // 4,
        "cachedContentTokenCount": 16,
        "candidatesTokenCount": len(text) // 4,
        "thoughtsTokenCount": 33,
        "totalTokenCount": len(prompt) // 4 + len(text) // 4 + 33,
    }
    common = {"usageMetadata": usage, "modelVersion": model, "responseId": digest}
    if kind == "no_candidate":
        return common
    if kind == "blocked_prompt":
        return {**common, "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
    return {**common, "candidates": [_candidate(kind, text)]}


def _countable(good: Mapping[str, Any]) -> dict[str, Any]:
    """A good response, its usage as ``odd_reply`` wants to find it."""
    told = good["usageMetadata"]
    usage = {
        "prompt_tokens": told["promptTokenCount"],
        "completion_tokens": told["candidatesTokenCount"] + told["thoughtsTokenCount"],
    }
    return {**{name: value for name, value in good.items() if name != "usageMetadata"}, "usage": usage}


def _candidate(kind: str, text: str) -> Mapping[str, Any]:
    if kind in REFUSALS:
        rating = {"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH", "blocked": True}
        return {"finishReason": kind, "index": 0, "safetyRatings": [rating]}
    said = {"garbage": "Four, I would say.", "empty": "", "cut_off": text[: len(text) // 3]}.get(kind, text)
    parts = [{"text": "First I look at the hands.", "thought": True}, {"text": said}]
    reason = "MAX_TOKENS" if kind == "cut_off" else "STOP"
    return {"content": {"parts": parts, "role": "model"}, "finishReason": reason, "index": 0}


def _digest(data: bytes, raw: web.Request) -> str:
    place = [raw.path, *(raw.headers.get(f"X-DFJ-{name}", "") for name in ("Role", "Seed", "Level", "Round"))]
    return blake2b("\0".join(place).encode() + b"\0" + data, digest_size=16).hexdigest()
