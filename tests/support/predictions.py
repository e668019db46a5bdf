"""Rows of predictions, as ``dfj judge`` and ``dfj detect`` leave them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dfj_bootstrap.scoring.facts import Task
from dfj_bootstrap.scoring.humans import Humans
from dfj_bootstrap.scoring.rows import Source, read_predictions
from dfj_bootstrap.scoring.systems import System, score

Row = dict[str, Any]


def candidate(length: int) -> str:
    """A rationale whose reasoning has so many characters."""
    return f"<reasoning>{'x' * length}</reasoning> <answer>real</answer>"


def said(**prediction: Any) -> Row:
    """A usable prediction."""
    return {"status": "ok", "model": "judge", "reasoning": "", "raw": "", **prediction}


def pointwise(id_: str, level: int | None, score: int | None, image: str = "", length: int = 10) -> Row:
    """A row of the published schema; no score: its reply could not be read."""
    prediction = said(score=score) if score else {"status": "unparsable", "model": "judge", "raw": "?"}
    return {
        "id": id_,
        "messages": [{"role": "user", "content": f"<image>Judge: {candidate(length)}"}],
        "images": [f"images/{image or id_}.png"],
        **({"level": level} if level else {}),
        "prediction": prediction,
    }


def pairwise(
    id_: str,
    levels: tuple[int, int],
    answer: str | None,
    image: str = "",
    lengths: tuple[int, int] = (10, 20),
) -> Row:
    """Two candidates and what was preferred."""
    prediction = said(answer=answer) if answer else {"status": "refused", "model": "judge"}
    return {
        "id": id_,
        "messages": [
            {"role": "user", "content": f"<image>A: {candidate(lengths[0])}\nB: {candidate(lengths[1])}"}
        ],
        "images": [f"images/{image or id_}.png"],
        "level_a": levels[0],
        "level_b": levels[1],
        "prediction": prediction,
    }


def detection(id_: str, label: str, answer: str | None) -> Row:
    """A picture and the class it was given."""
    prediction = said(label=answer, rationale="because") if answer else {"status": "failed"}
    return {"id": id_, "image": f"{id_}.png", "label": label, "prediction": prediction}


def sources(rows: Iterable[Mapping[str, Any]], file: str = "p.jsonl") -> list[Source]:
    """Rows as if read from a file."""
    return [Source(file, line, row) for line, row in enumerate(rows, 1)]


def scored(rows: Sequence[Row], task: Task | None = None, humans: Humans | None = None) -> System:
    """The figures of rows."""
    found, predictions = read_predictions(sources(rows), task)
    return score(predictions, found, humans)


def value(system: System, name: str) -> float:
    """A figure that must be there."""
    found = system.figures[name].value
    assert found is not None, system.figures[name].why
    return found


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Rows as JSON Lines."""
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path
