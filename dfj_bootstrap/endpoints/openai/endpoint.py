"""Any server that speaks the OpenAI chat completions API, over the official client's transport.

The official client gives address, headers and connections; requests go out through its HTTP client, below its
own building of requests and models, which costs several times the CPU of the rest (docs/performance.md).

A key, model, permission or quota that is refused is ``EndpointRejected``, as is a parameter that this server
never takes. A 400 of a content filter is an answer: ``Finish.REFUSED``. Any other 4xx would only come back,
so it is ``CallFailed`` at once. Retries and waits: see ``paid.py``.

The key is in no log line and in no error, and goes to the configured address alone: no redirect is followed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, ClassVar

import httpx2
from openai import AsyncOpenAI, DefaultAioHttpClient

from dfj_bootstrap.calls.call import Call, Reply
from dfj_bootstrap.calls.usage import Metered
from dfj_bootstrap.config.models import OpenAIModel
from dfj_bootstrap.config.paid import PaidModel
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.endpoints.finishes import is_policy_refusal
from dfj_bootstrap.endpoints.misdirected import PROXY_WANTS_PASSWORD, no_answer, unread
from dfj_bootstrap.endpoints.openai.wire import (
    Dialect,
    Problem,
    adapted,
    is_out_of_quota,
    read_answer,
    read_problem,
    request_body,
)
from dfj_bootstrap.endpoints.paid import PaidEndpoint
from dfj_bootstrap.endpoints.surroundings import check_client, proxy_for, set_up
from dfj_bootstrap.endpoints.transport import CONNECT_S, Way, on_the_way
from dfj_bootstrap.endpoints.waits import pause_asked, retry_after
from dfj_bootstrap.endpoints.wire import scrubbed, tracing_headers, without_key
from dfj_bootstrap.errors import CallFailed, EndpointRejected
from dfj_bootstrap.limits.broken import raise_if_passing

CHAT = "/chat/completions"


class OpenAIEndpoint(PaidEndpoint[Dialect, Problem]):
    """An entry of ``models`` with ``backend: openai``."""

    _trust_env: ClassVar[bool] = True
    """Whether proxies and certificates of the environment count: not for servers of the run's own."""

    def __init__(self, name: str, config: OpenAIModel, api_key: str, **client: Any) -> None:
        """``client``: as for ``PaidEndpoint``."""
        super().__init__(name, config, Dialect(), **client)
        self._config = config
        self._api_key = api_key
        surroundings: Mapping[str, str] = os.environ if self._trust_env else {}
        with set_up(name, surroundings):
            self._http = _transport(config.timeout_s, trust_env=self._trust_env)
            self._client = AsyncOpenAI(
                api_key=api_key, base_url=config.base_url, max_retries=0, http_client=self._http
            )
            self._headers = _headers_of(self._client) | {"Authorization": f"Bearer {api_key}"}
            self._urls: dict[str, httpx2.URL] = {}
            self._ways: dict[str, Way] = {}
            address = str(self._url(CHAT))
        check_client(name, address, self._headers)
        self._proxy = proxy_for(name, address, surroundings)

    async def aclose(self) -> None:
        await self._client.close()

    async def _ask(self, call: Call, dialect: Dialect, data_url: str | None) -> Metered | Problem:
        return await self._exchange(call, request_body(call, self._config, dialect, data_url))

    async def _exchange(self, call: Call, body: bytes, path: str = CHAT) -> Metered | Problem:
        headers = self._headers | tracing_headers(call) if self._tracing else self._headers
        url, way = self._url(path), self._way(path)
        with on_the_way(way):
            request = self._http.build_request("POST", url, content=body, headers=headers)
            async with asyncio.timeout(self._config.timeout_s):
                response = await self._http.send(request)
        self._heed(response.headers)
        status, said = response.status_code, scrubbed(response.content, self._api_key)
        if status >= 400 and status != PROXY_WANTS_PASSWORD:
            return self._problem(read_problem(status, said), response)
        if not response.is_success:
            raise no_answer(status, response.headers.get("location", ""), way.at, CHAT)
        with unread(way.at, response.headers.get("content-type", "")):
            answer = read_answer(call, said)
        return answer if isinstance(answer, Metered) else self._problem(answer, response, begun=True)

    def _url(self, path: str) -> httpx2.URL:
        """Parsed once: the client's own merging of URLs costs as much as sending."""
        if path not in self._urls:
            whole = path if "://" in path else str(self._client.base_url).rstrip("/") + path
            self._urls[path] = httpx2.URL(whole)
        return self._urls[path]

    def _way(self, path: str) -> Way:
        """For messages; made once too."""
        if path not in self._ways:
            url = self._url(path)
            self._ways[path] = Way.to(url, self._name, self._config.timeout_s, self._proxy)
        return self._ways[path]

    def _problem(self, said: Problem, response: httpx2.Response, *, begun: bool = False) -> Problem:
        """A refusal that is for good; passing ones are raised."""
        problem = replace(said, message=without_key(said.message, self._api_key))  # it may have been escaped
        if not is_out_of_quota(problem):
            wait_s = retry_after(response.headers, self._now())
            raise_if_passing(problem.status, problem.message, wait_s, begun=begun)
        return problem

    def _heed(self, headers: httpx2.Headers) -> None:
        """Limits that the server tells; sought in the raw headers, since the others are slow to search."""
        told = [(name, value) for name, value in headers.raw if b"ratelimit" in name.lower()]
        pause_s = pause_asked({n.decode("latin-1").lower(): v.decode("latin-1") for n, v in told})
        if pause_s:
            self._gate.used_up(pause_s)

    def _adapted(self, dialect: Dialect, problem: Problem) -> Dialect | None:
        return adapted(dialect, problem)

    def _settle(self, call: Call, problem: Problem) -> Reply:
        if is_policy_refusal(problem.status, problem.code, problem.message):
            return Reply(problem.message, Finish.REFUSED, call.model)
        if problem.code in ("unsupported_parameter", "unsupported_value"):
            raise EndpointRejected(
                f"models.{self._name}: {call.model} can't be used with these settings; "
                f"change what the server names: {problem.message}"
            )
        advice = self._advice(problem)
        if advice:
            raise EndpointRejected(f"models.{self._name}: {advice} ({problem.message})")
        raise CallFailed(
            f"models.{self._name}: the server refused the request with {problem.status}: {problem.message}"
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


def as_openai(config: PaidModel, base_url: str) -> OpenAIModel:
    """The same limits and prices as those of a model that is served otherwise, as this client wants them."""
    common = {name: getattr(config, name) for name in PaidModel.model_fields}
    return OpenAIModel(backend="openai", base_url=base_url, **common)


def _transport(timeout_s: float, *, trust_env: bool) -> httpx2.AsyncClient:
    """The official client's, without redirects and cookies: a bad one would be sent back with every call."""
    return DefaultAioHttpClient(
        timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_S, 0.9 * timeout_s)),
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        trust_env=trust_env,
    )


def _headers_of(client: AsyncOpenAI) -> dict[str, str]:
    """What the official client sends with every request, but for its notes on the platform."""
    headers = {name: value for name, value in client.default_headers.items() if isinstance(value, str)}
    return {name: value for name, value in headers.items() if not name.lower().startswith("x-stainless")}
