"""What the scripted server puts on the wire: chat completions and errors, as real servers word them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from aiohttp import web

from dfj_bootstrap.endpoints.scripted.replay import Recorded
from dfj_bootstrap.endpoints.scripted.roles import answer

ANSWERED = frozenset({"answer", "garbage", "refusal", "content_filter", "cut_off", "empty"})
"""The kinds that are paid answers; all others are faults of transport or refusals of the request."""


def _error(status: int, message: str, **more: str) -> tuple[int, Any]:
    return status, {"error": {"message": message, **more}}


_ERRORS: Mapping[str, tuple[int, Any]] = {
    "429": _error(429, "slow down", code="rate_limit_exceeded"),
    "500": _error(500, "internal error"),
    "500_echo": _error(500, "upstream broke; your headers: {headers}"),
    "503": (503, "upstream gone"),
    "quota": _error(429, "You exceeded your current quota.", code="insufficient_quota"),
    "401": _error(401, "Incorrect API key provided: {key}", code="invalid_api_key"),
    "403": _error(403, "no access to this model"),
    "404": _error(404, "The model does not exist", code="model_not_found"),
    "400": _error(400, "image too odd", code="invalid_image"),
    "400_echo": _error(400, "not understood; your headers: {headers}"),
    "policy": _error(400, "Your input was filtered", code="content_filter"),
    "policy_echo": _error(400, "filtered; your headers: {headers}", code="content_filter"),
    "temperature": _error(400, "'temperature' must be 1", code="unsupported_value", param="temperature"),
    "no_logprobs": _error(403, "You are not allowed to request logprobs from this model"),
    "no_schema": _error(400, "response_format json_schema is not supported"),
    "no_max_tokens": _error(
        400,
        "'max_tokens' is not supported, use 'max_completion_tokens' instead",
        code="unsupported_parameter",
        param="max_tokens",
    ),
}


def error_response(kind: str, headers: Mapping[str, str], retry_after: str) -> web.Response | None:
    """The response of a fault that has a body, ``None`` where ``kind`` is something else.

    Args:
        headers: of the request, which some servers repeat in what they say.
        retry_after: the header of a 429; empty: none.
    """
    if kind == "garbage_body":
        return web.Response(text='{"choices": [', content_type="application/json")
    if kind not in _ERRORS:
        return None
    status, content = _ERRORS[kind]
    key = headers.get("Authorization", "").removeprefix("Bearer ")
    text = content if isinstance(content, str) else json.dumps(content)
    text = text.replace("{key}", key).replace("{headers}", f"Authorization: Bearer {key}")
    return web.Response(
        status=status,
        text=text,
        headers={"Retry-After": retry_after} if status == 429 and retry_after else {},
        content_type="application/json",
    )


def completion(
    kind: str, role: str, body: Mapping[str, Any], off_level: float, recorded: Recorded | None = None
) -> dict[str, Any]:
    """The chat completion for a request: JSON where a schema was asked for, else tagged text.

    Args:
        recorded: what to say instead of something invented.
    """
    prompt = texts(body)
    digest = blake2b(f"{role}\0{body['model']}\0{prompt}".encode(), digest_size=16).hexdigest()
    if recorded is not None and kind == "answer":
        text, choice = recorded.answer, _recorded(recorded)
    else:
        text = _invented(role, prompt, digest, off_level, body)
        choice = _choice(kind, text)
    if body.get("logprobs"):
        choice["logprobs"] = {"content": [{"token": word, "logprob": -0.5} for word in text.split()]}
    return {
        "id": f"chatcmpl-{digest[:12]}",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [choice],
        "usage": {
            "prompt_tokens": len(prompt) // 4,
            "completion_tokens": len(text) // 4,
            "total_tokens": len(prompt) // 4 + len(text) // 4,
            "prompt_tokens_details": {"cached_tokens": 16},
        },
    }


def texts(body: Mapping[str, Any]) -> str:
    """All text of a request, without pictures."""
    found = []
    for message in body["messages"]:
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        found += [part["text"] for part in parts if part["type"] == "text"]
    return "\n".join(found)


def role_of(headers: Mapping[str, str], body: Mapping[str, Any]) -> str:
    """From the tracing header, else from the schema's name."""
    role = headers.get("X-DFJ-Role")
    if role:
        return role
    name = body.get("response_format", {}).get("json_schema", {}).get("name", "")
    return str(name).removesuffix("_reply") or "generator"


def _invented(role: str, prompt: str, digest: str, off_level: float, body: Mapping[str, Any]) -> str:
    fields = answer(role, prompt, digest, off_level)
    if "response_format" in body:
        return json.dumps(fields)
    said = {name: json.dumps(value) if isinstance(value, list) else value for name, value in fields.items()}
    return "\n".join(f"<{name}>{value}</{name}>" for name, value in said.items())


def _recorded(recorded: Recorded) -> dict[str, Any]:
    refused = recorded.finish == "refused"
    message = {"role": "assistant", "content": None if refused else recorded.answer}
    if refused:
        message["refusal"] = recorded.answer
    finish = _REASONS.get(recorded.finish, "stop")
    return {"index": 0, "message": message, "finish_reason": finish}


_REASONS = {"length": "length", "incomplete": "error", "untold": None}
"""How answers that were not complete ended, as a server says it."""


def _choice(kind: str, text: str) -> dict[str, Any]:
    """The message of a paid answer of this kind, and why it ended."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    finish = "stop"
    if kind == "garbage":
        message["content"] = "I would say four out of five, roughly."
    elif kind == "empty":
        message["content"] = ""
    elif kind == "cut_off":
        message["content"], finish = text[: len(text) // 3], "length"
    elif kind == "refusal":
        message.update(content=None, refusal="I can't help with that.")
    elif kind == "content_filter":
        message["content"], finish = "", "content_filter"
    return {"index": 0, "message": message, "finish_reason": finish}
