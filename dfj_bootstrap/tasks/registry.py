"""The jobs by their names in ``run.json``: how a run is read again by whoever comes later."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dfj_bootstrap.engine.task import AnyTask
from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.storage.ledger import Ledger
from dfj_bootstrap.storage.manifest import task_name
from dfj_bootstrap.tasks.generation_ledger import GENERATION
from dfj_bootstrap.tasks.prediction_ledger import PREDICTIONS


@dataclass(frozen=True, slots=True)
class Known:
    """A job that this program knows.

    Attributes:
        make: the task of a run's configuration; imports what it takes only then.
    """

    ledger: Ledger
    make: Callable[[Mapping[str, Any]], AnyTask]


def _generate(config: Mapping[str, Any]) -> AnyTask:
    from dfj_bootstrap.config.tree import Config
    from dfj_bootstrap.tasks.generate import Generate

    return Generate(Config.model_validate(config))


def _judge(config: Mapping[str, Any]) -> AnyTask:
    from dfj_bootstrap.config.judge import JudgeConfig
    from dfj_bootstrap.tasks.judge import Judge

    return Judge(JudgeConfig.model_validate(config))


def _detect(config: Mapping[str, Any]) -> AnyTask:
    from dfj_bootstrap.config.detect import DetectConfig
    from dfj_bootstrap.tasks.detect import Detect

    return Detect(DetectConfig.model_validate(config))


KNOWN: dict[str, Known] = {
    "generate": Known(GENERATION, _generate),
    "judge": Known(PREDICTIONS, _judge),
    "detect": Known(PREDICTIONS, _detect),
}


def ledger_of(run: Path, manifest: Mapping[str, Any]) -> Ledger:
    """What a run's books are about; of a job that isn't known, as its manifest tells.

    Raises:
        RunFolderError: it doesn't.
    """
    known = KNOWN.get(task_name(manifest))
    if known:
        return known.ledger
    try:
        return Ledger.of_data(manifest["ledger"])
    except (KeyError, TypeError):
        raise RunFolderError(
            f"{run / 'run.json'}: damaged, for it doesn't say what this run ({task_name(manifest)}) counts"
        ) from None


def task_of(run: Path, manifest: Mapping[str, Any]) -> AnyTask | None:
    """The task that a run was started with; ``None`` where its job isn't known.

    Raises:
        RunFolderError: its configuration can't be read.
    """
    known = KNOWN.get(task_name(manifest))
    try:
        return known.make(manifest["config"]) if known else None
    except ValidationError:
        raise RunFolderError(
            f"{run / 'run.json'}: its config is damaged, or of another version of this program"
        ) from None
