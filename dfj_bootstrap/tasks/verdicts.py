"""Answers of a judge → what ``predictions.jsonl`` says of a row. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from dfj_bootstrap.prompting.matching import KINDS, Matching
from dfj_bootstrap.tasks.predictions import Answer

_MIRRORED = {"A": "B", "B": "A"}
_WORST_FIRST = ("failed", "refused", "unparsable", "ok")

Verdict = dict[str, Any]


def scored(said: Sequence[Answer[int]]) -> Verdict:
    """One text's score."""
    (only,) = said
    return {"status": only.status, "score": only.value, **_words(only)}


def preferred(said: Sequence[Answer[int]]) -> Verdict:
    """A choice between two texts that were scored one by one; equal scores are a tie."""
    worst = min(said, key=lambda each: _WORST_FIRST.index(each.status))
    a, b = (each.value for each in said)
    answer = None if a is None or b is None else "tie" if a == b else "A" if a > b else "B"
    texts = {
        name: "\n\n".join(f"{side}: {text}" for side, text in zip("AB", both, strict=True) if text) or None
        for name, both in (
            ("reasoning", [each.reasoning for each in said]),
            ("raw", [each.raw for each in said]),
        )
    }
    why = {"why": worst.why} if worst.why else {}
    return {"status": worst.status, "answer": answer, "score_a": a, "score_b": b, **texts, **why}


def chosen(said: Sequence[Answer[str]]) -> Verdict:
    """A choice between two texts, which a second answer, of the other order, may or may not bear out.

    The row is what its first answer is, unless the second failed for technical reasons: then it is to be
    asked again.
    """
    first, *rest = said
    verdict: Verdict = {"status": first.status, "answer": first.value}
    for second in rest:
        verdict |= {
            "answer_swapped": second.value,
            "consistent": first.value is not None and first.value == _mirrored(second.value),
            "status_swapped": second.status,
            "raw_swapped": second.raw,
        }
        if second.status == "failed":
            return {**verdict, "status": "failed", **_words(first), "why": second.why}
    return {**verdict, **_words(first)}


def matched(said: Sequence[Answer[Matching]]) -> Verdict:
    """Of each claim and entity of a reference and a candidate, whether the other text has it too."""
    (only,) = said
    found = {kind: asdict(only.value[kind]) if only.value else None for kind in KINDS}
    why = {"why": only.why} if only.why else {}
    return {"status": only.status, **found, "raw": only.raw, **why}


def _words(answer: Answer[Any]) -> Verdict:
    why = {"why": answer.why} if answer.why else {}
    return {"reasoning": answer.reasoning, "raw": answer.raw, **why}


def _mirrored(choice: str | None) -> str | None:
    """A choice of the other order, in the words of this one."""
    return choice if choice is None else _MIRRORED.get(choice, choice)
