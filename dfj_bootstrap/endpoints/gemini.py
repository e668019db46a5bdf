"""Google's Gemini API, over the official client.

Who retries what: as in the ``openai`` endpoint, and the client library's own retries and continuations are
off. A 429 of a daily quota or of spent credit is ``EndpointRejected``; any other one is waited out, as its
``RetryInfo`` or ``Retry-After`` asks. A prompt or an answer that a safety filter blocked is an answer:
``Finish.REFUSED``, with the filter's reason as its text.

The request goes in as the library's ``extra_body`` and the answer comes out as text, so that a picture is
not encoded for each call and an answer with a word that the library doesn't know can still be read. The key
is in no log line and in no error.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from dfj_bootstrap.config import GeminiModel
from dfj_bootstrap.endpoints.call import IMAGE, Call, Reply
from dfj_bootstrap.endpoints.gate import Gate
from dfj_bootstrap.endpoints.gemini_wire import (
    Dialect,
    Problem,
    adapted,
    advice,
    is_out_of_quota,
    read_answer,
    read_problem,
    request_body,
)
from dfj_bootstrap.endpoints.patience import Broken, Retries, Throttled
from dfj_bootstrap.endpoints.pictures import Pictures
from dfj_bootstrap.endpoints.wire import loads, retry_after, tracing_headers, without_key
from dfj_bootstrap.errors import CallFailed, ConfigError, EndpointRejected

try:
    from google import genai
    from google.genai import errors, types
except ModuleNotFoundError:
    raise ConfigError('the backend `gemini` needs an extra: pip install "dfj-bootstrap[gemini]"') from None

log = logging.getLogger(__name__)

# It warns of two keys in the environment and names the one it would take; it is given ours.
logging.getLogger("google_genai._api_client").setLevel(logging.ERROR)

_PASSING = (408, 409, 499)


class GeminiEndpoint:
    """An entry of ``models`` with ``backend: gemini``; one per process, for all roles that use it."""

    def __init__(
        self,
        name: str,
        config: GeminiModel,
        api_key: str,
        *,
        key_name: str,
        gate: Gate,
        tracing: bool,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """``gate`` lets attempts in; ``sleep`` and what follows is for tests to replace.

        Args:
            key_name: the variable that holds the key, for advice.
        """
        self._name = name
        self._config = config
        self._api_key = api_key
        self._key_name = key_name
        self._tracing = tracing
        self._gate = gate
        self._now = now
        self._retries = Retries(name, config.max_attempts, sleep, jitter)
        self._dialect = Dialect()
        self._pictures = Pictures(config.pixels)
        self._client = genai.Client(
            api_key=api_key,
            vertexai=False,
            http_options=types.HttpOptions(
                base_url=config.base_url,
                api_version="v1beta",
                timeout=round(config.timeout_s * 1000),
                retry_options=types.HttpRetryOptions(attempts=1),
            ),
        )

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
        await self._client.aio.aclose()
        self._client.close()

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
                    raise self._refused(answer)

    async def _exchange(self, call: Call, body: dict[str, Any]) -> Reply | Problem:
        settings = types.GenerateContentConfig(
            automatic_continuation=False,
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            should_return_http_response=True,
            http_options=types.HttpOptions(
                headers=tracing_headers(call) if self._tracing else {}, extra_body=body
            ),
        )
        try:
            async with asyncio.timeout(self._config.timeout_s):
                response = await self._client.aio.models.generate_content(
                    model=call.model, contents="", config=settings
                )
        except TimeoutError:
            raise Broken(f"no answer within {self._config.timeout_s:g} s") from None
        except errors.APIError as error:
            return self._problem(error)
        except aiohttp.ClientError as error:
            raise Broken(f"the connection failed ({type(error).__name__})") from None
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise Broken("the server's answer is no JSON") from None
        said = without_key(response.sdk_http_response.body or "", self._api_key)
        return read_answer(call, said, self._config.prices)

    def _problem(self, error: Any) -> Problem:
        """A refusal that is for good; passing ones are raised."""
        said = without_key(json.dumps(error.details), self._api_key)
        problem = read_problem(error.code, loads(said))
        if is_out_of_quota(problem):
            return problem
        wait_s = problem.wait_s
        if wait_s is None:
            wait_s = retry_after(error.response.headers, self._now())
        if problem.status == 429:
            raise Throttled("the server says 429, too many requests", wait_s)
        if problem.status >= 500 or problem.status in _PASSING:
            raise Broken(f"the server says {problem.status}: {problem.message}", wait_s)
        return problem

    def _learn(self, sent: Dialect, problem: Problem) -> bool:
        """Whether to send again, in another dialect: decided once per endpoint, and told in the log."""
        other = adapted(sent, problem)
        if other is None:
            return False
        if sent != self._dialect:  # another call has learnt it meanwhile
            return True
        self._dialect = other
        log.info(
            "models.%s: from now on with %s, since the server said: %s", self._name, other, problem.message
        )
        return True

    def _refused(self, problem: Problem) -> EndpointRejected | CallFailed:
        """What a refusal for good comes to: the end of the run where every call would meet it."""
        hint = advice(problem, self._config.model, self._key_name)
        if hint:
            return EndpointRejected(f"models.{self._name}: {hint} ({problem.message})")
        why = f"the server refused the request with {problem.status}: {problem.message}"
        return CallFailed(f"models.{self._name}: {why}")
