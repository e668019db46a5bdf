"""What recorded answers add up to: calls, tokens and dollars, as the journal holds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.storage.journal import Scale

LOST = "lost:"
"""Begins the keys of facts that tell of attempts without an answer: what each may have cost, in USD."""

MAYBE_USD = "cost_maybe_usd"
"""Their sum in the books."""


def count_journalled(record: Mapping[str, Any], count: Callable[[str, float], None]) -> None:
    """Enter a record of the journal into the books, if it tells of something paid."""
    if "role" in record:
        count_record(record, count)
    elif record["key"].startswith(LOST):
        count(MAYBE_USD, record["value"])


def count_record(record: Mapping[str, Any], count: Callable[[str, float], None]) -> None:
    """Enter one answer, as the journal holds it, into the books.

    Besides ``calls.*``, ``tokens.*`` and ``cost_usd`` these are ``cost.ROLE.LEVEL`` and, for an answer that
    was refused, ``refused_by.MODEL.LEVEL.LABEL``, by the model's name in the configuration. The evaluator
    isn't told a level, and one rating may serve two of them: its level is ``any``. ``estimated.MODEL`` are
    answers that didn't tell what they took.
    """
    reply = record["value"]
    level = "any" if record["level"] is None else record["level"]
    count("calls.answered", 1)
    count("tokens.input", reply["input_tokens"])
    count("tokens.output", reply["output_tokens"])
    count("tokens.cached", reply["cached_tokens"])
    count("cost_usd", reply["cost_usd"])
    count("calls.retried", reply["attempts"] - 1)
    if reply["cost_usd"]:
        count(f"cost.{record['role']}.{level}", reply["cost_usd"])
    if reply.get("estimated"):
        count(f"estimated.{record['endpoint']}", 1)
    if reply["finish"] == Finish.REFUSED:
        count(f"refused_by.{record['endpoint']}.{level}.{record['label']}", 1)


SCALE = Scale(count_journalled, version=1)
"""What the answers in a journal add up to. The version changes with what is entered."""


def paid_figures(tally: Mapping[str, float]) -> dict[str, Any]:
    """The figures of ``dfj status`` that tell of calls, tokens and dollars; the same for every job."""
    return {
        "calls": {o: tally.get(f"calls.{o}", 0) for o in ("answered", "replayed", "retried")},
        "tokens": {o: tally.get(f"tokens.{o}", 0) for o in ("input", "output", "cached")},
        "cost_usd": round(float(tally.get("cost_usd", 0)), 6),
        "maybe_usd": round(float(tally.get(MAYBE_USD, 0)), 6),
        "estimated": {
            key.split(".", 1)[1]: int(n) for key, n in tally.items() if key.startswith("estimated.") and n
        },
        "costs": costs_by_level(tally),
        "refusals": refusals(tally),
    }


def costs_by_level(tally: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """USD by role and level; ``any`` where a role isn't told a level."""
    costs: dict[str, dict[str, float]] = {}
    for key in sorted(tally):
        if key.startswith("cost.") and round(tally[key], 6):
            _, role, level = key.split(".")
            costs.setdefault(role, {})[level] = round(float(tally[key]), 6)
    return costs


def refusals(tally: Mapping[str, float]) -> dict[str, dict[str, dict[str, int]]]:
    """Answers that were refused, by model, level (``any`` for a rating) and label."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for key in sorted(tally):
        if key.startswith("refused_by.") and tally[key]:
            _, named = key.split(".", 1)
            model, level, label = named.rsplit(".", 2)  # a model's name may hold dots
            found.setdefault(model, {}).setdefault(level, {})[label] = int(tally[key])
    return found
