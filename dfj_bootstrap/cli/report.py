"""What a command has to say: lines for people, data for scripts, and an exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfj_bootstrap.domain.rationale import LEVELS
from dfj_bootstrap.runs.tally import damaged_lines


@dataclass(frozen=True, slots=True)
class Report:
    """The end of a command."""

    lines: Sequence[str]
    data: Mapping[str, Any]
    exit_code: int = 0


def book_lines(books: Mapping[str, Any], tally: Mapping[str, float]) -> list[str]:
    """The books of a run as a few lines."""
    seeds, briefs, words = books["seeds"], books["trajectories"], books["paraphrases"]
    lines = [
        f"seeds        {seeds['total']} read: {seeds['complete']} complete, "
        f"{seeds['incomplete']} incomplete, {seeds['failed']} failed, {seeds['pending']} pending; "
        f"{seeds['refused']} rows refused",
        f"trajectories {briefs['accepted']} accepted, {briefs['rejected']} rejected, "
        f"{briefs['failed']} failed, {briefs['pending']} pending",
        *_level_lines(tally),
        f"paraphrases  {words['accepted']} accepted, {words['rejected']} tries rejected",
    ]
    lines += _reason_line("rejected", "trajectories were rejected for", tally)
    lines += _reason_line("paraphrase_rejected", "paraphrase tries were rejected for", tally)
    if tally.get("gold_low"):
        lines.append(
            f"gold         {int(tally['gold_low'])} gold rationales were rated below 5: "
            "gold_low in tables/trajectories"
        )
    paid = [*_call_lines(books), *_maybe_lines(books), *_cost_lines(books.get("costs", {}))]
    return [*lines, *paid, *_refusal_lines(books), *_damage_lines(damaged_lines(tally))]


def _level_lines(tally: Mapping[str, float]) -> list[str]:
    lines = []
    for level in LEVELS:
        accepted, rejected = (int(tally.get(f"level.{level}.{o}", 0)) for o in ("accepted", "rejected"))
        done = accepted + rejected
        if done:
            rounds = tally.get(f"level.{level}.rounds", 0) / done
            lines.append(
                f"  level {level}    {accepted} accepted, {rejected} rejected, {rounds:.2f} rounds on average"
            )
    return lines


def _reason_line(kind: str, words: str, tally: Mapping[str, float]) -> list[str]:
    reasons = {k.split(".", 1)[1]: int(v) for k, v in tally.items() if k.startswith(f"{kind}.") and v}
    if not reasons:
        return []
    listed = ", ".join(f"{reason} ({n})" for reason, n in sorted(reasons.items(), key=lambda r: -r[1]))
    return [f"             {words} {listed}"]


def _call_lines(books: Mapping[str, Any]) -> list[str]:
    calls, tokens = books["calls"], books["tokens"]
    if not calls["answered"]:
        return []
    cost = f", {money(books['cost_usd'])}" if books["cost_usd"] else ""
    return [
        f"calls        {calls['answered']} answered, {calls['replayed']} of them replayed, "
        f"{calls['retried']} network retries; {tokens['input']} tokens in "
        f"({tokens['cached']} cached), {tokens['output']} out{cost}"
    ]


def _maybe_lines(books: Mapping[str, Any]) -> list[str]:
    """What is not certain: the cost of answers that told no tokens, and of attempts without an answer."""
    lines = [
        f"             models.{model}: {n} answers told no tokens; each counts at its worst case"
        for model, n in books.get("estimated", {}).items()
    ]
    if books.get("maybe_usd"):
        maybe = money(books["maybe_usd"])
        lines.append(f"             {maybe} more may have been paid, for attempts without an answer")
    return lines


def _cost_lines(costs: Mapping[str, Mapping[str, float]]) -> list[str]:
    """What was spent by role and level, dearest role first; the evaluator is told no level."""
    dearest = sorted(costs, key=lambda role: -sum(costs[role].values()))
    return [f"  {role:<12}{money(sum(costs[role].values()))}{_by_level(costs[role])}" for role in dearest]


def _by_level(costs: Mapping[str, float]) -> str:
    levels = [f"level {level} {money(usd)}" for level, usd in sorted(costs.items()) if level != "any"]
    return f" ({', '.join(levels)})" if levels else ""


def _refusal_lines(books: Mapping[str, Any]) -> list[str]:
    """Answers that were refused, by model, level and label: refusals must not bias a class in silence."""
    return [
        f"refusals     {model}: " + ", ".join(_refused(level, labels) for level, labels in levels.items())
        for model, levels in books.get("refusals", {}).items()
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
