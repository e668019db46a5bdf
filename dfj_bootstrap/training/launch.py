"""Runs a training on this machine: one supervised child, whose whole tree ends with it, or with us.

Invariants: what runs is the job's ``argv`` with its ``env``; a trainer that counts other rows than the job
says is ended before it has trained on many; whatever ends this process ends all that the trainer started.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from dfj_bootstrap.endpoints import supervisor
from dfj_bootstrap.errors import RunError
from dfj_bootstrap.ms_swift.command import without_ours
from dfj_bootstrap.training.checkpoints import checkpoints
from dfj_bootstrap.training.job import TrainingJob
from dfj_bootstrap.training.logbook import Logbook
from dfj_bootstrap.training.trainer_log import Figures, Said

LOG = "train.log"
GRACE_S = 10.0
"""Seconds between SIGTERM and SIGKILL: torchrun needs a few to end its processes."""

_LOOK_S = 1.0
_CHUNK = 65536
_LONGEST_LINE = 2**20

Say = Callable[[str], None]


class Training:
    """One start of a trainer."""

    def __init__(
        self, job: TrainingJob, say: Say, facts: Mapping[str, Any], *, grace_s: float = GRACE_S
    ) -> None:
        """``say`` is told every line that the trainer prints."""
        self._job = job
        self._say = say
        self._grace_s = grace_s
        self._said = Said()
        self._figures = Figures(job.output)
        self._keeps_books = job.env.get("NODE_RANK", "0") == "0"
        self.book = Logbook(job, self._figures, facts)
        self._trains = False
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Train to the end.

        Returns:
            The trainer's exit code; 128 and its number where a signal ended it.

        Raises:
            RunError: the trainer counts other rows than the job, or can't be started.
        """
        self._go_on()
        self._note(state="running")
        try:
            code = self._train()
        except KeyboardInterrupt:
            self._note(state="interrupted")
            raise
        except BaseException as error:
            self._note(state="failed", why=str(error))
            raise
        self._close(code)
        return code

    def stop(self) -> None:
        """End the trainer, from another thread; ``run`` then returns."""
        self._stopping.set()
        self._end()

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping.is_set()

    def cause(self) -> str:
        """Why the trainer failed, in its own words."""
        return self._said.cause()

    def _go_on(self) -> None:
        """Take over the figures of the steps that the checkpoint has."""
        checkpoint = self._job.flags.get("resume_from_checkpoint", "")
        if checkpoint:
            self._figures.read()
            self._figures.forget_after(int(Path(checkpoint).name.rpartition("-")[2]))
        else:
            self._figures.skip_to_end()

    def _train(self) -> int:
        log_path = self._job.output / LOG
        with _start(self._job, self._grace_s) as process, _private(log_path) as log:
            self._process = process
            try:
                self._follow(process, log)
            finally:
                self._end()
                code = _exit_code(process.wait())
        self._look(idle=False)
        self._check_count(at_end=code == 0)
        return code

    def _follow(self, process: subprocess.Popen[bytes], log: BinaryIO) -> None:
        """Hand on what it prints until it closes its output, looking at its figures about once a second."""
        assert process.stdout
        rest = b""
        while True:
            ready, _, _ = select.select([process.stdout], [], [], _LOOK_S)
            data = os.read(process.stdout.fileno(), _CHUNK) if ready else None
            if data:
                log.write(data)
                log.flush()
                *lines, rest = (rest + data).split(b"\n")
                self._hear([*lines, rest] if len(rest) > _LONGEST_LINE else lines)
                rest = b"" if len(rest) > _LONGEST_LINE else rest
            self._look(idle=not data)
            if data == b"":
                self._hear([rest] if rest else [])
                return

    def _hear(self, lines: list[bytes]) -> None:
        for line in lines:
            self._say(self._said.hear(line.decode("utf-8", "replace")))
        self._check_count(at_end=False)

    def _look(self, *, idle: bool) -> None:
        """Take what figures there are; where there are some, all that was printed before has been heard."""
        if self._keeps_books:
            new = self._figures.read()
            self._trains = self._trains or new
            self._check_count(at_end=self._trains and idle)
            self.book.keep_up(changed=new)

    def _check_count(self, *, at_end: bool) -> None:
        """Hold the trainer's count against the job's; by its first figures it must have told it."""
        count, records = self._said.rows, self._job.records
        if count is not None and count != records:
            raise RunError(
                f"the trainer counts {count} rows where {records} should be trained on: it was ended; "
                f"see {self._job.output / LOG} for what it dropped"
            )
        if count is None and at_end and self._keeps_books and not self.stopped:
            raise RunError(
                f"the trainer never said how many rows it trains on, where {records} should be; it was "
                "ended, since rows may have been dropped in silence"
            )

    def _end(self) -> None:
        """Have the supervisor end the tree."""
        if self._process is not None and self._process.stdin:
            with suppress(OSError):
                self._process.stdin.close()

    def _close(self, code: int) -> None:
        state = "interrupted" if self.stopped else "failed" if code else "complete"
        why = {"why": self.cause()} if state == "failed" else {}
        whole = checkpoints(self._job.output)
        adapter = {"adapter": whole[-1].name} if state == "complete" and whole else {}
        self._note(state=state, exit_code=code, rows_of_trainer=self._said.rows, **why, **adapter)

    def _note(self, **facts: Any) -> None:
        if self._keeps_books:
            self.book.note(**facts)


def _start(job: TrainingJob, grace_s: float) -> subprocess.Popen[bytes]:
    watched = [sys.executable, "-I", supervisor.__file__, "--grace-s", f"{grace_s:g}", "--"]
    try:
        return subprocess.Popen(
            [*watched, *job.argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=without_ours({**os.environ, **job.env}),
            start_new_session=True,
        )
    except OSError as error:
        raise RunError(f"{job.argv[0]}: can't be started: {error.strerror}") from None


def _exit_code(code: int) -> int:
    """An exit code as a shell gives it."""
    return code if code >= 0 else 128 - code


def _private(path: Path) -> BinaryIO:
    """A log to append to, readable by its owner alone: trainers print texts of rows."""
    return open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600))
