"""What the ways to a paid model have in common: a call's path through gate, attempts and dialect.

Who retries what: the client libraries' own retries are off. A call that failed for a passing reason (5xx,
408, 409, 424, 425, 499, timeout, dropped connection, a body that is no answer) is sent again after a growing,
jittered wait, ``max_attempts`` times in all, then it is ``CallFailed``. A 429 uses up no attempt; the wait
that the server asks for is kept, and only a long wall time of it gives the call up. A call that waits holds
no slot. A 401, 403 or 404 after good answers is asked again, too, before it is believed (``doubts.py``).
Until the endpoint has answered some call, failures are not the call's but the endpoint's: they use up no
attempt, and the gate decides when it is given up, and the run with it.

Servers differ in the details that they take. Which ones they do not is learnt from their own refusals, as a
``Dialect`` of the wire format, once per endpoint, and is no part of a call's key.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from dfj_bootstrap.calls.call import IMAGE, Call, Reply
from dfj_bootstrap.calls.pictures import Pictures
from dfj_bootstrap.calls.usage import Metered
from dfj_bootstrap.config.paid import PaidModel
from dfj_bootstrap.errors import EndpointRejected
from dfj_bootstrap.limits.doubts import Doubts
from dfj_bootstrap.limits.gate import Gate
from dfj_bootstrap.limits.permit import Permit
from dfj_bootstrap.limits.retries import Retries

log = logging.getLogger(__name__)


class Problem(Protocol):
    """A server's refusal that no further attempt mends, in the terms of its wire format."""

    @property
    def status(self) -> int: ...

    @property
    def message(self) -> str: ...

    @property
    def page(self) -> bool: ...


D = TypeVar("D")
P = TypeVar("P", bound=Problem)


class PaidEndpoint(ABC, Generic[D, P]):
    """An entry of ``models`` that is reached over HTTP; one per process, for all roles that use it."""

    def __init__(
        self,
        name: str,
        config: PaidModel,
        dialect: D,
        *,
        gate: Gate,
        tracing: bool,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """``gate`` lets attempts in; ``sleep`` and what follows is for tests to replace.

        Args:
            dialect: what is sent first.
        """
        self._name = name
        self._tracing = tracing
        self._gate = gate
        self._now = now
        self._retries = Retries(
            name, config.max_attempts, sleep, jitter, lambda: gate.has_answered or gate.answered_before
        )
        self._dialect = dialect
        self._doubts = Doubts(name, gate.is_proven, lambda: gate.answered_before)
        self._told_estimated = False
        self._pictures = Pictures(config.pixels)

    async def complete(self, call: Call) -> Reply:
        """Ask once, with as many network attempts as it takes.

        Raises:
            CallFailed: no answer after the last attempt, or a request that this server can't take.
            EndpointRejected: key, model, permission or quota: no call can succeed.
        """
        return await self._retries.complete(call, self._attempt)

    def stop_admission(self) -> None:
        self._gate.stop_admission()

    @abstractmethod
    async def aclose(self) -> None:
        """Close all connections."""

    async def _attempt(self, call: Call) -> Reply:
        """One attempt in one slot; a server that refuses a detail of our dialect is asked again at once."""
        image = call.image if IMAGE in call.parts else None
        if image:
            await self._pictures.prepare(image)
        async with self._gate.admitted(call) as permit:
            url = await self._pictures.data_url(image) if image else None  # now: who waits holds no picture
            while True:
                dialect = self._dialect
                answer = await self._ask(call, dialect, url)
                if isinstance(answer, Metered):
                    self._doubts.answered(call)
                    return permit.settle(self._priced(permit, answer))
                if not self._learn(dialect, answer):
                    return self._believed(call, answer)

    def _priced(self, permit: Permit, answer: Metered) -> Reply:
        """With its cost; that an endpoint doesn't tell its usage is said once."""
        reply = self._gate.priced(permit, answer)
        if reply.estimated and not self._told_estimated:
            self._told_estimated = True
            log.warning(
                "models.%s: its answers do not tell the tokens that they took: "
                "each counts at the worst case that was set aside for it", self._name,
            )  # fmt: skip
        return reply

    def _believed(self, call: Call, problem: P) -> Reply:
        """What a refusal for good comes to, unless it may be a stray one."""
        try:
            return self._settle(call, problem)
        except EndpointRejected as refusal:
            raise self._doubts.weighed(
                call, problem.status, problem.message, refusal, page=problem.page
            ) from None

    def _learn(self, sent: D, problem: P) -> bool:
        """Whether to send again, in another dialect: decided once per endpoint, and told in the log."""
        other = self._adapted(sent, problem)
        if other is None:
            return False
        if sent == self._dialect:  # else another call has learnt it meanwhile
            self._dialect = other
            log.info(
                "models.%s: from now on with %s, since the server said: %s",
                self._name, other, problem.message,
            )  # fmt: skip
        return True

    @abstractmethod
    async def _ask(self, call: Call, dialect: D, data_url: str | None) -> Metered | P:
        """Send one request.

        Raises:
            Broken: a further attempt may mend it.
        """

    @abstractmethod
    def _adapted(self, dialect: D, problem: P) -> D | None:
        """The dialect to try instead, where the problem names what the server doesn't take."""

    @abstractmethod
    def _settle(self, call: Call, problem: P) -> Reply:
        """What a refusal for good comes to: an answer, or the end of the call or the run.

        Raises:
            CallFailed: the request would be refused again.
            EndpointRejected: so would every other one.
        """
