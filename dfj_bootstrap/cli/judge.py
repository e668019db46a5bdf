"""``dfj judge`` and ``dfj detect``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar, get_args

from dfj_bootstrap.app.detect import detect
from dfj_bootstrap.app.judge import judge, judge_one, with_task
from dfj_bootstrap.app.predictions import NAME
from dfj_bootstrap.app.start import Display, Outcome
from dfj_bootstrap.cli.display import open_display
from dfj_bootstrap.cli.plan import confirm_cost, person
from dfj_bootstrap.cli.report import Report, book_lines, ending_line
from dfj_bootstrap.cli.status import status_of
from dfj_bootstrap.config.detect import DetectConfig
from dfj_bootstrap.config.judge import JudgeConfig, JudgeTask
from dfj_bootstrap.config.predicting import PredictingConfig
from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.estimate.course import Range
from dfj_bootstrap.estimate.predicting import likely_cost
from dfj_bootstrap.intake.json_rows import JsonObject
from dfj_bootstrap.intake.picture_rows import PictureRow
from dfj_bootstrap.local_paths import local_path
from dfj_bootstrap.storage.folder import check_run_folder
from dfj_bootstrap.tasks.asking import Asked
from dfj_bootstrap.tasks.detect import Detect
from dfj_bootstrap.tasks.judge import Judge
from dfj_bootstrap.tasks.prediction_ledger import PREDICTIONS

log = logging.getLogger(__name__)

C = TypeVar("C", bound=PredictingConfig)


@dataclass(frozen=True, slots=True)
class Example:
    """One picture and a text about it, or two."""

    image: Path
    label: str | None
    candidate: str
    candidate_b: str | None

    @classmethod
    def given(
        cls, image: Path | None, label: str | None, candidate: str | None, candidate_b: str | None
    ) -> Self | None:
        """The example that options give; ``None`` where they give none of one.

        Raises:
            ConfigError: they give half of one.
        """
        if image is None and label is None and candidate is None and candidate_b is None:
            return None
        if image is None or candidate is None:
            raise ConfigError("for one example give --image, --label and --candidate")
        return cls(image, label, candidate, candidate_b)

    def row(self) -> dict[str, Any]:
        texts = {"candidate": self.candidate}
        if self.candidate_b is not None:
            texts = {"response_a": self.candidate, "response_b": self.candidate_b}
        return {"image": str(self.image), **({"label": self.label} if self.label else {}), **texts}


def with_input(config: C, rows: Path | None) -> C:
    """The configuration with the rows that were asked for."""
    if rows is None:
        return config
    return config.model_copy(update={"input": local_path("--input", rows, Path.cwd())})


def judged_config(
    config: JudgeConfig, rows: Path | None, task: str | None, *, both_orders: bool
) -> JudgeConfig:
    """The configuration with what was asked for beside it.

    Raises:
        ConfigError: there is no such task.
    """
    if task is not None and task not in get_args(JudgeTask):
        *others, last = get_args(JudgeTask)
        raise ConfigError(f"--task {task}: must be {', '.join(others)} or {last}")
    update = {**({"task": task} if task else {}), **({"both_orders": True} if both_orders else {})}
    return with_input(config, rows).model_copy(update=update)


def judge_run(config: JudgeConfig, *, limit: int | None, quiet: bool, yes: bool) -> Report:
    """Run a judge over rows, or resume, showing progress; without ``yes``, a dear new run is asked about."""
    task = Judge(with_task(config))
    questions = partial(_questions, task.questions)
    cost = partial(likely_cost, task.config, "judge", task.items, questions, limit)
    return _run(task.config, partial(judge, task.config, limit=limit), None if yes else cost, quiet=quiet)


def detect_run(config: DetectConfig, *, limit: int | None, quiet: bool, yes: bool) -> Report:
    """Run a detector over pictures, or resume, as ``judge_run``."""
    task = Detect(config)
    questions = partial(_questions, lambda row: [task.question(row)])
    cost = partial(likely_cost, config, "detector", task.items, questions, limit)
    return _run(config, partial(detect, config, limit=limit), None if yes else cost, quiet=quiet)


def _questions(of: Callable[[JsonObject], list[Asked]], row: PictureRow) -> list[Asked]:
    return of(row.data)


def judge_example(config: JudgeConfig, example: Example) -> Report:
    """Judge one example; the exit code is 3 where the call failed technically."""
    row = example.row()
    prediction = judge_one(config, row, open_display(quiet=True))
    failed = prediction["status"] == "failed"
    return Report(_told(prediction), {**row, "prediction": prediction}, exit_code=3 if failed else 0)


def _run(
    config: PredictingConfig,
    work: Callable[[Display], Outcome],
    cost: Callable[[], Range | None] | None,
    *,
    quiet: bool,
) -> Report:
    check_run_folder(config.output)
    if cost is not None:
        confirm_cost(config, cost, log.warning, person())
    display = open_display(quiet=quiet)
    try:
        outcome = work(display)
    finally:
        display.close()
    run = config.output
    data = {**status_of(run).data, **outcome.figures, "predictions": str(run / NAME)}
    failed = bool(outcome.figures["rows"]["failed"])
    lines = [
        ending_line(run, outcome, "rows"),
        *book_lines(PREDICTIONS, outcome.figures, outcome.tally),
        *_where(run),
    ]
    return Report(lines, data, exit_code=3 if failed else 0)


def _where(run: Path) -> list[str]:
    return [
        "where to look",
        f"  {run}/{NAME}          each row with its prediction; `dfj score` reads it",
        f"  {run}/refused.jsonl              input rows that were refused, and why",
        f"  dfj status {run}",
    ]


def _told(prediction: dict[str, Any]) -> list[str]:
    """A prediction for people."""
    head = next(
        (f"{name} {prediction[name]}" for name in ("score", "answer") if prediction.get(name) is not None),
        f"{prediction['status']}: {prediction.get('why', '')}",
    )
    scores = [f"{prediction['score_a']} against {prediction['score_b']}"] if "score_a" in prediction else []
    swapped = prediction.get("answer_swapped")
    orders = [f"in the other order {swapped}"] if "answer_swapped" in prediction else []
    said = prediction["reasoning"] or (prediction["raw"] if prediction["status"] != "ok" else None)
    return [", ".join([head, *scores, *orders]), *([said] if said else [])]
