"""One start of a training: what would run, what must be right for it, and where it runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dfj_bootstrap.errors import ConfigError, RunError, RunFolderError
from dfj_bootstrap.ms_swift.asking import About, Swift, asking
from dfj_bootstrap.ms_swift.command import ASSUMED, find_swift, not_installed
from dfj_bootstrap.training import preflight
from dfj_bootstrap.training.job import TrainingJob, Wanted, make_job
from dfj_bootstrap.training.launch import Say, Training
from dfj_bootstrap.training.lengths import Estimate, Lengths
from dfj_bootstrap.training.model_check import model_check
from dfj_bootstrap.training.preflight import FAILED, OK, WARNING, Check
from dfj_bootstrap.training.resume import Start, starting_point
from dfj_bootstrap.training.rows import find_rows
from dfj_bootstrap.training.survey import Survey, leave_out, survey

_ROWS = "rows.jsonl"
"""In the output folder: the rows without those that are too long, where there are such."""

_OF_MACHINE = ("trainer", "gpus", "disk", "model")
"""Checks of this machine, which a dry run may fail: it may run on a laptop for a cluster."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A job, and the checks that it went through.

    Attributes:
        source: the rows as they were found; ``job.rows`` may be a copy without ``left_out``.
        left_out: line → (row's id, tokens).
    """

    job: TrainingJob
    checks: tuple[Check, ...]
    lengths: Lengths
    source: Path
    trainer: str
    left_out: Mapping[int, tuple[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a training ended.

    Attributes:
        code: the trainer's exit code.
        why: in the trainer's words, where it failed.
    """

    code: int
    stopped: bool = False
    why: str = ""


def plan_training(wanted: Wanted, source: Path, *, on_ray: bool, dry: bool) -> Plan:
    """Make the job and check everything; writes nothing.

    Args:
        dry: what is wrong with this machine alone is a warning.

    Raises:
        RunError: there is nothing that could be trained on, or an override is wrong.
    """
    rows = find_rows(source, wanted.task)
    with ExitStack() as stack:
        swift, about, trainer = _trainer(stack, make_job(wanted, rows, 0, command=ASSUMED).env)
        command = str(swift.command) if swift else ASSUMED
        job = make_job(wanted, rows, 0, command=command, known=about.flags if about else None)
        trainer = _parsed(trainer, swift if about else None, job)
        lengths = _lengths(swift if trainer.status == OK else None, job)
        found = survey(rows, wanted.task, lengths)
    if not found.rows:
        raise RunError(f"{rows}: no rows in this file; give a run that is complete")
    left_out = lengths.over if lengths.how == "measured" and _deletes(job) else {}
    job = _final(wanted, job, about, records=found.rows - len(left_out), copied=bool(left_out))
    checks = [*_of_machine(job, trainer, about, on_ray), *_of_rows(job, rows, found, lengths)]
    lenient = [replace(c, status=WARNING) if dry and _is_machines(c) else c for c in checks]
    return Plan(job, tuple(lenient), lengths, rows, trainer.message, left_out)


def _is_machines(check: Check) -> bool:
    return check.name in _OF_MACHINE and check.status == FAILED


def _deletes(job: TrainingJob) -> bool:
    return job.flags.get("truncation_strategy", "delete") == "delete"


def _trainer(stack: ExitStack, env: Mapping[str, str]) -> tuple[Swift | None, About | None, Check]:
    """The installed ms-swift, what it says of itself, and a check that tells both."""
    command = find_swift()
    if command is None:
        return None, None, Check("trainer", FAILED, str(not_installed()))
    try:
        swift = stack.enter_context(asking(command, env))
        about = swift.about()
    except ConfigError as error:
        return None, None, Check("trainer", FAILED, str(error))
    return swift, about, Check("trainer", OK, f"ms-swift {about.version}")


def _parsed(trainer: Check, swift: Swift | None, job: TrainingJob) -> Check:
    if swift is None:
        return trainer
    try:
        swift.check(job.argv)
    except ConfigError as error:
        return replace(trainer, name="flags", status=FAILED, message=str(error))
    return replace(trainer, message=f"{trainer.message}, which takes these flags")


def _lengths(swift: Swift | None, job: TrainingJob) -> Lengths:
    most = int(job.flags["max_length"]) if job.flags.get("max_length", "").isdigit() else 2**31
    if swift is None:
        why = "by the published rule, without ms-swift"
        return Lengths(Estimate(job.model, job.env), most, "estimated", why)
    try:
        swift.open_measure(job.argv)
    except ConfigError as error:
        why = f"by the published rule, since the model isn't at hand ({error})"
        return Lengths(Estimate(job.model, job.env), most, "estimated", why)
    return Lengths(swift, most, "measured", "with the model's own template, tokenizer and picture rule")


def _final(
    wanted: Wanted, job: TrainingJob, about: About | None, *, records: int, copied: bool
) -> TrainingJob:
    rows = wanted.output / _ROWS if copied else job.rows
    known = about.flags if about else None
    return make_job(wanted, rows, records, command=job.argv[0], known=known, images=job.rows.parent)


def _of_machine(job: TrainingJob, trainer: Check, about: About | None, on_ray: bool) -> Iterator[Check]:
    yield model_check(job.model)
    yield trainer
    yield _gpus(job, about, on_ray)
    yield preflight.batch_check(job.flags, job.gpus, job.nodes)
    yield preflight.disk_check(job.output, job.flags)


def _of_rows(job: TrainingJob, rows: Path, found: Survey, lengths: Lengths) -> Iterator[Check]:
    yield from preflight.row_checks(found)
    yield preflight.balance_check(found, job.task)
    yield preflight.length_check(lengths, job.flags)
    yield preflight.checksum_check(rows)


def _gpus(job: TrainingJob, about: About | None, on_ray: bool) -> Check:
    if job.gpus == 0:
        return Check("gpus", OK, "none: on the CPU")
    if on_ray:
        return Check("gpus", OK, f"{job.gpus} on each of {job.nodes} nodes, of Ray")
    if job.nodes > 1:
        return Check("gpus", FAILED, "several nodes need Ray: --address auto, or HOST:PORT of its head")
    there = about.gpus if about else 0
    if there >= job.gpus:
        return Check("gpus", OK, f"{job.gpus} of {there}")
    wanted = f"--gpus {job.gpus}: torch sees {there or 'no'} GPU{'s' if there > 1 else ''} here"
    return Check(
        "gpus", FAILED, f"{wanted}; give a smaller number, --gpus 0 for the CPU, or --address for Ray"
    )


def start_training(plan: Plan, say: Say, *, address: str | None, insist: bool) -> tuple[Start, Ended]:
    """Train, or go on where it stopped.

    Args:
        address: of a Ray; ``None``: on this machine.
        insist: there must be something to go on with.

    Raises:
        RunError: a check failed, the folder can't be used, or the trainer dropped rows.
    """
    failed = preflight.failures(plan.checks)
    if failed:
        more = f" ({len(failed) - 1} more: --check shows all)" if len(failed) > 1 else ""
        raise RunError(failed[0].message + more)
    start = starting_point(plan.job, insist=insist)
    if start.done:
        return start, Ended(0)
    job = _from(plan.job, start)
    with _held(job.output):
        if plan.left_out:
            leave_out(plan.source, job.rows, dict(plan.left_out))
        facts = _facts(plan, start)
        if address is None:
            return start, _here(Training(job, say, facts))
        return start, _on_ray(job, address, say, facts)


def ray_address(given: str | None) -> str | None:
    """The Ray to train on: the one that is named, or that this job runs in; ``None``: this machine alone."""
    inside = "RAY_ADDRESS" in os.environ or "RAY_JOB_ID" in os.environ
    return given or ("auto" if inside else None)


def _here(training: Training) -> Ended:
    code = training.run()
    return Ended(code, training.stopped, training.cause() if code else "")


def _on_ray(job: TrainingJob, address: str, say: Say, facts: Mapping[str, Any]) -> Ended:
    from dfj_bootstrap.cluster.trainers import train_on_ray

    try:
        return Ended(*asyncio.run(train_on_ray(job, address, say, facts)))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _from(job: TrainingJob, start: Start) -> TrainingJob:
    if start.checkpoint is None:
        return job
    flag = "resume_from_checkpoint"
    argv = (*job.argv, f"--{flag}", str(start.checkpoint))
    return replace(job, argv=argv, flags={**job.flags, flag: str(start.checkpoint)})


def _facts(plan: Plan, start: Start) -> dict[str, Any]:
    return {
        "trainer": plan.trainer,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "resumed_from": start.checkpoint.name if start.checkpoint else None,
        "left_out": [{"id": name, "line": n, "tokens": t} for n, (name, t) in plan.left_out.items()],
        "checks": [check.as_data() for check in plan.checks],
    }


@contextmanager
def _held(output: Path) -> Iterator[None]:
    """Hold the output folder against a second training."""
    output.mkdir(parents=True, exist_ok=True)
    lock = FileLock(output / "train.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunFolderError(f"{output}: another process is training into this folder") from None
    try:
        yield
    finally:
        lock.release()
