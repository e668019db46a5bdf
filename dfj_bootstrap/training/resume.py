"""Whether an output folder may be trained into, and from where: the same command goes on where it stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.storage.folder import is_empty
from dfj_bootstrap.training.checkpoints import checkpoints
from dfj_bootstrap.training.job import TrainingJob
from dfj_bootstrap.training.logbook import NAME, read_logbook

_FROM = "--resume_from_checkpoint"


@dataclass(frozen=True, slots=True)
class Start:
    """Where a training begins.

    Attributes:
        checkpoint: to go on from; ``None``: at the beginning.
        done: the folder holds this very training, complete.
        changed: flags that are others than before.
    """

    checkpoint: Path | None = None
    done: bool = False
    changed: tuple[str, ...] = ()


def starting_point(job: TrainingJob, *, insist: bool) -> Start:
    """Look at the output folder of a job.

    Args:
        insist: there must be something to go on with.

    Raises:
        RunFolderError: there is nothing, or the folder holds something else; nothing was written.
    """
    output = job.output
    book = read_logbook(output)
    if book is None:
        if insist:
            raise RunFolderError(f"{output}: --resume: there is no training here to go on with")
        if not is_empty(output):
            raise RunFolderError(
                f"{output}: not empty, and no training ({NAME}); name a new folder by --output"
            )
        return Start()
    _check_same(job, book)
    whole = checkpoints(output)
    changed = _changed(book["argv"], job.argv)
    if book.get("state") == "complete" and not changed:
        return Start(whole[-1] if whole else None, done=True)
    return Start(whole[-1] if whole else None, changed=changed)


def _check_same(job: TrainingJob, book: dict[str, Any]) -> None:
    mine = {"task": str(job.task), "model": job.model, "rows": str(job.rows), "records": job.records}
    for name, value in mine.items():
        if book.get(name) != value:
            raise RunFolderError(
                f"{job.output}: the training here has another `{name}` ({book.get(name)}, now {value}); "
                "name another folder by --output"
            )


def _changed(before: Sequence[str], now: Sequence[str]) -> tuple[str, ...]:
    old, new = _by_flag(before), _by_flag(now)
    return tuple(name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name))


def _by_flag(argv: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for word in argv[2:]:
        if word.startswith("--"):
            found[word] = []
        elif found:
            found[next(reversed(found))].append(word)
    found.pop(_FROM, None)
    return found
