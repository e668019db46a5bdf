"""How many tokens a server says that an answer took, in the spellings that servers use.

Invariants: nothing is guessed. What isn't a plausible number counts as not said, and so does a zero that
can't be true: no question has no tokens. Whoever pays then goes by the need.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dfj_bootstrap.calls.usage import Usage
from dfj_bootstrap.endpoints.wire import mapping

_MOST = 10**8
"""Tokens of one answer; what is more is a server's fault, not a count."""

_BLOCKS = ("usage", "usagemetadata", "tokenusage")
_INPUT = ("prompttokens", "inputtokens", "prompttokencount", "inputtokencount", "promptevalcount")
_OUTPUT = (
    "completiontokens", "outputtokens", "candidatestokencount", "completiontokencount", "outputtokencount",
    "responsetokencount", "generatedtokens", "evalcount",
)  # fmt: skip
_TOTAL = ("totaltokens", "totaltokencount")
_THOUGHTS = ("thoughtstokencount",)
_CACHED = (
    "cachedtokens", "cachedcontenttokencount", "prompttokenscached", "promptcachehittokens",
    "cachereadinputtokens", "cachereadtokens", "cachedinputtokens",
)  # fmt: skip
_ON_TOP = ("cachereadinputtokens", "cachecreationinputtokens", "cachewriteinputtokens")
"""Beside a count of ``input_tokens`` these are not in it; beside ``prompt_tokens`` they are."""


def read_usage(body: Mapping[str, Any], text: str) -> Usage:
    """The usage in an answer's body.

    Args:
        text: what the model said; it took tokens.
    """
    told = _block(body)
    input_, output, total = (_first(told, names) for names in (_INPUT, _OUTPUT, _TOTAL))
    usage = Usage(_with_extra_input(told, input_), _with_thoughts(told, output))
    usage = _completed(usage, total)
    if usage.output == 0 and text:
        usage = replace(usage, output=None)
    cached = _first(told, _CACHED) or _first(_details(told, "prompt", "input"), _CACHED) or 0
    return replace(usage, input=usage.input or None, cached=cached)


def count(value: object) -> int | None:
    """A number of tokens, also in words or as a float; ``None`` where it is none."""
    if type(value) is int:
        return value if 0 <= value <= _MOST else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value.replace(",", "") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return math.ceil(number) if 0 <= number <= _MOST else None


def _block(body: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a body that tells the usage, else the body itself; names without case and underscores."""
    folded = _folded(body)
    found = next((mapping(folded[name]) for name in _BLOCKS if mapping(folded.get(name))), None)
    if found is None:
        found = mapping(mapping(body.get("x_groq")).get("usage"))
    return _folded(found or body)


def _folded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name).replace("_", "").lower(): value for name, value in values.items()}


def _first(told: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """The first of several names that holds a count; one that isn't zero wins."""
    zero = None
    for name in names:
        number = count(told[name]) if name in told else None
        if number:
            return number
        zero = number if zero is None else zero
    return zero


def _details(told: Mapping[str, Any], *whose: str) -> dict[str, Any]:
    """What stands below ``prompt_tokens_details`` and the like."""
    return {
        name: value
        for each in whose
        for name, value in _folded(mapping(told.get(f"{each}tokensdetails"))).items()
    }


def _with_extra_input(told: Mapping[str, Any], input_: int | None) -> int | None:
    if input_ is None or count(told.get("inputtokens")) is None or "prompttokens" in told:
        return input_
    return input_ + sum(count(told.get(name)) or 0 for name in _ON_TOP)


def _with_thoughts(told: Mapping[str, Any], output: int | None) -> int | None:
    """Thoughts are paid as output: counted beside it, or within it unless there are more of them."""
    beside = _first(told, _THOUGHTS)
    if beside is not None:
        return beside + (output or 0)
    within = count(_details(told, "completion", "output").get("reasoningtokens")) or 0
    return output + within if output is not None and within > output else output


def _completed(usage: Usage, total: int | None) -> Usage:
    """By the total: the half that isn't said, and thoughts, which some count in the total alone."""
    if total is None:
        return usage
    if usage.input is not None and total >= usage.input + (usage.output or 0):
        return replace(usage, output=total - usage.input)
    if usage.input is None and usage.output is not None and total > usage.output:
        return replace(usage, input=total - usage.output)
    return usage
