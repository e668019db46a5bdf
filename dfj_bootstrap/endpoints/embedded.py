"""Errors that come as a 200: found in the body, and given the HTTP status that they should have had.

Gateways that have sent their headers already, and servers that know no statuses, put the error where the
answer should be: ``{"error": …}``, ``{"code", "message"}``, ``{"detail"}``, an ``error`` within a choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dfj_bootstrap.endpoints.wire import mapping

UNKNOWN = 500
"""The status of an error that says nothing of its kind: a further attempt may mend it."""

_FINE = ("", "0", "200", "ok", "success", "none", "true")

_BY_WORDS = (
    (402, "insufficient_quota insufficient_balance insufficient_credit billing payment arrear"),
    (429, "rate_limit ratelimit too_many_requests resource_exhausted throttl"),
    (401, "api_key apikey unauthorized unauthorised unauthenticated authentication invalid_token"),
    (403, "permission_denied forbidden access_denied"),
    (404, "not_found notfound"),
    (503, "overload unavailable timeout timed_out deadline capacity internal server_error"),
    (400, "content_filter content_policy moderation inspection invalid bad_request unsupported 敏感"),
)
"""Status → what the codes of its errors hold, the most telling first."""


def error_in(body: Mapping[str, Any], answers: str, first: Mapping[str, Any], *, said: bool) -> object | None:
    """The error that stands in a body instead of an answer, ``None`` where there is none.

    Args:
        answers: the name under which the answers stand, ``choices`` or ``candidates``.
        first: the first of them.
        said: whether that holds a text.
    """
    if first.get("error"):
        return first["error"]  # type: ignore[no-any-return]
    if said:
        return None
    error = named_error(body)
    if error:
        return error
    if body.get(answers):
        return None
    if mapping(body.get("base_resp")).get("status_code"):
        return body["base_resp"]  # type: ignore[no-any-return]
    words = list(_words(body))
    fine = bool(words) and all(word in _FINE for word in words)
    return body if message_of(body) and not fine else None


def named_error(body: Mapping[str, Any]) -> object:
    """What stands under ``error`` or ``errors``, the body itself where that only says that it is one."""
    errors = body.get("errors")
    error = body.get("error") or (errors[0] if isinstance(errors, list) and errors else errors)
    inner = mapping(error).get("error")
    return body if error is True else inner or error


def status_of(error: object) -> int:
    """The HTTP status that an error stands for: its number, else by the words of its code or of itself."""
    fields = mapping(error)
    words = list(_words(fields))
    for word in words:
        if word.isdecimal() and 400 <= int(word) <= 599:
            return int(word)
    said = str(error) if isinstance(error, str) else message_of(fields)
    for word in [*words, said.lower().replace(" ", "_")]:
        for status, known in _BY_WORDS:
            if any(each in word for each in known.split()):
                return status
    return UNKNOWN


def message_of(fields: Mapping[str, Any]) -> str:
    """What an error's fields say, by whichever name."""
    names = (
        "message",
        "msg",
        "detail",
        "error_message",
        "error_msg",
        "status_msg",
        "error_description",
        "title",
    )
    said = next((fields[name] for name in names if fields.get(name)), "")
    raw = mapping(fields.get("metadata")).get("raw")  # a gateway repeats what its provider said
    return f"{said}: {raw}" if said and isinstance(raw, str) and raw else str(said)


def _words(fields: Mapping[str, Any]) -> Iterator[str]:
    for name in ("code", "status_code", "status", "error_code", "type", "statusCode"):
        value = fields.get(name)
        if isinstance(value, str | int | float):
            yield str(value).strip().lower().removesuffix(".0").replace(" ", "_").replace("-", "_")
