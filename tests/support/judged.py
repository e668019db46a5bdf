"""Rows for a judge, with their pictures, and runs over them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from dfj_bootstrap.endpoints.scripted.roles import MARKS

LABELS = ("real", "fake", "edited")


def text(level: int, number: int) -> str:
    """A candidate whose quality the double's judge can tell."""
    mark = f"{MARKS[level]} " if level in MARKS else ""
    return f"<reasoning>In picture {number} the sleeve {mark}looks odd.</reasoning> <answer>fake</answer>"


def pictures(folder: Path, count: int = 3) -> list[str]:
    """The names of some pictures in ``folder/images``."""
    names = [f"images/p{number}.png" for number in range(count)]
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.new("RGB", (40, 32), (40 * number, 90, 200)).save(folder / name)
    return names


def plain_scores(folder: Path, count: int) -> list[dict[str, Any]]:
    """Plain rows with one text each, of known levels."""
    names = pictures(folder)
    return [
        {
            "id": f"row-{n}",
            "image": names[n % len(names)],
            "label": LABELS[n % 3],
            "candidate": text(n % 5 + 1, n),
            "level": n % 5 + 1,
        }
        for n in range(count)
    ]


def plain_pairs(folder: Path, count: int) -> list[dict[str, Any]]:
    """Plain rows with two texts each, of known and different levels."""
    names = pictures(folder)
    return [
        {
            "id": f"pair-{n}",
            "image": names[n % len(names)],
            "label": LABELS[n % 3],
            "response_a": text(n % 5 + 1, n),
            "response_b": text((n + 1) % 5 + 1, n),
            "level_a": n % 5 + 1,
            "level_b": (n + 1) % 5 + 1,
        }
        for n in range(count)
    ]


def write_rows(folder: Path, rows: Iterable[Mapping[str, Any]], name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")
    return path


def write_judge_config(folder: Path, base_url: str, **values: Any) -> Path:
    """A config of a judge and a detector behind one server."""
    model = {
        "backend": "openai",
        "model": "double",
        "base_url": base_url,
        "max_in_flight": 8,
        "timeout_s": 20,
    }
    model |= values.pop("limits", {})
    judge = {"model": "m", **values.pop("judge", {})}
    tree = {"models": {"m": model}, "judge": judge, "detector": {"model": "m"}, **values}
    path = folder / "judge.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path


def predictions(run: Path) -> list[dict[str, Any]]:
    """The rows of ``predictions.jsonl``, whose texts may hold other separators of lines than ``\\n``."""
    return [json.loads(line) for line in (run / "predictions.jsonl").read_bytes().splitlines()]
