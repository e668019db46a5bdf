"""What the wire formats have in common: tracing headers, the form of a reply, reading JSON."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson

from dfj_bootstrap.calls.call import Call

_SHORTEST_KEY = 8  # a placeholder such as "none" would be found in ordinary words


def tracing_headers(call: Call) -> dict[str, str]:
    """By which a gateway can route and account for a call; the evaluator's place has no level to tell."""
    headers = {
        "X-DFJ-Role": call.role,
        "X-DFJ-Seed": quote(call.place.seed_id, safe=""),
        "X-DFJ-Round": str(call.place.round_index),
    }
    if call.place.level is not None:
        headers["X-DFJ-Level"] = str(call.place.level)
    return headers


def reply_schema(call: Call) -> dict[str, Any]:
    """The JSON schema of the reply: an object of the call's fields, all of them, in order."""
    return {
        "type": "object",
        "properties": {name: dict(schema) for name, schema in call.fields.items()},
        "required": list(call.fields),
        "additionalProperties": False,
    }


def reply_form(call: Call) -> str:
    """The form of the reply in words, for a server that takes no schema."""
    tags = "\n".join(f"<{name}>…</{name}>" for name in call.fields)
    return f"Reply in exactly this form:\n{tags}"


def without_key(message: str, key: str) -> str:
    """A server's words without the key, which some servers repeat."""
    return message.replace(key, "[key]") if len(key) >= _SHORTEST_KEY else message


def scrubbed(body: bytes, key: str) -> bytes:
    """A response's body without the key, before any part of it is cut out of it."""
    return body.replace(key.encode(), b"[key]") if len(key) >= _SHORTEST_KEY else body


def loads(body: bytes | str) -> Any:
    """JSON as servers write it.

    Raises:
        ValueError: it is none.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(body)  # takes what orjson won't: lone surrogates, NaN
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None


_INVISIBLE = re.compile(r"(?is)<(script|style)\b.*?</\1\s*>|<[^>]*>")


def page_text(page: str) -> str:
    """What a web page says, which a proxy or firewall sends instead of an answer."""
    return " ".join(html.unescape(_INVISIBLE.sub(" ", page)).split())


def mapping(value: object) -> Mapping[str, Any]:
    """The JSON object that should stand there, else an empty one."""
    return value if isinstance(value, dict) else {}


def encodable(text: str) -> str:
    """The text without lone surrogates, which no file can hold."""
    return text.encode("utf-8", "ignore").decode("utf-8")
