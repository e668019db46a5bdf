"""Replies that a test orders by words: answers with odd usage or reasons to end, errors in any form.

The kinds are ``usage:FORM``, ``finish:REASON``, ``cut:REASON`` (a third of the text), ``body:JSON`` and
``page`` or ``json`` with a status: ``page:403``, ``json:401:{"error": …}``. Among rates, ``always:KIND`` is
what a share of the requests gets however often they come.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from dfj_bootstrap.endpoints.scripted.roles import draw

PAGE = (
    "<!DOCTYPE html><html><head><title>Blocked &amp; logged</title><style>p {color: red}</style></head>"
    "<body><p>The request could not be satisfied.</p></body></html>"
)

USAGES: Mapping[str, Callable[[int, int], dict[str, Any]]] = {
    "null": lambda into, out: {"usage": None},
    "missing": lambda into, out: {},
    "empty": lambda into, out: {"usage": {}},
    "zeros": lambda into, out: {"usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}},
    "negative": lambda into, out: {"usage": {"prompt_tokens": -1, "completion_tokens": -1}},
    "absurd": lambda into, out: {"usage": {"prompt_tokens": 1e300, "completion_tokens": 10**20}},
    "words": lambda into, out: {"usage": {"prompt_tokens": "many", "completion_tokens": [1]}},
    "strings": lambda into, out: {"usage": {"prompt_tokens": str(into), "completion_tokens": f"{out}.0"}},
    "floats": lambda into, out: {"usage": {"prompt_tokens": float(into), "completion_tokens": float(out)}},
    "input": lambda into, out: {"usage": {"prompt_tokens": into}},
    "anthropic": lambda into, out: {"usage": {"input_tokens": into, "output_tokens": out}},
    "gemini": lambda into, out: {"usageMetadata": {"promptTokenCount": into, "candidatesTokenCount": out}},
    "ollama": lambda into, out: {"prompt_eval_count": into, "eval_count": out},
    "snake": lambda into, out: {
        "usage_metadata": {"prompt_token_count": into, "candidates_token_count": out}
    },
    "total": lambda into, out: {"usage": {"prompt_tokens": into, "total_tokens": into + out}},
}  # fmt: skip
"""Forms of usage; the first seven tell nothing."""

UNREADABLE = tuple(USAGES)[:7]


def split_rates(rates: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """The kinds that stay with a request, and those that are drawn anew each time that it comes."""
    lasting = {k.removeprefix("always:"): rate for k, rate in rates.items() if k.startswith("always:")}
    return lasting, {kind: rate for kind, rate in rates.items() if not kind.startswith("always:")}


def lasting_kind(rates: Mapping[str, float], digest: str) -> str:
    """What a request gets whenever it comes; empty: nothing of its own."""
    chance = draw("always", digest)
    for kind, rate in rates.items():
        chance -= rate
        if chance < 0:
            return kind
    return ""


def odd_reply(kind: str, completion: Callable[[], dict[str, Any]]) -> web.Response | None:
    """The response of such a kind, ``None`` for any other; ``completion`` makes a good one."""
    name, _, order = kind.partition(":")
    if name == "page":
        return web.Response(status=int(order), text=PAGE, content_type="text/html")
    if name == "json":
        status, _, text = order.partition(":")
        return web.Response(status=int(status), text=text, content_type="application/json")
    if name == "body":
        return web.Response(text=order, content_type="application/json")
    if name not in ("usage", "finish", "cut"):
        return None
    good = completion()
    if name == "usage":
        usage = good.pop("usage")
        return web.json_response(good | USAGES[order](usage["prompt_tokens"], usage["completion_tokens"]))
    choice = good["choices"][0]
    choice["finish_reason"] = json.loads(order) if order == "null" else order
    if name == "cut":
        text = choice["message"]["content"]
        choice["message"]["content"] = text[: len(text) // 3]
    return web.json_response(good)
