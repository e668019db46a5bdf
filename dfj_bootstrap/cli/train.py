"""``dfj train``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfj_bootstrap.app.train import Ended, Plan, plan_training, ray_address, start_training
from dfj_bootstrap.cli.report import Report
from dfj_bootstrap.cli.terminal import printable
from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.local_paths import local_path
from dfj_bootstrap.training.job import Wanted
from dfj_bootstrap.training.launch import LOG
from dfj_bootstrap.training.logbook import NAME, read_logbook
from dfj_bootstrap.training.model_check import resolved_model
from dfj_bootstrap.training.overrides import parse_overrides
from dfj_bootstrap.training.preflight import failures
from dfj_bootstrap.training.recipe import Task
from dfj_bootstrap.training.resume import Start

BACKENDS = ("swift",)
_INTERRUPTED = 130
_MARKS = {"ok": "ok", "warning": "WARN", "failed": "FAIL"}


@dataclass(frozen=True, slots=True)
class Asked:
    """The command line."""

    source: Path
    task: str
    model: str
    output: Path | None
    gpus: int
    nodes: int
    overrides: Sequence[str]
    backend: str
    address: str | None


def train_judge(asked: Asked, *, dry_run: bool, check: bool, resume: bool) -> Report:
    """Plan a training and, unless only that is wanted, train.

    Raises:
        RunError: it can't be done; says what to do.
    """
    address = ray_address(asked.address)
    wanted = _wanted(asked, on_ray=address is not None)
    plan = plan_training(
        wanted, local_path("RUN", asked.source, Path.cwd()), on_ray=address is not None, dry=dry_run
    )
    if dry_run or check:
        return _shown(plan, dry_run=dry_run)
    _say_checks(plan)
    try:
        start, ended = start_training(plan, _say, address=address, insist=resume)
    except KeyboardInterrupt:
        return _report(plan, Start(), Ended(_INTERRUPTED, stopped=True))
    return _report(plan, start, ended)


def _wanted(asked: Asked, *, on_ray: bool) -> Wanted:
    if asked.backend not in BACKENDS:
        raise ConfigError(f"--backend {asked.backend}: there is {', '.join(BACKENDS)} alone so far")
    if asked.task not in list(Task):
        raise ConfigError(f"--task {asked.task}: give pointwise or pairwise")
    task, model = Task(asked.task), resolved_model(asked.model)
    source = local_path("RUN", asked.source, Path.cwd())
    output = asked.output or _default_output(source, task, model)
    return Wanted(
        task=task,
        model=model,
        output=local_path("--output", output, Path.cwd()),
        gpus=asked.gpus,
        nodes=asked.nodes,
        overrides=parse_overrides(asked.overrides),
        devices=None if on_ray else _devices(asked.gpus),
    )


def _default_output(source: Path, task: Task, model: str) -> Path:
    folder = source / "training" if (source / "run.json").is_file() else Path("runs")
    return folder / f"{task}-{model.rstrip('/').rpartition('/')[2]}"


def _devices(gpus: int) -> tuple[str, ...]:
    """The first GPUs of those that are this process's to use."""
    import os

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    there = [str(n) for n in range(gpus)] if named is None else [n for n in named.split(",") if n.strip()]
    if len(there) < gpus:
        raise ConfigError(f"--gpus {gpus}: CUDA_VISIBLE_DEVICES names {len(there)}; give a smaller number")
    return tuple(there[:gpus])


def _shown(plan: Plan, *, dry_run: bool) -> Report:
    checks = [check.as_data() for check in plan.checks]
    data = {**plan.job.as_data(), "checks": checks}
    lines = [*_command_lines(plan), ""] if dry_run else []
    return Report([*lines, *_check_lines(plan)], data, 2 if failures(plan.checks) else 0)


def _command_lines(plan: Plan) -> list[str]:
    """As it could be typed into a shell, a flag a line."""
    job = plan.job
    flags = shlex.join(job.argv[2:]).replace(" --", " \\\n    --")
    env = [f"{name}={shlex.quote(value)} \\" for name, value in job.env.items()]
    return [*env, f"{shlex.join(job.argv[:2])} \\\n    {flags}"]


def _check_lines(plan: Plan) -> list[str]:
    lines = [f"{_MARKS[check.status]:<5} {check.name:<10} {check.message}" for check in plan.checks]
    trained = f"{plan.job.records} rows would be trained on"
    return [*lines, *plan.lengths.lines(), trained]


def _say(line: str) -> None:
    sys.stderr.write(f"{printable(line)}\n")
    sys.stderr.flush()


def _say_checks(plan: Plan) -> None:
    for line in _check_lines(plan):
        _say(line)


def _report(plan: Plan, start: Start, ended: Ended) -> Report:
    book = read_logbook(plan.job.output) or {}
    data = {name: value for name, value in book.items() if name not in ("metrics", "checks")}
    return Report(_ending_lines(plan, start, ended, book), data, _exit_code(ended))


def _exit_code(ended: Ended) -> int:
    return _INTERRUPTED if ended.stopped else ended.code


def _ending_lines(plan: Plan, start: Start, ended: Ended, book: dict[str, Any]) -> list[str]:
    output = plan.job.output
    last = (book.get("checkpoints") or ["the beginning"])[-1]
    if start.done:
        return [f"{output} is complete already: nothing to do.", *_where(output, book)]
    if ended.stopped:
        return [f"{output}: interrupted; the same command goes on from {last}.", *_where(output, book)]
    if ended.code:
        return [
            f"{output}: the trainer failed with exit code {ended.code}: {ended.why}",
            f"the same command goes on from {last}; all that it said is in {output / LOG}",
        ]
    return [f"{output} is complete.", *_figures(book), *_where(output, book)]


def _figures(book: dict[str, Any]) -> list[str]:
    losses = [row["loss"] for row in book.get("metrics", []) if "loss" in row]
    if not losses:
        return []
    done = book["steps"]["done"]
    return [f"trained      {book['records']} rows, {done} steps, loss {losses[0]:.4g} → {losses[-1]:.4g}"]


def _where(output: Path, book: dict[str, Any]) -> list[str]:
    names = {"adapter": book.get("adapter"), "record": NAME, "loss": "loss.svg", "log": LOG}
    return [f"{what:<12} {output / name}" for what, name in names.items() if name]
