"""Rows in the published schema, for tests of training: somebody's own, with short prompts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.seeds import write_picture

LABELS = ("real", "fake", "edited")


def pointwise_row(number: int) -> dict[str, Any]:
    """A good row; ids are ``row-0000`` and so on, four rows share a picture, levels take turns."""
    level = number % 5 + 1
    label = LABELS[number // 5 % 3]
    text = (
        f"<image>The image is {label}. Judge: <reasoning>claim {number}</reasoning> <answer>{label}</answer>"
    )
    target = f"<reasoning>holds to degree {level}</reasoning>\n<score>{level}</score>"
    return _row(number, text, target) | {"label": label, "level": level}


def pairwise_row(number: int) -> dict[str, Any]:
    """A good row; A and B are preferred in turn."""
    label = LABELS[number // 2 % 3]
    levels = {"level_a": 4, "level_b": 2} if number % 2 else {"level_a": 1, "level_b": 5}
    text = f"<image>The image is {label}. A: claim {number}. B: other claim {number}. Which?"
    return _row(number, text, f"<answer>{'BA'[number % 2]}</answer>") | {"label": label, **levels}


def write_training_rows(
    folder: Path,
    n: int,
    make: Callable[[int], dict[str, Any]] = pointwise_row,
    *,
    instead: Mapping[int, Any] | None = None,
) -> Path:
    """Write ``data.jsonl`` with ``n`` rows and their pictures.

    Args:
        instead: number of a row → the row, or the line, that stands in its place.
    """
    for number in range(-(-n // 4)):
        write_picture(folder / "images" / f"{number:04d}.png", number, (64, 48))
    lines = []
    for number in range(n):
        row = (instead or {}).get(number, None) or make(number)
        lines.append(row if isinstance(row, str) else json.dumps(row, ensure_ascii=False))
    path = folder / "data.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def _row(number: int, text: str, target: str) -> dict[str, Any]:
    return {
        "id": f"row-{number:04d}",
        "messages": [{"role": "user", "content": text}, {"role": "assistant", "content": target}],
        "images": [f"images/{number // 4:04d}.png"],
    }
