"""What a row says beside its prediction: which picture, which texts, and what would be right.

Rows come as ``dfj judge`` and ``dfj detect`` leave them, unchanged, so in the forms of their sources:

- the published schema (``messages``, ``images``), with our further columns (``level``, ``level_a`` …) or, as
  in dfj-meta-human, without, where the assistant's turn says what is right;
- plain rows (``candidate``, or ``response_a`` and ``response_b``);
- XAIGID-RewardBench (``triplet_id``, ``caption_1``, ``caption_2``), whose right answers are people's;
- VL-RewardBench (``response`` and ``human_ranking``, where 0 is the better one);
- Multimodal RewardBench (``Output1``, ``Output2``, ``Better``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from dfj_bootstrap.domain.rationale import LEVELS

Data = Mapping[str, Any]


class Task(StrEnum):
    """What was predicted."""

    POINTWISE = "pointwise"
    PAIRWISE = "pairwise"
    DETECTION = "detection"
    RATIONALES = "rationales"


class BadRow(ValueError):
    """Why a row can't be scored; whoever knows its file and line says so to the person."""


SIDES = ("A", "B", "tie", "both_bad")
"""What may be said of two texts; the first two decide for one."""

DECISIVE = SIDES[:2]

_SIDES = {
    **{side.lower(): side for side in SIDES},
    "both bad": "both_bad",
    "both_good": "tie",
    **{f"{what}_{i}{better}": side for what in ("response", "caption") for i, side in enumerate("AB", 1)
       for better in ("", "_better")},
}  # fmt: skip

_SCORE = re.compile(r"<score>\s*([1-5])\s*</score>\s*$")
_ANSWER = re.compile(r"<answer>\s*([AB])\s*</answer>\s*$")
_CANDIDATE = re.compile(
    r"<reasoning>([^<]*(?:<(?!/?reasoning>)[^<]*)*)</reasoning>\s*<answer>(?:real|fake|edited)<"
)
_PAIR_KEYS = ("level_a", "response_a", "caption_1", "Output1", "human_ranking")
_VL_GROUPS = {
    "vlfeedback": "general",
    "wildvision-battle": "general",
    "povid": "hallucination",
    "rlhf-v": "hallucination",
    "rlaif-v": "hallucination",
    "reasoning_tasks": "reasoning",
}


def side(value: Any) -> str | None:
    """A choice between two texts in any of its spellings; None where it is none."""
    return _SIDES.get(value.strip().lower()) if isinstance(value, str) else None


def rating(value: Any, name: str) -> int:
    """A whole number from 1 to 5.

    Raises:
        BadRow: it is none.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and value in LEVELS:
        return int(value)
    raise BadRow(f"`{name}` should be a whole number from 1 to 5, not {_short(value)}")


def identity(data: Data, line: int) -> str:
    """The row's id; a row without one is known by its line."""
    if "human_ranking" in data:  # its ids repeat
        said = repr((data.get("id"), data.get("query"), sorted(map(str, data.get("response") or ()))))
        return blake2b(said.encode(), digest_size=16).hexdigest()
    found = next((data[key] for key in ("triplet_id", "id", "ID") if data.get(key) not in (None, "")), None)
    return f"line {line}" if found is None else str(found)


def image(data: Data) -> str | None:
    """What tells pictures apart: the bootstrap draws them. None: the row stands for itself."""
    pictures = data.get("images")
    first = pictures[0] if isinstance(pictures, list) and pictures else None
    named = [first.get("path") if isinstance(first, dict) else first]
    named += [data.get(key) for key in ("image", "image_id", "Image", "image_path", "seed_id")]
    return next((name for name in named if isinstance(name, str) and name), None)


def task(data: Data) -> Task | None:
    """What the row asks for, by its own fields; None where they don't tell."""
    if any(key in data for key in _PAIR_KEYS):
        return Task.PAIRWISE
    may_be_matched = reference(data) is not None  # or scored, whatever the row has beside it
    if ("level" in data or "candidate" in data) and not may_be_matched:
        return Task.POINTWISE
    if _SCORE.search(target := _turn(data, "assistant")):
        return Task.POINTWISE
    return Task.PAIRWISE if _ANSWER.search(target) else None


def reference(data: Data) -> str | None:
    """The text that the candidate is compared with; None where the row has none."""
    texts = (data.get("gold_rationale"), data.get("reference"))
    return next((text for text in texts if isinstance(text, str) and text.strip()), None)


def level(data: Data) -> int | None:
    """The score that would be right; None where the row doesn't say."""
    if data.get("level") is not None:
        return rating(data["level"], "level")
    found = _SCORE.search(_turn(data, "assistant"))
    return int(found[1]) if found else None


def right_side(data: Data) -> str | None:
    """The choice that would be right; None where the row doesn't say."""
    if levels := levels_of_pair(data):
        return "tie" if levels[0] == levels[1] else "AB"[levels[1] > levels[0]]
    if "human_ranking" in data:
        return _ranked(data["human_ranking"])
    if "Better" in data:
        return {"Output1": "A", "Output2": "B"}.get(data["Better"]) or _refuse("Better", data["Better"])
    found = _ANSWER.search(_turn(data, "assistant"))
    return found[1] if found else None


def levels_of_pair(data: Data) -> tuple[int, int] | None:
    """The levels of A and B, where the row has them."""
    if data.get("level_a") is None or data.get("level_b") is None:
        return None
    return rating(data["level_a"], "level_a"), rating(data["level_b"], "level_b")


def group(data: Data) -> str:
    """The part of an exam that a row belongs to, as its own harness reports it; empty where it has none."""
    if isinstance(source := data.get("query_source"), str) and "human_ranking" in data:
        return _VL_GROUPS.get(source.lower(), source)
    category = data.get("Category")
    if not isinstance(category, str) or "Better" not in data:
        return ""
    start = str(data.get("ID", "")).lower()
    parts = {"safety": ("pairs", "bias", "toxicity"), "reasoning": ("math", "math", "coding")}
    if category not in parts:
        return category
    beginning, then, otherwise = parts[category]
    return f"{category}/{then if start.startswith(beginning) else otherwise}"


def pair_lengths(data: Data) -> tuple[int, int] | None:
    """Characters of A and B; None where the row doesn't show them."""
    for a, b in (("response_a", "response_b"), ("caption_1", "caption_2"), ("Output1", "Output2")):
        if isinstance(data.get(a), str) and isinstance(data.get(b), str):
            return len(data[a]), len(data[b])
    texts = data.get("response") if "human_ranking" in data else _CANDIDATE.findall(_turn(data, "user"))
    if isinstance(texts, list) and list(map(type, texts)) == [str, str]:
        return len(texts[0]), len(texts[1])
    return None


def length(data: Data) -> int | None:
    """Characters of the candidate; None where the row doesn't show it."""
    if isinstance(text := data.get("candidate"), str):
        return len(text)
    texts = _CANDIDATE.findall(_turn(data, "user"))
    return len(texts[0]) if len(texts) == 1 else None


def _ranked(ranks: Any) -> str:
    if not isinstance(ranks, list) or sorted(map(str, ranks)) != ["0", "1"]:
        return _refuse("human_ranking", ranks)
    return "A" if str(ranks[0]) == "0" else "B"


def _refuse(name: str, value: Any) -> str:
    raise BadRow(f"`{name}` is {_short(value)}, which names neither of the two texts")


def _turn(data: Data, role: str) -> str:
    """The last turn of a role, as text."""
    messages = data.get("messages")
    turns = [m for m in messages if isinstance(m, dict)] if isinstance(messages, list) else []
    said = [m.get("content") for m in turns if m.get("role") == role]
    return said[-1] if said and isinstance(said[-1], str) else ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
