"""What must be right before a GPU is taken. Each check has a name, a verdict and one sentence.

``failed`` stops the job; a ``warning`` doesn't. What is wrong with rows names them.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dfj_bootstrap.dataset.checksums import checksum, read_checksums
from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.training.lengths import Lengths
from dfj_bootstrap.training.recipe import ROWS_PER_STEP, Task
from dfj_bootstrap.training.survey import Survey

OK, WARNING, FAILED = "ok", "warning", "failed"

CHECKPOINT_BYTES = 2**30
"""Of one checkpoint of the published 7B judge: 81 million parameters, and two moments of each."""

_ROW_CHECKS = {
    "rows": ("every line is a row", "lines are no rows"),
    "roles": ("user and assistant take turns", "rows have other turns"),
    "tags": ("an <image> for every picture", "rows have more or fewer <image> than pictures"),
    "targets": ("every target parses", "targets don't parse"),
    "images": ("every picture opens", "rows have a picture that can't be used"),
}
_LEVELS = ("1", "2", "3", "4", "5")
_SCARCE = 0.5
"""A level or class with less than this share of an even one is told."""

_LOPSIDED = 0.05
"""How far from a half the share of A may be."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check's verdict.

    Attributes:
        rows: ``{"id", "line", "why"}`` of those that it is about, the first thousand.
    """

    name: str
    status: str
    message: str
    rows: tuple[Mapping[str, Any], ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)

    def as_data(self) -> dict[str, Any]:
        """For ``--json``."""
        return {name: value for name, value in asdict(self).items() if value or name in ("name", "status")}


def row_checks(found: Survey) -> Iterator[Check]:
    """What is wrong with single rows."""
    for name, (good, bad) in _ROW_CHECKS.items():
        faults = found.faults.get(name, [])
        if not faults:
            yield Check(name, OK, good)
            continue
        first = faults[0]
        text = f"{found.found[name]} {bad}; the first: row {first.row} (line {first.line}): {first.why}"
        yield Check(name, FAILED, text, tuple({"id": f.row, "line": f.line, "why": f.why} for f in faults))


def balance_check(found: Survey, task: Task) -> Check:
    """How rows are spread over classes, and over levels or letters."""
    told = [*_scarce(found.spread.get("label", Counter()), "class")]
    if task is Task.POINTWISE:
        told += _scarce(
            Counter({level: found.spread.get("level", Counter())[level] for level in _LEVELS}), "level"
        )
    else:
        told += _lopsided(found.spread.get("answer", Counter()))
    shown = "; ".join(
        f"{what} " + ", ".join(f"{value} {n}" for value, n in sorted(counts.items()))
        for what, counts in found.spread.items()
    )
    data = {what: dict(sorted(counts.items())) for what, counts in found.spread.items()}
    message = "; ".join([*told, shown]) or "nothing to count"
    return Check("balance", WARNING if told else OK, message, data=data)


def _scarce(counts: Counter[str], what: str) -> list[str]:
    even = sum(counts.values()) / max(len(counts), 1)
    return [f"few rows of {what} {value}" for value, n in sorted(counts.items()) if n < even * _SCARCE]


def _lopsided(counts: Counter[str]) -> list[str]:
    total = sum(counts.values())
    share = counts["A"] / total if total else 0.5
    return [f"A is preferred in {share:.0%} of the rows"] if abs(share - 0.5) > _LOPSIDED else []


def length_check(lengths: Lengths, flags: Mapping[str, str]) -> Check:
    """Which rows are longer than ``--max_length``, and what becomes of them."""
    head = f"{lengths.how} {lengths.by}; the longest has {lengths.longest} tokens of {lengths.max_length}"
    over = [
        {"id": name, "line": line, "why": f"{tokens} tokens"} for line, (name, tokens) in lengths.over.items()
    ]
    if not over:
        return Check("lengths", OK, head, data=lengths.as_data())
    named = ", ".join(str(row["id"]) for row in over[:5]) + (" …" if len(over) > 5 else "")
    message = f"{len(over)} rows are longer: {_fate(lengths, flags)} ({named}); {head}"
    return Check("lengths", WARNING, message, tuple(over[:1000]), lengths.as_data())


def _fate(lengths: Lengths, flags: Mapping[str, str]) -> str:
    if flags.get("truncation_strategy", "delete") != "delete":
        return f"they are cut, since truncation_strategy is {flags['truncation_strategy']}"
    if lengths.how == "measured":
        return "they are left out; --set max_length=N keeps them"
    return "by this estimate; a row that really is stops the trainer, so leave room by --set max_length=N"


def disk_check(output: Path, flags: Mapping[str, str]) -> Check:
    """Whether the checkpoints that are kept find room."""
    kept = _checkpoints(flags)
    needed = kept * CHECKPOINT_BYTES
    free = shutil.disk_usage(_existing(output)).free
    text = f"{free / 2**30:.1f} GiB free for {kept} checkpoints of about {CHECKPOINT_BYTES / 2**30:.0f} GiB"
    return Check(
        "disk", OK if free >= needed else FAILED, text if free >= needed else f"only {text}; make room"
    )


def _checkpoints(flags: Mapping[str, str]) -> int:
    most = flags.get("save_total_limit", "")
    epochs = flags.get("num_train_epochs", "1")
    by_epoch = flags.get("save_strategy") == "epoch" and epochs.isdigit()
    wanted = int(epochs) if by_epoch else 5
    return max(min(wanted, int(most)) if most.isdigit() else wanted, 1)


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def checksum_check(rows: Path) -> Check:
    """Whether rows and pictures are, byte for byte, as the run wrote them, where a run did."""
    run = next((p.parent for p in rows.parents if p.name == "dfj-meta"), None)
    if run is None or not (run / "checksums.jsonl").is_file():
        return Check("checksums", OK, "no checksums beside these rows: not compared")
    prefix = f"{rows.parent.relative_to(run / 'dfj-meta').as_posix()}/"
    try:
        ours = [entry for entry in read_checksums(run) if entry.path.startswith(prefix)]
    except RunFolderError as error:
        return Check("checksums", FAILED, str(error))
    changed = [e.path for e in ours if checksum(run / "dfj-meta" / e.path) != e.sha256]
    if not changed:
        return Check("checksums", OK, f"all {len(ours)} files are as they were written")
    text = f"{len(changed)} files aren't as they were written, e.g. {changed[0]}; see `dfj verify {run}`"
    return Check(
        "checksums", FAILED, text, tuple({"id": path, "why": "changed or missing"} for path in changed)
    )


def batch_check(flags: Mapping[str, str], gpus: int, nodes: int) -> Check:
    """Whether an optimizer's step sees as many rows as the published one."""
    each, steps = (flags.get(n, "1") for n in ("per_device_train_batch_size", "gradient_accumulation_steps"))
    if not (each.isdigit() and steps.isdigit()):
        return Check("batch", OK, "rows a step are ms-swift's to choose")
    rows = int(each) * int(steps) * max(gpus, 1) * nodes
    if rows == ROWS_PER_STEP:
        return Check("batch", OK, f"{rows} rows a step, as published")
    hint = "gradient_accumulation_steps makes up for GPUs"
    return Check("batch", WARNING, f"{rows} rows a step, published were {ROWS_PER_STEP}; {hint}")


def failures(checks: Sequence[Check]) -> list[Check]:
    """Those that stop the job."""
    return [check for check in checks if check.status == FAILED]
