"""``OUTPUT/training.json`` and ``OUTPUT/loss.svg``: how a training stands, whole at every moment.

Invariant: whatever ends the process, the file is a whole one; its ``state`` is ``running`` only where a
process holds the folder's lock or died without a word.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from dfj_bootstrap.storage.atomic import write_atomically
from dfj_bootstrap.training.checkpoints import checkpoints
from dfj_bootstrap.training.job import TrainingJob
from dfj_bootstrap.training.plot import loss_plot
from dfj_bootstrap.training.trainer_log import Figures

NAME = "training.json"
_EVERY_S = 1.0


class Logbook:
    """Keeps the record of one training up to date."""

    def __init__(self, job: TrainingJob, figures: Figures, facts: Mapping[str, Any]) -> None:
        """``facts``: what else to note, e.g. the trainer's version and the checks."""
        self._job = job
        self._figures = figures
        self._facts = dict(facts)
        self._began = time.monotonic()
        self._written = 0.0
        self._behind = False

    def note(self, **facts: Any) -> None:
        """Note facts, at once."""
        self._facts |= facts
        self.write()

    def keep_up(self, *, changed: bool) -> None:
        """Write what has changed since the last time, unless that was a moment ago; then later."""
        self._behind = self._behind or changed
        if self._behind and time.monotonic() - self._written >= _EVERY_S:
            self.write()

    def write(self) -> None:
        """Write the record, and the plot."""
        self._written, self._behind = time.monotonic(), False
        losses = [(float(step), row["loss"]) for step, row in self._steps() if "loss" in row]
        if losses:
            title = f"{self._job.task} · {self._job.model}"
            write_atomically(self._job.output / "loss.svg", loss_plot(losses, title).encode())
        write_atomically(self._job.output / NAME, orjson.dumps(self.as_data(), option=orjson.OPT_INDENT_2))

    def as_data(self) -> dict[str, Any]:
        """The record."""
        job = self._job
        steps = self._steps()
        whole = [path.name for path in checkpoints(job.output)]
        return {
            "task": str(job.task),
            "model": job.model,
            "rows": str(job.rows),
            "records": job.records,
            **self._facts,
            "updated": datetime.now(UTC).isoformat(timespec="seconds"),
            "wall_s": round(time.monotonic() - self._began, 1),
            "steps": {"done": steps[-1][0] if steps else 0, "total": self._figures.total},
            "checkpoints": whole,
            "gpus": job.gpus,
            "nodes": job.nodes,
            "argv": list(job.argv),
            "env": dict(job.env),
            "metrics": [{"step": step, **row} for step, row in steps],
        }

    def _steps(self) -> list[tuple[int, dict[str, float]]]:
        return sorted(self._figures.by_step.items())


def read_logbook(output: Path) -> dict[str, Any] | None:
    """The record in a folder; ``None`` where there is none that can be read."""
    try:
        found = orjson.loads((output / NAME).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
