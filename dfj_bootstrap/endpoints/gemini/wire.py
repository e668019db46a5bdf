"""Gemini's ``generateContent`` wire format, without a network: request bodies, answers, refusals and waits.

Thinking is paid as output and counts against ``maxOutputTokens``, so room for it is asked for on top of what
the answer may have. What a model doesn't take (a schema, so much room) is found out from its own refusal,
once per endpoint, as a ``Dialect``; it is no part of a call's key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dfj_bootstrap.calls.call import IMAGE, Call, Reply
from dfj_bootstrap.calls.usage import Metered
from dfj_bootstrap.config.models import GeminiModel
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.endpoints.embedded import error_in, message_of, status_of
from dfj_bootstrap.endpoints.finishes import categories, filtered_for, finish_of, is_filter
from dfj_bootstrap.endpoints.usage import read_usage
from dfj_bootstrap.endpoints.wire import encodable, loads, mapping, page_text, reply_form, reply_schema
from dfj_bootstrap.limits.broken import Broken

_CATEGORIES = ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")
_SCHEMA_WORDS = ("json mode", "response_schema", "responseschema", "json_schema", "jsonschema")
_SPENT_WORDS = ("credits are depleted", "credit balance", "spending cap", "limit: 0,")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a model takes: a schema for its reply, a token limit with room for thinking, log-probabilities."""

    schema: bool = True
    room: bool = True
    logprobs: bool = True

    def __str__(self) -> str:
        """For the log."""
        form = "a JSON schema" if self.schema else "tagged text without a JSON schema"
        room = "" if self.room else ", no room for thinking"
        return form + room + ("" if self.logprobs else ", no log-probabilities")


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal, as the server words it.

    Attributes:
        status: the HTTP status.
        state: Google's name of it, e.g. ``RESOURCE_EXHAUSTED``; empty where not given.
        reason: of its ``ErrorInfo``, e.g. ``API_KEY_INVALID``.
        quotas: the ids of the quotas that were passed.
        wait_s: seconds to wait, of its ``RetryInfo``.
        page: it came as a web page, so from something that stands before the server.
    """

    status: int
    state: str
    reason: str
    message: str
    quotas: tuple[str, ...] = ()
    wait_s: float | None = None
    page: bool = False


def request_body(call: Call, config: GeminiModel, dialect: Dialect, data_url: str | None) -> dict[str, Any]:
    """The request as a JSON object: one user turn, the call's parts in their order; no form without fields.

    Args:
        data_url: the picture as ``data:TYPE;base64,DATA``; its DATA is sent as it is.
    """
    generation: dict[str, Any] = {
        "temperature": call.temperature,
        "maxOutputTokens": call.max_tokens + (config.most_thinking if dialect.room else 0),
    }
    if call.rng_seed is not None:
        generation["seed"] = call.rng_seed
    if call.logprobs and dialect.logprobs:
        generation["responseLogprobs"] = True
    if dialect.schema and call.fields:
        schema = reply_schema(call) | {"propertyOrdering": list(call.fields)}
        generation |= {"responseMimeType": "application/json", "responseJsonSchema": schema}
    if config.thinking_level is not None:  # beside a budget Google refuses it
        generation["thinkingConfig"] = {"thinkingLevel": config.thinking_level.upper()}
    elif config.thinking_budget is not None:
        generation["thinkingConfig"] = {"thinkingBudget": config.thinking_budget}
    body = {
        "contents": [{"role": "user", "parts": list(_parts(call, dialect, data_url))}],
        "generationConfig": generation,
    }
    if config.safety is not None:
        body["safetySettings"] = [
            {"category": f"HARM_CATEGORY_{category}", "threshold": config.safety} for category in _CATEGORIES
        ]
    return body


def read_answer(call: Call, body: str) -> Metered | Problem:
    """The reply in a response, or the problem that stands there instead.

    An answer or a prompt that a filter blocked is ``REFUSED``, with the reason; one that was paid for and
    holds nothing is ``INCOMPLETE``.

    Raises:
        Broken: the body is no such response, or holds neither a candidate nor why there is none.
    """
    try:
        response = loads(body)
    except ValueError:
        response = None
    if not isinstance(response, dict):
        raise Broken("the server's answer is no generateContent response")
    candidate = _candidate(response)
    own = _text(candidate)
    error = error_in(response, "candidates", candidate, said=bool(own))
    if error is not None:
        return read_problem(status_of(error), error)
    usage = read_usage(response, own)
    text, finish = _said(response, candidate, own)
    if not candidate and finish is Finish.INCOMPLETE and not usage.is_told:
        raise Broken("the server's answer holds no candidate")
    reply = Reply(
        text=encodable(text),
        finish=finish,
        model=encodable(str(response.get("modelVersion") or call.model)),
        logprobs=_logprobs(candidate) if call.logprobs else (),
    )
    return Metered.of(reply, usage)


def read_problem(status: int, body: object) -> Problem:
    """What an error body, parsed, says."""
    raw = mapping(body).get("error", body)
    error = mapping(raw)
    details = error.get("details")
    found = [mapping(detail) for detail in details] if isinstance(details, list) else []
    kinds = {str(detail.get("@type", "")).rpartition(".")[2]: detail for detail in found}
    violations = kinds.get("QuotaFailure", {}).get("violations")
    quotas = [mapping(each).get("quotaId") for each in violations] if isinstance(violations, list) else []
    message = message_of(error) or (raw if isinstance(raw, str) else "")
    page = message.lstrip().startswith("<")
    said = page_text(message) if page else message
    return Problem(
        status,
        str(error.get("status") or ""),
        str(kinds.get("ErrorInfo", {}).get("reason") or ""),
        " ".join(encodable(said).split())[:300],
        tuple(str(quota) for quota in quotas),
        _seconds(kinds.get("RetryInfo", {}).get("retryDelay")),
        page,
    )


def is_out_of_quota(problem: Problem) -> bool:
    """Whether waiting for minutes won't help: a daily quota, a quota of none, or no credit is left."""
    words = problem.message.lower()
    return problem.status == 402 or (
        problem.status == 429
        and (
            any("perday" in quota.lower() for quota in problem.quotas)
            or any(word in words for word in _SPENT_WORDS)
        )
    )


def advice(problem: Problem, model: str, key_name: str) -> str:
    """What a person can do about a refusal that every call would meet; empty for others."""
    words = problem.message.lower()
    if is_out_of_quota(problem):
        return (
            "the quota or credit is used up; daily quotas renew at midnight Pacific time: run again then, "
            "raise the quota or use another model"
        )
    if problem.status == 401 or problem.reason == "API_KEY_INVALID" or "api key not valid" in words:
        return f"the server refused the key; put a valid one into {key_name}"
    if problem.status == 403:
        return f"the key in {key_name} may not use {model}; ask for access or use another key or model"
    if problem.status == 404:
        return f"no {model} there; check `model` and `base_url`"
    if problem.status == 400 and problem.state == "FAILED_PRECONDITION":
        return "the account may not use the API from here; do what the server says"
    if problem.status == 400 and "thinking" in words:
        return f"{model} can't be used with this `thinking_budget` or `thinking_level`; change it"
    return ""


def adapted(dialect: Dialect, problem: Problem) -> Dialect | None:
    """The dialect to try instead, where the server's refusal names what it doesn't take; else ``None``."""
    words = problem.message.lower()
    if problem.status != 400:
        return None
    about_schema = any(word in words for word in _SCHEMA_WORDS) or ("mime" in words and "json" in words)
    if dialect.schema and about_schema:
        return replace(dialect, schema=False)
    if dialect.room and ("maxoutputtokens" in words or "max_output_tokens" in words):
        return replace(dialect, room=False)
    if dialect.logprobs and "logprobs" in words:
        return replace(dialect, logprobs=False)
    return None


def _parts(call: Call, dialect: Dialect, data_url: str | None) -> Iterator[dict[str, Any]]:
    for part in call.parts:
        if part != IMAGE:
            yield {"text": part}
        elif data_url is not None:
            head, _, data = data_url.partition(",")
            mime_type = head.removeprefix("data:").removesuffix(";base64")
            yield {"inlineData": {"mimeType": mime_type, "data": data}}
    if call.fields and not dialect.schema:
        yield {"text": reply_form(call)}


def _candidate(response: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first candidate, empty where there is none."""
    candidates = response.get("candidates")
    return mapping(candidates[0]) if isinstance(candidates, list) and candidates else {}


def _said(response: Mapping[str, Any], candidate: Mapping[str, Any], own: str) -> tuple[str, Finish]:
    """The text and how it ended; for a filter, what the filter says."""
    blocked = "" if own else filtered_for(response)
    if blocked:
        return blocked, Finish.REFUSED
    reason = candidate.get("finishReason")
    if is_filter(reason):
        return _told(reason, candidate), Finish.REFUSED
    return own, finish_of(reason, own) if candidate else Finish.INCOMPLETE


def _told(reason: object, candidate: Mapping[str, Any]) -> str:
    """A filter's verdict in one line: the reason, its own words, and the categories that it blocked for."""
    words = [candidate.get("finishMessage"), *categories(candidate)]
    return "; ".join([f"the answer was blocked: {reason}", *(str(word) for word in words if word)])


def _text(candidate: Mapping[str, Any]) -> str:
    """The text of all parts that are no thoughts."""
    parts = mapping(candidate.get("content")).get("parts")
    said = [mapping(part) for part in parts] if isinstance(parts, list) else []
    return "".join(str(part.get("text") or "") for part in said if not part.get("thought"))


def _logprobs(candidate: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    """Each token that was chosen, with its log-probability; nothing where none were given."""
    chosen = mapping(candidate.get("logprobsResult")).get("chosenCandidates")
    tokens = [mapping(token) for token in chosen] if isinstance(chosen, list) else []
    found = ((token.get("token"), token.get("logProbability")) for token in tokens)
    return tuple(
        (encodable(token), float(value))
        for token, value in found
        if isinstance(token, str) and isinstance(value, int | float)
    )


def _seconds(duration: object) -> float | None:
    """Google's form of a duration, ``34.074s``."""
    match = _DURATION.fullmatch(duration) if isinstance(duration, str) else None
    return float(match[1]) if match else None
