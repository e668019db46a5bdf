"""What a trainer says, line by line: its own count of rows, its figures, and why it failed.

The count stands in what it prints (``train_dataset: Dataset({… num_rows: N``), in ms-swift 3 and 4 alike; the
figures stand in ``logging.jsonl`` of the output folder, a line for each logging step.
"""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path
from typing import Any

import orjson

_DATASET = "train_dataset: Dataset("
_COUNT = re.compile(r"num_rows: (\d+)")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CAUSE = re.compile(r"(Error|Exception|error)\b.*: ")
_NO_MEMORY = re.compile(r"CUDA out of memory|OutOfMemoryError")
_KEPT = 60
_LETTERS = 300


class Said:
    """What was printed so far.

    Attributes:
        rows: the trainer's own count, once it was said.
    """

    def __init__(self) -> None:
        self.rows: int | None = None
        self._in_dataset = False
        self._last: deque[str] = deque(maxlen=_KEPT)

    def hear(self, line: str) -> str:
        """Take one line, into which a bar may have written several states; gives what to show of it."""
        shown = _ESCAPES.sub("", line).rstrip("\r\n").rpartition("\r")[2]
        self._in_dataset = self._in_dataset or _DATASET in shown
        count = _COUNT.search(shown) if self._in_dataset and self.rows is None else None
        if count:
            self.rows = int(count[1])
        if shown.strip():
            self._last.append(shown.strip()[:_LETTERS])
        return shown

    def cause(self) -> str:
        """The last line that names an error, with what to do where that is known."""
        if any(_NO_MEMORY.search(line) for line in self._last):
            return (
                "the GPU's memory is too small; halve per_device_train_batch_size and double "
                "gradient_accumulation_steps by --set"
            )
        causes = [line for line in self._last if _CAUSE.search(line) and "ChildFailedError" not in line]
        return causes[-1] if causes else (self._last[-1] if self._last else "it said nothing")


class Figures:
    """``logging.jsonl`` as it grows.

    Attributes:
        by_step: the figures of each logged step; a step that was trained again counts once.
        total: the steps that the trainer intends.
    """

    def __init__(self, output: Path) -> None:
        self._path = output / "logging.jsonl"
        self._at = 0
        self.by_step: dict[int, dict[str, float]] = {}
        self.total: int | None = None

    def skip_to_end(self) -> None:
        """Leave out what an earlier training wrote."""
        self._at = self._path.stat().st_size if self._path.exists() else 0

    def read(self) -> bool:
        """Take what is new, in whole lines; whether there was anything."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                data = file.read()
        except FileNotFoundError:
            return False
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        return any([self._take(line) for line in whole.splitlines()])

    def forget_after(self, step: int) -> None:
        """Leave out steps that are about to be trained again."""
        self.by_step = {n: figures for n, figures in self.by_step.items() if n <= step}

    def _take(self, line: bytes) -> bool:
        try:
            row = orjson.loads(line)
            done, _, total = str(row["global_step/max_steps"]).partition("/")
            step = int(done)
            self.total = int(total)
        except (ValueError, KeyError, TypeError):
            return False
        figures = self.by_step.setdefault(step, {})
        figures.update({name: value for name, value in row.items() if _is_figure(name, value)})
        return True


def _is_figure(name: str, value: Any) -> bool:
    return isinstance(value, int | float) and "/" not in name
