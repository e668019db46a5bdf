"""Google's Gemini API, over the official client.

A 429 of a daily quota or of spent credit is ``EndpointRejected``; any other one is waited out, as its
``RetryInfo`` or ``Retry-After`` asks. A prompt or an answer that a safety filter blocked is an answer:
``Finish.REFUSED``, with the filter's reason as its text. Retries and waits: see ``paid.py``.

The request goes in as the library's ``extra_body`` and the answer comes out as text, so that a picture is
not encoded for each call and an answer with a word that the library doesn't know can still be read. The key
is in no log line and in no error.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Mapping
from typing import Any

import httpx2

from dfj_bootstrap.calls.call import Call, Reply
from dfj_bootstrap.calls.usage import Metered
from dfj_bootstrap.config.models import GeminiModel
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.endpoints.finishes import is_policy_refusal
from dfj_bootstrap.endpoints.gemini.wire import (
    Dialect,
    Problem,
    adapted,
    advice,
    is_out_of_quota,
    read_answer,
    read_problem,
    request_body,
)
from dfj_bootstrap.endpoints.misdirected import PROXY_WANTS_PASSWORD, no_answer, unread
from dfj_bootstrap.endpoints.paid import PaidEndpoint
from dfj_bootstrap.endpoints.surroundings import check_client, proxy_for, set_up
from dfj_bootstrap.endpoints.transport import Way, on_the_way
from dfj_bootstrap.endpoints.waits import retry_after
from dfj_bootstrap.endpoints.wire import loads, tracing_headers, without_key
from dfj_bootstrap.errors import CallFailed, ConfigError, EndpointRejected
from dfj_bootstrap.limits.broken import raise_if_passing

try:
    from google import genai
    from google.genai import errors, types
except ModuleNotFoundError:
    raise ConfigError('the backend `gemini` needs an extra: pip install "dfj-bootstrap[gemini]"') from None

# It warns of two keys in the environment and names the one it would take; it is given ours.
logging.getLogger("google_genai._api_client").setLevel(logging.ERROR)


_VERSION, _METHOD = "v1beta", ":generateContent"
_GOOGLE = "https://generativelanguage.googleapis.com"
_ADDRESS = "GOOGLE_GEMINI_BASE_URL"
"""The environment variable by which Google's library goes elsewhere where no address is given."""


class GeminiEndpoint(PaidEndpoint[Dialect, Problem]):
    """An entry of ``models`` with ``backend: gemini``."""

    def __init__(self, name: str, config: GeminiModel, api_key: str, *, key_name: str, **client: Any) -> None:
        """``client``: as for ``PaidEndpoint``.

        Args:
            key_name: the variable that holds the key, for advice.
        """
        super().__init__(name, config, Dialect(), **client)
        self._config = config
        self._api_key = api_key
        self._key_name = key_name
        with set_up(name, os.environ):
            self._client = genai.Client(api_key=api_key, vertexai=False, http_options=_options(config))
            url = httpx2.URL(config.base_url or os.environ.get(_ADDRESS) or _GOOGLE)
        check_client(name, str(url), {"x-goog-api-key": api_key})
        self._way = Way.to(url, name, config.timeout_s, proxy_for(name, str(url), os.environ, strict=True))

    async def aclose(self) -> None:
        await self._client.aio.aclose()
        self._client.close()

    async def _ask(self, call: Call, dialect: Dialect, data_url: str | None) -> Metered | Problem:
        settings = types.GenerateContentConfig(
            automatic_continuation=False,
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            should_return_http_response=True,
            http_options=types.HttpOptions(
                headers=tracing_headers(call) if self._tracing else {},
                extra_body=request_body(call, self._config, dialect, data_url),
            ),
        )
        try:
            with on_the_way(self._way):
                async with asyncio.timeout(self._config.timeout_s):
                    response = await self._client.aio.models.generate_content(
                        model=call.model, contents="", config=settings
                    )
        except errors.APIError as error:
            return self._refusal(error)
        raw = response.sdk_http_response
        headers = raw.headers or {}
        with unread(self._way.at, headers.get("content-type", "")):
            answer = read_answer(call, without_key(raw.body or "", self._api_key))
        return answer if isinstance(answer, Metered) else self._problem(answer, headers, begun=True)

    def _refusal(self, error: Any) -> Problem:
        """A refusal that is for good; passing ones are raised."""
        if error.code < 400 or error.code == PROXY_WANTS_PASSWORD:
            path = f"/{_VERSION}/models/{self._config.model}{_METHOD}"
            raise no_answer(error.code, error.response.headers.get("location", ""), self._way.at, path)
        said = without_key(json.dumps(error.details), self._api_key)
        return self._problem(read_problem(error.code, loads(said)), error.response.headers)

    def _problem(self, problem: Problem, headers: Mapping[str, str], *, begun: bool = False) -> Problem:
        if not is_out_of_quota(problem):
            asked_s = retry_after(headers, self._now())
            wait_s = asked_s if problem.wait_s is None else problem.wait_s
            raise_if_passing(problem.status, problem.message, wait_s, begun=begun)
        return problem

    def _adapted(self, dialect: Dialect, problem: Problem) -> Dialect | None:
        return adapted(dialect, problem)

    def _settle(self, call: Call, problem: Problem) -> Reply:
        if is_policy_refusal(problem.status, problem.state.lower(), problem.message):
            return Reply(problem.message, Finish.REFUSED, call.model)
        hint = advice(problem, self._config.model, self._key_name)
        if hint:
            raise EndpointRejected(f"models.{self._name}: {hint} ({problem.message})")
        raise CallFailed(
            f"models.{self._name}: the server refused the request with {problem.status}: {problem.message}"
        )


def _options(config: GeminiModel) -> Any:
    """The client's, without redirects: they would take the key elsewhere.

    It also makes clients of another library, which are not used and must not fail over proxies.
    """
    return types.HttpOptions(
        base_url=config.base_url,
        api_version=_VERSION,
        timeout=round(config.timeout_s * 1000),
        retry_options=types.HttpRetryOptions(attempts=1),
        client_args={"trust_env": False},
        async_client_args={"trust_env": False, "allow_redirects": False},
    )
