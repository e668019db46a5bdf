"""How long one call goes on: which failures are sent again, after what wait, and when it is given up.

A ``Broken`` attempt is made again after a growing, jittered wait, ``max_attempts`` times in all. A
``Throttled`` one uses up no attempt; what the server asked to wait is kept, and only a long wall time of it
gives the call up. Nor do attempts at a server that has never answered: how long that goes on is decided for
the endpoint as a whole. The waiting itself holds nothing: an attempt takes its slot and gives it back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from dfj_bootstrap.calls.call import Call, Reply
from dfj_bootstrap.errors import CallFailed, EndpointRejected
from dfj_bootstrap.limits.backoff import growing
from dfj_bootstrap.limits.broken import Broken, Doubtful, Throttled
from dfj_bootstrap.limits.seldom import Seldom

log = logging.getLogger(__name__)

PATIENCE_S = 1800.0
"""Seconds that one call waits in all for a server that keeps saying 429."""

_LONGEST_BACKOFF_S = 30.0
_LONGEST_UNHEARD_S = 3.0
"""The longest wait before the first answer, so that a server that isn't there is found out soon."""


@dataclass(frozen=True, slots=True)
class Retries:
    """An endpoint's way of asking again.

    Attributes:
        name: the endpoint's, for messages.
        max_attempts: attempts per call; a throttled one does not count, nor one before the first answer.
        jitter: a number in [0, 1) for each wait.
        has_answered: whether the endpoint has ever answered a call.
    """

    name: str
    max_attempts: int
    sleep: Callable[[float], Awaitable[None]]
    jitter: Callable[[], float]
    has_answered: Callable[[], bool]
    seldom: Seldom = field(default_factory=Seldom)

    async def complete(self, call: Call, attempt: Callable[[Call], Awaitable[Reply]]) -> Reply:
        """The reply of the first attempt that is not broken, with the number of attempts in it.

        Raises:
            CallFailed: no answer after the last attempt.
            EndpointRejected: nor has any other call had one.
        """
        try:
            return await attempt(call)
        except Broken as broken:
            return await self._again(call, attempt, broken)

    async def _again(self, call: Call, attempt: Callable[[Call], Awaitable[Reply]], first: Broken) -> Reply:
        """Go on after a first attempt that broke; calls that need no more are spared the machinery."""
        broken = [first]

        async def next_attempt(call: Call) -> Reply:
            if broken:
                raise broken.pop()
            return await attempt(call)

        patience = _Patience(self.max_attempts, self.jitter, self.has_answered)
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(Broken),
            wait=patience.wait,
            stop=patience.is_over,
            sleep=self.sleep,
            before_sleep=lambda state: self._log_wait(call, state),
            reraise=True,
        )
        try:
            reply: Reply = await retrying(next_attempt, call)
            return replace(reply, attempts=patience.waits + 1)
        except Doubtful as last:
            return replace(last.verdict(), attempts=patience.waits)
        except Broken as last:
            kind = CallFailed if self.has_answered() else EndpointRejected
            raise kind(f"models.{self.name}: {last.why} (given up after {patience.told(last)})") from None

    def _log_wait(self, call: Call, state: RetryCallState) -> None:
        if not self.seldom.may_say(_failure(state).why.partition(":")[0], time.monotonic()):
            return
        log.info(
            "models.%s: %s of seed %s waits %.1f s: %s",
            self.name, call.role, call.place.seed_id, state.upcoming_sleep, _failure(state).why,
        )  # fmt: skip


class _Patience:
    """How long one call goes on, and how long it waits in between. tenacity asks ``wait`` first."""

    def __init__(
        self, max_attempts: int, jitter: Callable[[], float], has_answered: Callable[[], bool]
    ) -> None:
        self._max_attempts = max_attempts
        self._jitter = jitter
        self._has_answered = has_answered
        self._unheard = 0
        self._broken = 0
        self._throttled = 0
        self._throttled_s = 0.0

    def wait(self, state: RetryCallState) -> float:
        """Seconds until the next attempt: what the server asked, or twice as long each time; jittered."""
        failure = _failure(state)
        spread = self._jitter()
        if isinstance(failure, Throttled):
            self._throttled += 1
            seconds = self._after_429(failure.wait_s) * (1 + spread / 4)
            self._throttled_s += seconds
            return seconds
        if self._has_answered():
            self._broken += 1
            backoff = growing(0.5, self._broken, _LONGEST_BACKOFF_S)
        else:
            self._unheard += 1
            backoff = growing(0.5, self._unheard, _LONGEST_UNHEARD_S)
        return max(backoff * (0.5 + spread / 2), min(failure.wait_s or 0.0, PATIENCE_S))

    def is_over(self, state: RetryCallState) -> bool:
        return self._broken >= self._max_attempts or self._throttled_s > PATIENCE_S

    @property
    def waits(self) -> int:
        """How often the call was sent again."""
        return self._broken + self._throttled + self._unheard

    def told(self, last: Broken) -> str:
        """For an error message: how much was tried."""
        if isinstance(last, Throttled):
            longest = f"{PATIENCE_S / 60:g} minutes"
            if (last.wait_s or 0.0) > PATIENCE_S:
                return (
                    f"{self._throttled - 1} waits: it asks to wait {last.wait_s:.0f} s, more than {longest}"
                )
            return f"{self._throttled} waits; the next would pass {longest}"
        return f"{self._broken} attempts"

    def _after_429(self, asked_s: float | None) -> float:
        """At least what was asked; more the longer it goes on, since a server may ask for no wait at all."""
        least_s = growing(0.05, self._throttled, _LONGEST_BACKOFF_S)
        return max(least_s, 1.0 if asked_s is None else asked_s)


def _failure(state: RetryCallState) -> Broken:
    failure = state.outcome.exception() if state.outcome else None
    assert isinstance(failure, Broken)
    return failure
