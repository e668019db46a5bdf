"""The way from single calls to chunks, and back to single answers.

Invariants: one process is at work at a time, and answers calls that sample alike. A process starts when a
chunk is full, or when no further call has come for a moment: then all who could ask wait for answers. A row
that ends a process costs itself alone: what was written before it counts, the batch that it is in is asked
row by row, and the first of those without an answer is the one. Only what had no answer is asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dfj_bootstrap.calls.call import Call, Reply
from dfj_bootstrap.config.models import SwiftModel
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.endpoints.child import GRACE_S
from dfj_bootstrap.endpoints.swift.command import Sampling
from dfj_bootstrap.endpoints.swift.inference import Ended, Inference
from dfj_bootstrap.errors import CallFailed, DfjError, EndpointRejected, Stopped

QUIET_S = 2.0
"""Seconds without a further call after which a chunk that isn't full is started."""

FRUITLESS = 8
"""Processes in a row without any answer, after which the model is given up."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call, and the promise of its answer; done without one where nobody waits any more."""

    call: Call
    answer: asyncio.Future[Reply]


class SwiftEndpoint:
    """An entry of ``models`` with ``backend: swift``; its first process starts with the first calls."""

    def __init__(
        self, name: str, config: SwiftModel, run: Path, *, quiet_s: float = QUIET_S, grace_s: float = GRACE_S
    ) -> None:
        """``run``: the run folder, which takes rows, pictures and the log.

        Raises:
            ConfigError: there is no ms-swift.
        """
        self._title = f"models.{name}"
        self._config = config
        self._inference = Inference(name, config, run, grace_s)
        self._quiet_s = quiet_s
        self._waiting: list[Asked] = []
        self._quiet: asyncio.TimerHandle | None = None
        self._working: asyncio.Task[None] | None = None
        self._over: Exception | None = None
        self._fruitless = 0

    async def complete(self, call: Call) -> Reply:
        """Wait for the chunk that the call gets into.

        Raises:
            CallFailed: ms-swift fails on this row.
            EndpointRejected: it fails whatever it is asked.
            Stopped: the worker stops.
        """
        if self._over:
            raise _anew(self._over)
        if call.rng_seed is not None:
            raise EndpointRejected(
                f"{self._title}: `swift infer` has no seed for each call; leave rng_seed out"
            )
        asked = Asked(call, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        self._stir()
        return await asked.answer

    def stop_admission(self) -> None:
        """Nothing more is started; what the process at work has written by now is still taken."""
        self._inference.stop()
        self._end(Stopped())

    async def aclose(self) -> None:
        """End the process and all that it started."""
        self.stop_admission()
        if self._working:
            await asyncio.wait([self._working])

    def _stir(self) -> None:
        """Start a chunk that is full; else wait a moment for further calls."""
        if self._quiet:
            self._quiet.cancel()
        if self._working or self._over or not self._waiting:
            return
        if len(self._next()) == self._config.chunk:
            self._start()
        else:
            self._quiet = asyncio.get_running_loop().call_later(self._quiet_s, self._start)

    def _next(self) -> list[Asked]:
        """The next chunk: calls that sample as the oldest one does."""
        self._waiting = [asked for asked in self._waiting if not asked.answer.done()]
        alike = [a for a in self._waiting if Sampling.of(a.call) == Sampling.of(self._waiting[0].call)]
        return alike[: self._config.chunk]

    def _start(self) -> None:
        chunk = self._next()
        if chunk:
            taken = set(map(id, chunk))
            self._waiting = [asked for asked in self._waiting if id(asked) not in taken]
            self._working = asyncio.create_task(self._work(chunk))

    async def _work(self, chunk: Sequence[Asked]) -> None:
        """Answer a chunk; whatever ends that early is told to all who wait."""
        try:
            await self._answer(chunk)
        except Exception as error:
            _fail(chunk, error)
            self._end(error)
        self._working = None
        self._stir()

    def _end(self, why: Exception) -> None:
        """No further call is taken."""
        self._over = self._over or why
        waiting, self._waiting = self._waiting, []
        _fail(waiting, why)
        if self._quiet:
            self._quiet.cancel()

    async def _answer(self, chunk: Sequence[Asked]) -> None:
        """Ask until each call of a chunk has its answer or its failure; the last group goes first."""
        groups = [(list(chunk), self._config.batch)]
        while groups:
            group, batch = groups.pop()
            wanted = [asked for asked in group if not asked.answer.done()]
            if wanted:
                ended = await self._inference.ask([asked.call for asked in wanted], batch)
                left = self._hand_out(wanted, ended)
                if self._over:
                    raise self._over
                groups += self._again(left, ended, batch)

    def _hand_out(self, wanted: Sequence[Asked], ended: Ended) -> list[Asked]:
        """Give the answers; returns the calls that have none."""
        for number, text in ended.answers.items():
            asked = wanted[number]
            if not asked.answer.done():
                asked.answer.set_result(Reply(text, Finish.UNTOLD, asked.call.model))
        self._fruitless = 0 if ended.answers else self._fruitless + 1
        return [asked for number, asked in enumerate(wanted) if number not in ended.answers]

    def _again(self, left: list[Asked], ended: Ended, batch: int) -> list[tuple[list[Asked], int]]:
        """What is to be asked of the calls without an answer, as groups with their batch sizes.

        Raises:
            EndpointRejected: that there are such calls is no row's fault.
        """
        if not left:
            return []
        if ended.whole:
            _fail(left, CallFailed(f"{self._title}: `swift infer` left this row out of its results"))
            return []
        if not ended.began or self._fruitless >= FRUITLESS:
            raise self._given_up(ended)
        if batch > 1:
            return [(left[batch:], batch), (left[:batch], 1)]
        _fail(left[:1], CallFailed(f"{self._title}: `swift infer` {ended.how} at this row: {ended.cause}"))
        return [(left[1:], 1)]

    def _given_up(self, ended: Ended) -> EndpointRejected:
        often = f"{self._fruitless} times in a row without an answer"
        when = often if ended.began else "before its first row"
        said = " | ".join(ended.why) or "nothing"
        return EndpointRejected(
            f"{self._title}: `swift infer` {ended.how}, {when}; "
            f"its log ({self._inference.log}) ends with: {said}"
        )


def _fail(asked: Sequence[Asked], why: Exception) -> None:
    for each in asked:
        if not each.answer.done():
            each.answer.set_exception(_anew(why))


def _anew(why: Exception) -> Exception:
    """An error of its own for each who is told."""
    return type(why)(*why.args) if isinstance(why, DfjError) else why
