"""An endpoint behind the journal: what was answered once is never asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from dfj_bootstrap.calls.call import Call, Endpoint, Reply
from dfj_bootstrap.calls.lost import note_lost_by
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.errors import Stopped
from dfj_bootstrap.storage.journal import Records
from dfj_bootstrap.storage.spent import LOST, MAYBE_USD, count_record


class JournalledEndpoint:
    """Answers from the journal where it can, else asks, and records the answer before anyone sees it.

    Each question is a task of its own, and ends exactly once: answered, failed, or stopped with the worker.
    Two callers with the very same call (two levels whose texts came out alike) share it: paid once, and the
    same on replay. A caller that is cancelled leaves it running, so that ``drain`` can still record what is
    being paid for.
    """

    def __init__(self, inner: Endpoint, journal: Records, count: Callable[[str, float], None]) -> None:
        """``count`` is told what ``storage.spent`` enters, and of calls replayed, failed and stopped."""
        self._inner = inner
        self._journal = journal
        self._count = count
        self._asked: dict[str, asyncio.Task[Reply]] = {}

    async def complete(self, call: Call) -> Reply:
        recorded = self._journal.get(call.key)
        if recorded is not None:
            self._count("calls.replayed", 1)
            return read_reply(recorded)
        asked = self._asked.get(call.key)
        if asked is None:
            asked = self._asked[call.key] = asyncio.create_task(self._ask(call))
            asked.add_done_callback(lambda task: self._ended(call.key, task))
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            if asked.cancelled() and not _is_being_cancelled():
                raise Stopped from None  # else the caller's group would take it for finished
            raise

    async def settle(self) -> None:
        """Wait until all that was asked has ended, whether somebody still waits for it or not."""
        if self._asked:
            await asyncio.wait(self._asked.values())

    async def drain(self, grace_s: float) -> None:
        """Give calls in flight ``grace_s`` seconds to be answered and recorded, then cancel them."""
        if not self._asked:
            return
        _, late = await asyncio.wait(self._asked.values(), timeout=grace_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    def stop_admission(self) -> None:
        self._inner.stop_admission()

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _ask(self, call: Call) -> Reply:
        note_lost_by(lambda usd: self._lose(call, usd))
        reply = await self._inner.complete(call)
        about, value = _about(call), reply.as_record()
        self._journal.append(call.key, value, **about)
        count_record({**about, "value": value}, self._count)
        return reply

    def _lose(self, call: Call, usd: float) -> None:
        """Remember over the next start what an attempt without an answer may have cost."""
        number = 0
        while self._journal.get(f"{LOST}{number}:{call.key}") is not None:
            number += 1
        self._journal.append(f"{LOST}{number}:{call.key}", usd, endpoint=call.endpoint)
        self._count(MAYBE_USD, usd)

    def _ended(self, key: str, task: asyncio.Task[Reply]) -> None:
        del self._asked[key]
        error = Stopped() if task.cancelled() else task.exception()  # looked at: nobody may have waited
        if error is not None:
            self._count("calls.stopped" if isinstance(error, Stopped) else "calls.failed", 1)


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _about(call: Call) -> dict[str, Any]:
    """What a reader of the journal wants to know of an answer."""
    place = call.place
    return {
        "role": call.role,
        "endpoint": call.endpoint,
        "label": call.label,
        "seed": place.seed_id,
        "level": place.level,
        "round": place.round_index,
        "sample": place.sample,
    }


def read_reply(recorded: Mapping[str, Any]) -> Reply:
    """An answer from the form in which the journal holds it."""
    logprobs = tuple((token, logprob) for token, logprob in recorded.get("logprobs", ()))
    finish = Finish(recorded["finish"])
    return Reply(**{**recorded, "finish": finish, "logprobs": logprobs, "recorded": True})
