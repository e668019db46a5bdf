"""``dfj detect`` as an operation: the job of a detector, and the file of its predictions."""

from __future__ import annotations

from dfj_bootstrap.app.predictions import PredictionsFile
from dfj_bootstrap.app.start import Display, Options, Outcome, start
from dfj_bootstrap.config.detect import DetectConfig
from dfj_bootstrap.tasks.asking import asker
from dfj_bootstrap.tasks.detect import Detect


def detect(config: DetectConfig, display: Display, *, limit: int | None = None) -> Outcome:
    """Run a detector over pictures, or go on where its run folder stands, up to its predictions.

    Raises:
        BudgetSpent, RunError, KeyboardInterrupt: as ``start``.
    """
    task = Detect(config)
    file = PredictionsFile(task.items.source, asker(config, "detector"), display)
    return start(task, Options(limit, finish=file.finish), display)
