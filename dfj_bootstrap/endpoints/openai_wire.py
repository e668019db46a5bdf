"""The chat completions wire format, without a network: request bodies, answers, refusals and waits.

Servers that call themselves compatible differ. What differs is a ``Dialect``: found out from a server's
own refusal, once per endpoint, and no part of a call's key.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import orjson

from dfj_bootstrap.config import OpenAIModel, Prices
from dfj_bootstrap.endpoints.call import IMAGE, Call, Finish, Reply
from dfj_bootstrap.endpoints.patience import Broken
from dfj_bootstrap.endpoints.wire import (
    count,
    encodable,
    ended,
    loads,
    mapping,
    priced,
    reply_form,
    reply_schema,
)

_POLICY_CODES = frozenset({"content_filter", "content_policy_violation", "responsibleaipolicyviolation"})
_POLICY_WORDS = (
    "content management policy",
    "content policy",
    "usage policies",
    "safety system",
    "was flagged",
)
_SCHEMA_WORDS = ("response_format", "json_schema", "structured output", "guided", "grammar")


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a server takes."""

    tokens_name: str = "max_tokens"
    schema: bool = True
    temperature: bool = True
    logprobs: bool = True

    def __str__(self) -> str:
        """For the log."""
        form = "a JSON schema" if self.schema else "tagged text without a JSON schema"
        own = "" if self.temperature else ", the model's own temperature"
        return f"{self.tokens_name}, {form}{own}{'' if self.logprobs else ', no logprobs'}"


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal, as the server words it; ``code`` and ``parameter`` in lower case, empty where not given."""

    status: int
    code: str
    parameter: str
    message: str


def request_body(call: Call, config: OpenAIModel, dialect: Dialect, data_url: str | None) -> bytes:
    """The request as JSON. Without schema mode the form of the reply is asked for in words, at the end.

    Reasoning counts against the token limit, so room for it is asked for on top of what the answer may have.
    """
    body: dict[str, Any] = {
        "model": call.model,
        "messages": [{"role": "user", "content": _content(call, dialect, data_url)}],
        dialect.tokens_name: call.max_tokens + config.most_thinking,
    }
    if config.reasoning_effort is not None:
        body["reasoning_effort"] = config.reasoning_effort
    if dialect.temperature:
        body["temperature"] = call.temperature
    if call.rng_seed is not None:
        body["seed"] = call.rng_seed
    if call.logprobs and dialect.logprobs:
        body["logprobs"] = True
    if dialect.schema:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {
                "name": f"{call.role}_reply",
                "strict": True,
                "schema": reply_schema(call),
            },
        }
    return orjson.dumps(body)


def read_answer(call: Call, body: bytes, prices: Prices | None) -> Reply:
    """The reply in a chat completion.

    Raises:
        Broken: the body is no chat completion.
    """
    try:
        completion = loads(body)
        choice = completion["choices"][0]
        message = choice["message"]
        text = _text(message.get("content"))
        refusal = _text(message.get("refusal"))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise Broken("the server's answer is no chat completion") from None
    finish = _finish(choice.get("finish_reason"), text, refusal)
    usage = mapping(completion.get("usage"))
    return priced(
        Reply(
            text=encodable(refusal or text),
            finish=finish,
            model=encodable(str(completion.get("model") or call.model)),
            input_tokens=count(usage.get("prompt_tokens")),
            output_tokens=count(usage.get("completion_tokens")),
            cached_tokens=count(mapping(usage.get("prompt_tokens_details")).get("cached_tokens")),
            logprobs=_logprobs(choice.get("logprobs")) if call.logprobs else (),
        ),
        prices,
    )


def read_problem(status: int, body: bytes) -> Problem:
    """What an error body says, in whichever of the usual forms."""
    try:
        parsed = loads(body)
    except ValueError:
        return Problem(status, "", "", " ".join(body[:300].decode("utf-8", "replace").split()))
    error = mapping(parsed).get("error", parsed)
    fields = mapping(error)
    message = fields.get("message") or fields.get("detail") or (error if isinstance(error, str) else "")
    code = fields.get("code") or fields.get("type") or ""
    text = " ".join(encodable(str(message or orjson.dumps(error).decode())).split())
    return Problem(status, str(code).lower(), str(fields.get("param") or "").lower(), text[:300])


def is_policy_refusal(problem: Problem) -> bool:
    """Whether a content filter, not the request's form, is why the server refused."""
    words = problem.message.lower()
    return problem.status in (400, 403) and (
        problem.code in _POLICY_CODES or any(policy in words for policy in _POLICY_WORDS)
    )


def is_out_of_quota(problem: Problem) -> bool:
    """Whether waiting won't help, since nothing is left to spend."""
    return problem.status == 402 or "insufficient_quota" in f"{problem.code} {problem.message}".lower()


def adapted(dialect: Dialect, problem: Problem) -> Dialect | None:
    """The dialect to try instead, where the server's refusal names what it doesn't take; else ``None``."""
    if problem.status not in (400, 403, 422):
        return None
    words = f"{problem.parameter} {problem.message}".lower()
    if dialect.schema and any(word in words for word in _SCHEMA_WORDS):
        return replace(dialect, schema=False)
    if dialect.tokens_name == "max_tokens" and _wants_other_name(problem, words):
        return replace(dialect, tokens_name="max_completion_tokens")
    if dialect.temperature and problem.parameter == "temperature" and problem.code.startswith("unsupported"):
        return replace(dialect, temperature=False)
    if dialect.logprobs and "logprobs" in words:
        return replace(dialect, logprobs=False)
    return None


def _content(call: Call, dialect: Dialect, data_url: str | None) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    for part in call.parts:
        if part != IMAGE:
            content.append({"type": "text", "text": part})
        elif data_url is not None:
            content.append({"type": "image_url", "image_url": {"url": data_url}})
    if not dialect.schema:
        content.append({"type": "text", "text": reply_form(call)})
    return content


def _wants_other_name(problem: Problem, words: str) -> bool:
    refused = problem.parameter == "max_tokens" and problem.code.startswith("unsupported")
    return refused or ("max_completion_tokens" in words and "too large" not in words)


def _logprobs(value: object) -> tuple[tuple[str, float], ...]:
    """Tokens with their log-probabilities, as far as they are given in the usual form."""
    tokens = mapping(value).get("content")
    pairs = ((each.get("token"), each.get("logprob")) for each in map(mapping, tokens or ()))
    known = ((t, p) for t, p in pairs if isinstance(t, str) and isinstance(p, int | float))
    return tuple((encodable(token), float(logprob)) for token, logprob in known)


def _finish(reason: object, text: str, refusal: str) -> Finish:
    if refusal or reason == "content_filter":
        return Finish.REFUSED
    return ended(text, cut_off=reason == "length")


def _text(content: object) -> str:
    """A message's content: a string, nothing, or a list of parts."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_text(mapping(part).get("text")) for part in content)
    raise TypeError(f"content is a {type(content).__name__}")
