"""``dfj check``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import orjson

from dfj_bootstrap.app.judge import with_task
from dfj_bootstrap.cli.report import Report
from dfj_bootstrap.config.detect import DetectConfig
from dfj_bootstrap.config.judge import JudgeConfig
from dfj_bootstrap.config.predicting import PredictingConfig
from dfj_bootstrap.config.run import RunConfig
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.engine.task import AnyTask
from dfj_bootstrap.intake.plan import make_plan
from dfj_bootstrap.roles.checks import check_backends, keys_in_use
from dfj_bootstrap.roles.identity import identity_of
from dfj_bootstrap.storage.folder import check_run_folder
from dfj_bootstrap.tasks.detect import Detect
from dfj_bootstrap.tasks.generate import Generate
from dfj_bootstrap.tasks.judge import Judge

_SHOWN = 20
"""Refused rows that are printed; the rest is counted."""


def check_run(config: RunConfig, *, live: bool = False) -> Report:
    """Look at everything that can be looked at without a call; ``live``: then call each model once.

    Raises:
        RunError: the output folder, a prompt, a key, an extra or the rows as a whole are wrong.
    """
    check_run_folder(config.output)
    task = _task(config)
    identity = identity_of(config, task.forms)
    check_backends(config)
    keys = keys_in_use(config)
    lines = [f"{role}: {_described(who)}" for role, who in identity.items()]
    lines += [f"models.{name}: the key is taken from {variable}" for name, variable in keys.items()]
    about: dict[str, Any] = {"roles": identity, "keys": keys}
    if isinstance(config, PredictingConfig) and config.input is None:
        report = Report([*lines, "the config and prompts are in order; rows come with --input"], about)
    else:
        report = _with_rows(task, lines, about)
    if not live:
        return report
    from dfj_bootstrap.cli.live import check_live, merged

    return merged(report, check_live(config))


def _task(config: RunConfig) -> AnyTask:
    """The job that a configuration is for."""
    if isinstance(config, JudgeConfig):
        return Judge(with_task(config) if config.input else config.doing(config.task or "pointwise"))
    if isinstance(config, DetectConfig):
        return Detect(config)
    assert isinstance(config, Config)
    return Generate(config)


def _with_rows(task: AnyTask, lines: list[str], about: dict[str, Any]) -> Report:
    """What is to be said of the rows, before and after what is said of the rest."""
    with tempfile.TemporaryDirectory(prefix="dfj-check-") as scratch:
        plan = make_plan(Path(scratch), task.items, trial=True)
        refused = [orjson.loads(row) for row in (Path(scratch) / "refused.jsonl").read_bytes().splitlines()]
    first = [f"{row['file']}:{row['line']}: {row['field']}: {row['why']}" for row in refused[:_SHOWN]]
    if len(refused) > _SHOWN:
        first.append(f"… and {len(refused) - _SHOWN} more refused rows")
    last = f"{plan.total} good rows, {plan.refused} refused; the config, prompts and images are in order"
    return Report([*first, *lines, last], {"good": plan.total, "refused": refused, **about})


def _described(who: object) -> str:
    if not isinstance(who, dict):
        return str(who)
    return ", ".join(f"{key} {value}" for key, value in who.items() if value not in (None, ""))
