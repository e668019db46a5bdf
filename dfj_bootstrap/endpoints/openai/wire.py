"""The chat completions wire format, without a network: request bodies, answers, refusals and waits.

Servers that call themselves compatible differ. What differs is a ``Dialect``: found out from a server's
own refusal, once per endpoint, and no part of a call's key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from dfj_bootstrap.calls.call import IMAGE, Call, Reply
from dfj_bootstrap.calls.usage import Metered
from dfj_bootstrap.config.models import OpenAIModel
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.endpoints.embedded import error_in, message_of, named_error, status_of
from dfj_bootstrap.endpoints.finishes import filtered_for, finish_of, is_filter
from dfj_bootstrap.endpoints.usage import read_usage
from dfj_bootstrap.endpoints.wire import encodable, loads, mapping, page_text, reply_form, reply_schema
from dfj_bootstrap.limits.broken import Broken

_SPENT_WORDS = (
    "insufficient quota",
    "insufficient balance",
    "insufficient credit",
    "credit balance is too low",
    "billing hard limit",
    "payment required",
    "arrearage",
)
_REASONS = ("finish_reason", "native_finish_reason")
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
    """A refusal, as the server words it; ``code`` and ``parameter`` in lower case, empty where not given.

    ``page``: it came as a web page, so from something that stands before the server.
    """

    status: int
    code: str
    parameter: str
    message: str
    page: bool = False


def request_body(call: Call, config: OpenAIModel, dialect: Dialect, data_url: str | None) -> bytes:
    """The request as JSON. Without schema mode the form of the reply is asked for in words, at the end.

    A call without fields asks for no form at all: its prompt does, or the model was trained on one.

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
    if dialect.schema and call.fields:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {
                "name": f"{call.role}_reply",
                "strict": True,
                "schema": reply_schema(call),
            },
        }
    return orjson.dumps(body)


def read_answer(call: Call, body: bytes) -> Metered | Problem:
    """The reply in a chat completion, or the problem that stands there instead.

    An answer that a filter stopped is ``REFUSED``, with what the filter says; one that was paid for and holds
    nothing is ``INCOMPLETE``.

    Raises:
        Broken: the body is no chat completion.
    """
    try:
        completion = loads(body)
    except ValueError:
        completion = None
    if not isinstance(completion, dict):
        raise Broken("the server's answer is no chat completion")
    choices = completion.get("choices")
    choice = mapping(choices[0]) if isinstance(choices, list) and choices else {}
    message = mapping(choice.get("message"))
    text, refusal = _text(message.get("content")), _refusal(message)
    error = error_in(completion, "choices", choice, said=bool(text))
    if error is not None:
        return _problem(status_of(error), error)
    usage = read_usage(completion, text or refusal)
    verdict = "" if text or refusal else _verdict(completion, choice)
    if not (message or verdict or usage.is_told):
        raise Broken("the server's answer is no chat completion")
    reply = Reply(
        text=encodable(refusal or text or verdict),
        finish=Finish.REFUSED
        if refusal or verdict
        else _finish(choice, text)
        if message
        else Finish.INCOMPLETE,
        model=encodable(str(completion.get("model") or call.model)),
        logprobs=_logprobs(choice.get("logprobs")) if call.logprobs else (),
    )
    return Metered.of(reply, usage)


def read_problem(status: int, body: bytes) -> Problem:
    """What an error body says, in whichever of the usual forms."""
    try:
        parsed = loads(body)
    except ValueError:
        said = body.decode("utf-8", "replace")
        page = said.lstrip().startswith("<")
        return Problem(status, "", "", (page_text(said) if page else " ".join(said.split()))[:300], page)
    return _problem(status, named_error(mapping(parsed)) or parsed)


def _problem(status: int, error: object) -> Problem:
    fields = mapping(error)
    message = message_of(fields) or (error if isinstance(error, str) else "")
    code = fields.get("code") or fields.get("type") or ""
    text = " ".join(encodable(str(message or json.dumps(error))).split())
    return Problem(status, str(code).lower(), str(fields.get("param") or "").lower(), text[:300])


def is_out_of_quota(problem: Problem) -> bool:
    """Whether waiting won't help, since nothing is left to spend."""
    words = f"{problem.code} {problem.message}".lower().replace("_", " ")
    return problem.status == 402 or (problem.status < 500 and any(spent in words for spent in _SPENT_WORDS))


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
    if call.fields and not dialect.schema:
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


def _verdict(completion: Mapping[str, Any], choice: Mapping[str, Any]) -> str:
    """What a filter says of an answer without a text; empty where none stopped it."""
    reason = next((choice[name] for name in _REASONS if is_filter(choice.get(name))), None)
    told = filtered_for(completion) or filtered_for(choice)
    return told or (f"the answer was blocked: {reason}" if reason else "")


def _finish(choice: Mapping[str, Any], text: str) -> Finish:
    if any(is_filter(choice.get(name)) for name in _REASONS):
        return Finish.REFUSED
    return finish_of(choice.get("finish_reason"), text)


def _refusal(message: Mapping[str, Any]) -> str:
    """A refusal in words: of the message, or among the parts of its content."""
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return _text(message.get("refusal")) or "".join(_text(mapping(part).get("refusal")) for part in parts)


def _text(content: object) -> str:
    """A message's content: a string, a list of parts, or nothing that can be read."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_text(mapping(part).get("text")) for part in content)
    return ""
