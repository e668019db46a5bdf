"""Any server that speaks the OpenAI chat completions API, over the official client's transport.

The official client gives address, headers and connections; requests go out through its HTTP client, below its
own building of requests and models, which costs several times the CPU of the rest (docs/performance.md).

Who retries what: the client library's own retries are off. A call that failed for a passing reason (5xx,
408, 409, timeout, dropped connection, a body that is no chat completion) is sent again after a growing,
jittered wait, ``max_attempts`` times in all, then it is ``CallFailed``. A 429 uses up no attempt; its
``Retry-After`` is obeyed, and only a long wall time of it gives the call up. A call that waits holds no
slot. A key, model, permission or quota that is refused is ``EndpointRejected``, as is a parameter that this
server never takes. A 400 of a content filter is an answer: ``Finish.REFUSED``. Any other 4xx would only
come back, so it is ``CallFailed`` at once.

The key is in no log line and in no error.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable

import httpx2
from openai import AsyncOpenAI, DefaultAioHttpClient

from dfj_bootstrap.config import OpenAIModel
from dfj_bootstrap.endpoints.call import IMAGE, Call, Finish, Reply
from dfj_bootstrap.endpoints.gate import Gate
from dfj_bootstrap.endpoints.openai_wire import (
    Dialect,
    Problem,
    adapted,
    is_out_of_quota,
    is_policy_refusal,
    read_answer,
    read_problem,
    request_body,
)
from dfj_bootstrap.endpoints.patience import Broken, Retries, Throttled
from dfj_bootstrap.endpoints.pictures import Pictures
from dfj_bootstrap.endpoints.wire import retry_after, scrubbed, tracing_headers, without_key
from dfj_bootstrap.errors import CallFailed, EndpointRejected

log = logging.getLogger(__name__)

CHAT = "/chat/completions"

_PASSING = (408, 409)


class OpenAIEndpoint:
    """An entry of ``models`` with ``backend: openai``; one per process, for all roles that use it."""

    def __init__(
        self,
        name: str,
        config: OpenAIModel,
        api_key: str,
        *,
        gate: Gate,
        tracing: bool,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """``gate`` lets attempts in; ``sleep`` and what follows is for tests to replace."""
        self._name = name
        self._config = config
        self._api_key = api_key
        self._tracing = tracing
        self._gate = gate
        self._now = now
        self._retries = Retries(name, config.max_attempts, sleep, jitter)
        self._dialect = Dialect()
        self._pictures = Pictures(config.pixels)
        self._http = DefaultAioHttpClient(timeout=config.timeout_s)
        self._client = AsyncOpenAI(
            api_key=api_key, base_url=config.base_url, max_retries=0, http_client=self._http
        )
        self._headers = _headers_of(self._client) | {"Authorization": f"Bearer {api_key}"}
        self._urls: dict[str, httpx2.URL] = {}

    async def complete(self, call: Call) -> Reply:
        """Ask once, with as many network attempts as it takes.

        Raises:
            CallFailed: no answer after the last attempt, or a request that this server can't take.
            EndpointRejected: key, model, permission or quota: no call can succeed.
        """
        return await self._retries.complete(call, self._attempt)

    def stop_admission(self) -> None:
        self._gate.stop_admission()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def _attempt(self, call: Call) -> Reply:
        """One attempt in one slot; a server that refuses a detail of our dialect is asked again at once."""
        url = await self._pictures.data_url(call.image) if call.image and IMAGE in call.parts else None
        async with self._gate.admitted(call) as permit:
            while True:
                dialect = self._dialect
                answer = await self._exchange(call, request_body(call, self._config, dialect, url))
                if not isinstance(answer, Problem):
                    return permit.settle(answer)
                if not self._learn(dialect, answer):
                    return self._settle(call, answer)

    async def _exchange(self, call: Call, body: bytes, path: str = CHAT) -> Reply | Problem:
        headers = self._headers | tracing_headers(call) if self._tracing else self._headers
        request = self._http.build_request("POST", self._url(path), content=body, headers=headers)
        try:
            async with asyncio.timeout(self._config.timeout_s):
                response = await self._http.send(request)
        except (TimeoutError, httpx2.ReadTimeout):
            raise Broken(f"no answer within {self._config.timeout_s:g} s") from None
        except httpx2.TransportError as error:
            raise Broken(f"the connection failed ({type(error).__name__})") from None
        self._heed(response.headers)
        if not response.is_success:
            return self._problem(response)
        return read_answer(call, scrubbed(response.content, self._api_key), self._config.prices)

    def _url(self, path: str) -> httpx2.URL:
        """Parsed once: the client's own merging of URLs costs as much as sending."""
        if path not in self._urls:
            whole = path if "://" in path else str(self._client.base_url).rstrip("/") + path
            self._urls[path] = httpx2.URL(whole)
        return self._urls[path]

    def _problem(self, response: httpx2.Response) -> Problem:
        """A refusal that is for good; passing ones are raised."""
        status = response.status_code
        problem = read_problem(status, scrubbed(response.content, self._api_key))
        if is_out_of_quota(problem):
            return problem
        wait_s = retry_after(response.headers, self._now())
        if status == 429:
            raise Throttled("the server says 429, too many requests", wait_s)
        if status >= 500 or status in _PASSING:
            raise Broken(f"the server says {status}: {self._safe(problem.message)}", wait_s)
        return problem

    def _heed(self, headers: httpx2.Headers) -> None:
        """Limits that the server tells; sought in the raw headers, since the others are slow to search."""
        told = [(name, value) for name, value in headers.raw if b"ratelimit" in name.lower()]
        if told:
            self._gate.heed({n.decode("latin-1").lower(): v.decode("latin-1") for n, v in told})

    def _learn(self, sent: Dialect, problem: Problem) -> bool:
        """Whether to send again, in another dialect: decided once per endpoint, and told in the log."""
        if problem.status not in (400, 403, 422):
            return False
        if sent != self._dialect:  # another call has learnt it meanwhile
            return True
        other = adapted(sent, problem)
        if other is None:
            return False
        self._dialect = other
        log.info(
            "models.%s: from now on with %s, since the server said: %s",
            self._name,
            other,
            self._safe(problem.message),
        )
        return True

    def _settle(self, call: Call, problem: Problem) -> Reply:
        """What a refusal for good comes to: an answer, the end of the call, or the end of the run."""
        if is_policy_refusal(problem):
            return Reply(self._safe(problem.message), Finish.REFUSED, call.model)
        if problem.code in ("unsupported_parameter", "unsupported_value"):
            raise EndpointRejected(
                f"models.{self._name}: {call.model} can't be used with these settings; "
                f"change what the server names: {self._safe(problem.message)}"
            )
        advice = self._advice(problem)
        if advice:
            raise EndpointRejected(f"models.{self._name}: {advice} ({self._safe(problem.message)})")
        raise CallFailed(
            f"models.{self._name}: the server refused the request with {problem.status}: "
            f"{self._safe(problem.message)}"
        )

    def _advice(self, problem: Problem) -> str:
        model, key = self._config.model, self._config.api_key_env
        if is_out_of_quota(problem):
            return "the quota or credit is used up; top it up or use another model, then run again"
        if problem.status == 401:
            return f"the server refused the key; put a valid one into {key}"
        if problem.status == 403:
            return f"the key in {key} may not use {model}; ask for access or use another model"
        if problem.status == 404:
            return f"no {model} there; check `model` and `base_url`"
        return ""

    def _safe(self, message: str) -> str:
        """A server's words without the key, which some servers repeat."""
        return without_key(message, self._api_key)


def _headers_of(client: AsyncOpenAI) -> dict[str, str]:
    """What the official client sends with every request, but for its notes on the platform."""
    headers = {name: value for name, value in client.default_headers.items() if isinstance(value, str)}
    return {name: value for name, value in headers.items() if not name.lower().startswith("x-stainless")}
