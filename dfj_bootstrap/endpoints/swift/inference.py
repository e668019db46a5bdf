"""One process of ``swift infer`` over one chunk: a fresh folder, a fresh result file, a supervised child.

Fresh, since it would append to an old result file. What it has written counts, however it ended: results come
batch by batch.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from dfj_bootstrap.calls.call import Call
from dfj_bootstrap.config.models import SwiftModel
from dfj_bootstrap.endpoints.child import cause_in, end_child, how_it_ended, start_child, tail_of
from dfj_bootstrap.endpoints.swift.command import Sampling, infer_command, infer_environment, swift_command
from dfj_bootstrap.endpoints.swift.rows import question_of, read_answers, write_rows

log = logging.getLogger(__name__)

_BEGAN = b"request_config: "
"""What ms-swift 3 and 4 print once the model is loaded, before the first row."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended.

    Attributes:
        answers: of the calls, by their number.
        whole: it went through all rows.
        began: the model was loaded, so that a row may be to blame.
        how: in words.
        why: the end of its log.
    """

    answers: Mapping[int, str]
    whole: bool
    began: bool
    how: str
    why: Sequence[str]

    @property
    def cause(self) -> str:
        """In one line."""
        return cause_in(self.why)


class Inference:
    """A model's way of being asked by ``swift infer``; one process at a time."""

    def __init__(self, name: str, model: SwiftModel, run: Path, grace_s: float) -> None:
        self._title = f"models.{name}"
        self._model = model
        self._swift = swift_command(name, model)
        self._folder = run / "swift" / quote(name, safe="")
        self.log = run / "logs" / f"swift-{quote(name, safe='')}.log"
        self._grace_s = grace_s
        self._stopped = asyncio.Event()
        self._number = 0

    def stop(self) -> None:
        """End the process; what it has written still counts."""
        self._stopped.set()

    async def ask(self, calls: Sequence[Call], batch: int) -> Ended:
        """Ask calls that sample alike.

        Raises:
            SeedsError: a picture is gone, or another one, since the rows were read.
        """
        if not self._number:
            shutil.rmtree(self._folder, ignore_errors=True)  # of a start that was killed
        self._number += 1
        folder = self._folder / f"chunk-{self._number:06d}"
        folder.mkdir(parents=True)
        try:
            return await self._asked_in(folder, calls, batch)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def _asked_in(self, folder: Path, calls: Sequence[Call], batch: int) -> Ended:
        rows, results = await asyncio.to_thread(write_rows, calls, folder), folder / "results.jsonl"
        command = infer_command(self._swift, self._model, Sampling.of(calls[0]), batch, rows, results)
        log.info(
            "%s: %d calls go to `swift infer`; what it says goes to %s", self._title, len(calls), self.log
        )
        before = self.log.stat().st_size if self.log.exists() else 0
        how, whole = await self._run(command)
        answers = await asyncio.to_thread(read_answers, results, [question_of(call) for call in calls])
        return Ended(answers, whole, self._said(_BEGAN, before), how, tail_of(self.log))

    async def _run(self, command: Sequence[str]) -> tuple[str, bool]:
        """How it ended, and whether by itself and well."""
        process = await start_child(command, infer_environment(self._model), self.log, self._grace_s)
        try:
            if not await self._ends(process):
                return f"was not done within {self._model.timeout_s:g} s (timeout_s)", False
            return f"ended with {how_it_ended(process)}", process.returncode == 0
        finally:
            await end_child(process, self._grace_s)

    async def _ends(self, process: asyncio.subprocess.Process) -> bool:
        """Wait until it has ended by itself; false where it is to be ended."""
        waits = [asyncio.create_task(process.wait()), asyncio.create_task(self._stopped.wait())]
        try:
            await asyncio.wait(waits, timeout=self._model.timeout_s, return_when=asyncio.FIRST_COMPLETED)
            return waits[0].done()
        finally:
            for wait in waits:
                wait.cancel()

    def _said(self, words: bytes, since: int) -> bool:
        """Whether its log has some words."""
        with suppress(OSError), self.log.open("rb") as file:
            file.seek(since)
            return any(words in line for line in file)
        return False
