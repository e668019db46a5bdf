"""The checkpoints of an output folder: which are whole, so that a training can go on from the last."""

from __future__ import annotations

import re
from pathlib import Path

import orjson

_NAME = re.compile(r"checkpoint-(\d+)")


def checkpoints(output: Path) -> list[Path]:
    """Whole checkpoints, oldest first; ``trainer_state.json``, which is written last, says so of one."""
    try:
        found = [(int(name[1]), path) for path in output.iterdir() if (name := _NAME.fullmatch(path.name))]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [path for step, path in sorted(found) if _step(path) == step]


def _step(checkpoint: Path) -> int | None:
    try:
        state = orjson.loads((checkpoint / "trainer_state.json").read_bytes())
        return int(state["global_step"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
