"""``dfj judge`` as an operation: the job of a judge, and the file of its predictions."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import orjson

from dfj_bootstrap.app.predictions import PredictionsFile
from dfj_bootstrap.app.start import Display, Options, Outcome, start
from dfj_bootstrap.config.judge import JudgeConfig, JudgeTask
from dfj_bootstrap.config.sections import EngineConfig
from dfj_bootstrap.errors import ConfigError, SeedsError
from dfj_bootstrap.intake.item_rows import Refusal, RowRefused
from dfj_bootstrap.intake.json_rows import GivenRows
from dfj_bootstrap.intake.judged_rows import texts_of
from dfj_bootstrap.prompting.templates import load_prompt, placeholders
from dfj_bootstrap.storage.reader import open_run
from dfj_bootstrap.tasks.asking import asker, items_of
from dfj_bootstrap.tasks.judge import Judge


def judge(config: JudgeConfig, display: Display, *, limit: int | None = None) -> Outcome:
    """Run a judge over rows, or go on where its run folder stands, up to the file of its predictions.

    Raises:
        BudgetSpent, RunError, KeyboardInterrupt: as ``start``.
    """
    task = Judge(with_task(config))
    file = PredictionsFile(task.items.source, asker(task.config, "judge"), display)
    return start(task, Options(limit, finish=file.finish), display)


def judge_one(config: JudgeConfig, row: dict[str, Any], display: Display) -> dict[str, Any]:
    """The prediction for a single row, from a run folder that goes away; its picture: a path of this machine.

    Raises:
        ConfigError: the judge matches claims.
        BudgetSpent, RunError, KeyboardInterrupt: as ``start``.
    """
    picture = Path(row["image"]).absolute()
    rows = GivenRows(({**row, "id": "example", "image": picture.name},))
    with tempfile.TemporaryDirectory(prefix="dfj-judge-") as scratch:
        here = {"output": Path(scratch) / "run", "engine": EngineConfig(), "input": picture.parent}
        task = Judge(with_task(config.model_copy(update=here), rows), rows)
        if task.config.task == "claims":
            raise ConfigError("claims are matched over the rows of a file; name it with --input")
        try:
            start(task, Options(), display)
        except SeedsError:
            raise SeedsError(_first_refusal(Path(scratch) / "run")) from None
        (found,) = open_run(Path(scratch) / "run").rows("predictions")
    prediction: dict[str, Any] = orjson.loads(found["prediction"])
    return prediction


def with_task(config: JudgeConfig, given: GivenRows | None = None) -> JudgeConfig:
    """The configuration with its task: as it says, else as its prompt asks, else as the first row is.

    Raises:
        ConfigError: both orders are wanted of a judge that doesn't choose between two texts.
    """
    task = config.task or _of_prompt(config) or _of_rows(config, given)
    if config.both_orders and task == "pointwise":
        raise ConfigError("--both-orders: a pointwise judge sees one text at a time, which has no order")
    if config.both_orders and task == "claims":
        raise ConfigError("--both-orders: claims are matched both ways already; it is for a pairwise judge")
    return config.doing(task)


def _of_prompt(config: JudgeConfig) -> JudgeTask | None:
    if "prompt" not in config.judge.model_fields_set:
        return None
    found = placeholders(load_prompt(config.judge.prompt).text)
    if "response_a" in found:
        return "pairwise"
    if "candidate_response" in found:
        return "claims" if "reference" in found else "pointwise"
    return None


def _of_rows(config: JudgeConfig, given: GivenRows | None) -> JudgeTask:
    for _, row in items_of(config, given, texts_of).source.lines():
        if isinstance(row, Refusal):
            continue
        try:
            return "pairwise" if texts_of(row.item).pair else "pointwise"
        except RowRefused:
            continue
    return "pointwise"


def _first_refusal(run: Path) -> str:
    for line in (run / "refused.jsonl").read_bytes().splitlines():
        row = orjson.loads(line)
        return f"--{row['field']}: {row['why']}" if row["field"] else str(row["why"])
    return "nothing to judge"
