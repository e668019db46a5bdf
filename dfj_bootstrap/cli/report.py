"""What a command has to say: lines for people, data for scripts, and an exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfj_bootstrap.storage.ledger import Ledger, damaged_lines

if TYPE_CHECKING:
    from dfj_bootstrap.app.start import Outcome


@dataclass(frozen=True, slots=True)
class Report:
    """The end of a command."""

    lines: Sequence[str]
    data: Mapping[str, Any]
    exit_code: int = 0


def ending_line(run: Path, outcome: Outcome, units: str) -> str:
    """How a start ended, in a sentence; ``units``: what the job's items are called."""
    counts = outcome.figures[units]
    if failed := counts["failed"]:
        return f"{run}: {failed} {units} failed for technical reasons; run again to retry just those."
    if not outcome.complete:
        return f"{run}: the first {counts['total']} {units} are done; run again without --limit for the rest."
    return f"{run} is complete already: nothing to do." if outcome.already else f"{run} is complete."


def book_lines(ledger: Ledger, figures: Mapping[str, Any], tally: Mapping[str, float]) -> list[str]:
    """The books of a run as a few lines."""
    paid = [*_call_lines(figures), *_maybe_lines(figures), *_cost_lines(figures.get("costs", {}))]
    damage = _damage_lines(damaged_lines(tally))
    return [*ledger.lines(figures, tally), *paid, *_refusal_lines(figures), *damage]


def _call_lines(figures: Mapping[str, Any]) -> list[str]:
    calls, tokens = figures["calls"], figures["tokens"]
    if not calls["answered"]:
        return []
    cost = f", {money(figures['cost_usd'])}" if figures["cost_usd"] else ""
    return [
        f"calls        {calls['answered']} answered, {calls['replayed']} of them replayed, "
        f"{calls['retried']} network retries; {tokens['input']} tokens in "
        f"({tokens['cached']} cached), {tokens['output']} out{cost}"
    ]


def _maybe_lines(figures: Mapping[str, Any]) -> list[str]:
    """What is not certain: the cost of answers that told no tokens, and of attempts without an answer."""
    lines = [
        f"             models.{model}: {n} answers told no tokens; each counts at its worst case"
        for model, n in figures.get("estimated", {}).items()
    ]
    if figures.get("maybe_usd"):
        maybe = money(figures["maybe_usd"])
        lines.append(f"             {maybe} more may have been paid, for attempts without an answer")
    return lines


def _cost_lines(costs: Mapping[str, Mapping[str, float]]) -> list[str]:
    """What was spent by role and level, dearest role first; the evaluator is told no level."""
    dearest = sorted(costs, key=lambda role: -sum(costs[role].values()))
    return [f"  {role:<12}{money(sum(costs[role].values()))}{_by_level(costs[role])}" for role in dearest]


def _by_level(costs: Mapping[str, float]) -> str:
    levels = [f"level {level} {money(usd)}" for level, usd in sorted(costs.items()) if level != "any"]
    return f" ({', '.join(levels)})" if levels else ""


def _refusal_lines(figures: Mapping[str, Any]) -> list[str]:
    """Answers that were refused, by model, level and label: refusals must not bias a class in silence."""
    return [
        f"refusals     {model}: " + ", ".join(_refused(level, labels) for level, labels in levels.items())
        for model, levels in figures.get("refusals", {}).items()
    ]


def _refused(level: str, labels: Mapping[str, int]) -> str:
    what = "ratings" if level == "any" else f"of level {level}"
    listed = ", ".join(f"{n} {label}" for label, n in labels.items())
    return f"{sum(labels.values())} {what} ({listed})"


def _damage_lines(places: Sequence[str]) -> list[str]:
    """Damage of the journal: what it cost, and where a person may look at it."""
    if not places:
        return []
    shown = ", ".join(places[:5]) + (f" and {len(places) - 5} more" if len(places) > 5 else "")
    return [f"journal      {len(places)} damaged lines, whose answers were asked again: {shown}"]


def money(usd: float) -> str:
    """A sum of dollars: small ones to a hundredth of a cent."""
    return f"${usd:.4f}" if usd < 10 else f"${usd:,.2f}"
