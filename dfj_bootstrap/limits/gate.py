"""The gate of an endpoint: a call waits here for its turn, for as long as limits, pauses and budget ask.

One per endpoint and worker. Used as ``async with gate.admitted(call) as permit`` around one attempt: what
the block raises tells how the attempt ended.

Invariants:

- In flight, rate and dollars stay within what was granted; the first call to an endpoint goes alone.
- Calls are let in by age, those that a chain of further calls hangs on before first tries at paraphrases.
- A call that waits here holds nothing. Nothing polls: whoever waits is woken by a call that ends, a new
  grant, or the one timer for the moment at which the rate has room again.
- A 429 closes the slot that it came through for about as long as an answer takes.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from heapq import heappop, heappush
from types import TracebackType
from typing import Self

from dfj_bootstrap.calls.call import Call, Reply
from dfj_bootstrap.calls.lost import lost
from dfj_bootstrap.calls.usage import Metered
from dfj_bootstrap.config.models import PaidModel, Prices
from dfj_bootstrap.errors import CallFailed, DfjError, EndpointRejected, Stopped
from dfj_bootstrap.limits import admission
from dfj_bootstrap.limits.admission import Admission, Answer
from dfj_bootstrap.limits.allowance import Demand, Grant
from dfj_bootstrap.limits.brakes import Brakes
from dfj_bootstrap.limits.patience import Broken, Throttled, may_be_paid
from dfj_bootstrap.limits.purse import Purse
from dfj_bootstrap.limits.rates import Rates
from dfj_bootstrap.limits.reserve import Need, Reserve
from dfj_bootstrap.limits.timers import LoopTimers, Timers

log = logging.getLogger(__name__)

ALONE_S = 10.0
"""Seconds that the first call goes alone, at the most: a key that is refused is refused quickly."""

_SHUT_AT_MOST_S = 5.0
_URGENT, _FILLER = 0, 1


class Gate:
    """Admits attempts to one endpoint; closed until the first grant."""

    def __init__(
        self, name: str, model: PaidModel, prices: Prices | None, purse: Purse, timers: Timers | None = None
    ) -> None:
        self._name = name
        self._timers = timers or LoopTimers()
        self._purse = purse
        self._reserve = Reserve(model, prices)
        self._admission = Admission(model.max_in_flight)
        self._brakes = Brakes(name)
        self._grant = Grant(0)
        self._rates = Rates()
        self._in_flight = 0
        self._shut = 0
        self._usual_s = 0.0
        self._probe: Permit | None = None
        self._first: Permit | None = None
        self._sealed = False
        self._closing = False
        self._timer_at = math.inf
        self._waiting: list[tuple[int, int, Permit]] = []
        self._number = 0
        self._sent = 0
        self._sent_tokens = 0.0
        self._reported_at = self._timers.time()
        self.answered_before = False
        self.on_news: Callable[[], None] = lambda: None
        purse.on_more.append(self._pump)

    @classmethod
    def wide_open(cls, name: str, model: PaidModel, timers: Timers | None = None) -> Gate:
        """A gate with all of an endpoint's limits to itself and no budget, to a server that is known."""
        gate = cls(name, model, model.prices, Purse(), timers)
        gate.grant(replace(whole_of(model), answered=True))
        return gate

    def admitted(self, call: Call) -> Permit:
        """The permit for one attempt, to be entered."""
        urgent = call.role != "paraphraser" or call.place.try_index > 0
        self._number += 1
        return Permit(self, call, _URGENT if urgent else _FILLER, self._number)

    def stop_admission(self) -> None:
        """The worker stops: what still waits is told so, what is in flight may end."""
        self._closing = True
        self._turn_away(Stopped())

    def grant(self, grant: Grant) -> None:
        """What this worker may do from now on."""
        now = self._timers.time()
        self._grant = grant
        self._rates.grant(grant, now)
        if grant.proven:
            self._admission = admission.opened(self._admission, now)
        if grant.answered:
            self._brakes.vouched()
        self._pump()

    def demand(self) -> Demand:
        """What happened since the last time this was asked, and what is wanted."""
        now = self._timers.time()
        elapsed = max(now - self._reported_at, 1e-3)
        waiting = len(self._waiting)
        calls = self._sent + waiting
        tokens = self._sent_tokens + sum(permit.need.tokens for _, _, permit in self._waiting[:64])
        self._sent, self._sent_tokens, self._reported_at = 0, 0.0, now
        return Demand(
            in_flight=self._in_flight,
            wanted=min(int(self._admission.limit), self._in_flight + waiting),
            requests_per_s=calls / elapsed,
            tokens_per_s=tokens / elapsed,
            proven=self._admission.proven,
            answered=self.has_answered,
        )

    def is_proven(self) -> bool:
        """Whether the endpoint works as far as all workers know."""
        return self._grant.proven

    @property
    def has_answered(self) -> bool:
        """Whether any call of the run was answered in this start; until then failures are the endpoint's."""
        return self._brakes.has_answered

    @property
    def in_flight_limit(self) -> int:
        """Calls that may be in flight in this process, as it was granted and found out."""
        return min(int(self._admission.limit), self._grant.in_flight)

    async def enter(self, permit: Permit) -> None:
        """Wait for the turn of a permit.

        Raises:
            CallFailed: the endpoint has been failing for so long that it isn't waited for any more.
            EndpointRejected: it has never answered.
            Stopped: the worker stops.
        """
        if self._closing:
            raise Stopped
        now = self._timers.time()
        failure = self._brakes.down(now)
        if failure and (self._sealed or self._brakes.wait_s(now) > 0 or self._probe):
            raise failure
        permit.turn = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (permit.rank, permit.number, permit))
        self._pump()
        if len(self._waiting) == 1 and self._in_flight + self._shut >= self._grant.in_flight:
            self.on_news()
        try:
            await permit.turn
        except asyncio.CancelledError:
            if permit.sent_at is not None:  # its turn came in the same moment
                self.leave(permit, asyncio.CancelledError())
            raise

    def leave(self, permit: Permit, error: BaseException | None, lost_usd: float = 0.0) -> None:
        """An attempt has ended; ``error`` says how, ``lost_usd`` what it may have cost without an answer.

        Raises:
            EndpointRejected: it was one too many to a server that has never answered.
        """
        now = self._timers.time()
        self._in_flight -= 1
        self._probe = None if permit is self._probe else self._probe
        self._first = None if permit is self._first else self._first
        reply = permit.reply
        self._settle_tokens(permit, reply, now)
        if isinstance(error, Throttled):
            self._throttled(permit, error.wait_s, now)
        elif isinstance(error, Broken):
            self._broke(permit, error.why, now)
        elif isinstance(error, EndpointRejected):
            self._sealed = True
        elif error is None or isinstance(error, CallFailed):
            self._answered(permit, now, counts=error is None)
        self._purse.settle(permit.need.usd, reply.cost_usd if reply else lost_usd)
        self._pump()
        if isinstance(error, Broken) and self._sealed and (failure := self._brakes.down(now)):
            raise failure

    def heed(self, headers: Mapping[str, str]) -> None:
        """Obey what an answer's headers say of the limits; names are in lower case."""
        self._brakes.heed(headers, self._timers.time())

    def _answered(self, permit: Permit, now: float, *, counts: bool) -> None:
        assert permit.sent_at is not None
        self._brakes.answered()
        proven = self._admission.proven
        if counts:
            latency = now - permit.sent_at
            self._usual_s += (latency - self._usual_s) * (0.1 if self._usual_s else 1.0)
            self._observe(Answer(permit.sent_at, now, saturated=bool(self._waiting)))
        self._admission = admission.opened(self._admission, now)
        if not proven:
            self.on_news()

    def _throttled(self, permit: Permit, wait_s: float | None, now: float) -> None:
        assert permit.sent_at is not None
        self._observe(Answer(permit.sent_at, now, throttled=True))
        self._shut += 1
        self._timers.call_later(min(self._usual_s, _SHUT_AT_MOST_S), self._reopen)
        self._brakes.refused(permit.sent_at, wait_s, now)

    def _reopen(self) -> None:
        self._shut -= 1
        self._pump()

    def _broke(self, permit: Permit, why: str, now: float) -> None:
        assert permit.sent_at is not None
        self._brakes.broke(permit.sent_at, now, why)
        failure = self._brakes.down(now)
        self._sealed = self._sealed or isinstance(failure, EndpointRejected)
        if failure:
            self._turn_away(failure)

    def _turn_away(self, why: DfjError) -> None:
        while self._waiting:
            turn = heappop(self._waiting)[2].turn
            if not turn.done():
                turn.set_exception(type(why)(*why.args))

    def _observe(self, answer: Answer) -> None:
        before = int(self._admission.limit)
        self._admission = admission.observe(self._admission, answer)
        after = int(self._admission.limit)
        if after < before:
            log.info("models.%s: calls in flight cut from %d to %d", self._name, before, after)

    def _pump(self) -> None:
        """Let in whoever may go; set the timer for the next one where time alone is what it waits for."""
        while self._waiting and not self._closing:
            permit = self._waiting[0][2]
            if permit.turn.done():  # cancelled while it waited
                heappop(self._waiting)
                continue
            now = self._timers.time()
            wait_s = self._obstacle(permit.need, now)
            if wait_s > 0:
                self._wake_in(wait_s, now)
                return
            if not self._purse.take(self._name, permit.need.usd):
                self._purse.ask(self._name, permit.need.usd, self._next_needs())
                return
            heappop(self._waiting)
            self._admit(permit, now)
        self._purse.forget(self._name)

    def _obstacle(self, need: Need, now: float) -> float:
        """Seconds until the next call may go: 0 for now; infinite: something must happen first."""
        full = self._in_flight + self._shut >= self.in_flight_limit
        if full or self._sealed or (self._brakes.probing and self._probe):
            return math.inf
        return max(self._brakes.wait_s(now), self._rates.wait_s(need.tokens, now))

    def _open_up(self, first: Permit) -> None:
        """The first call takes long: go on without knowing more."""
        if not self._admission.proven and self._first is first:
            self._admission = admission.opened(self._admission, self._timers.time())
            self.on_news()
            self._pump()

    def _admit(self, permit: Permit, now: float) -> None:
        if not self._admission.proven:
            self._first = permit
            self._timers.call_later(ALONE_S, partial(self._open_up, permit))
        self._in_flight += 1
        self._sent += 1
        self._sent_tokens += permit.need.tokens
        self._rates.take(permit.need.tokens, now)
        if self._brakes.probing:
            self._probe = permit
        permit.sent_at = now
        permit.turn.set_result(None)

    def _settle_tokens(self, permit: Permit, reply: Reply | None, now: float) -> None:
        used = self._reserve.used(permit.need, reply) if reply else 0
        self._rates.settle(used - permit.need.tokens, now)
        if reply:
            self._reserve.learn(permit.need, reply)

    def _next_needs(self) -> float:
        """The worst case of the calls that could go at once if there were money."""
        room = max(self.in_flight_limit - self._in_flight, 1)
        return sum(permit.need.usd for _, _, permit in self._waiting[:room])

    def _wake_in(self, seconds: float, now: float) -> None:
        if not math.isfinite(seconds) or now + seconds >= self._timer_at - 1e-3:
            return
        self._timer_at = now + seconds
        self._timers.call_later(seconds, self._wake)

    def _wake(self) -> None:
        self._timer_at = math.inf
        self._pump()

    def need_of(self, call: Call) -> Need:
        """What an attempt at a call sets aside."""
        return self._reserve.need(call)

    def priced(self, permit: Permit, answer: Metered) -> Reply:
        """An answer with its cost, by its usage or by what was set aside for it."""
        return self._reserve.priced(permit.need, answer)


class Permit:
    """One attempt's way through the gate."""

    __slots__ = ("_gate", "need", "number", "rank", "reply", "sent_at", "turn")

    def __init__(self, gate: Gate, call: Call, rank: int, number: int) -> None:
        self._gate = gate
        self.need = gate.need_of(call)
        self.rank = rank
        self.number = number
        self.reply: Reply | None = None
        self.sent_at: float | None = None
        self.turn: asyncio.Future[None]

    async def __aenter__(self) -> Self:
        await self._gate.enter(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        lost_usd = self.need.usd if self.reply is None and may_be_paid(error) else 0.0
        try:
            self._gate.leave(self, error, lost_usd)
        finally:
            lost(lost_usd)

    def settle(self, reply: Reply) -> Reply:
        """The attempt was answered: its usage takes the place of the estimate."""
        self.reply = reply
        return reply


def whole_of(model: PaidModel) -> Grant:
    """All of an endpoint's limits."""
    return Grant(
        model.max_in_flight, _per_second(model.requests_per_minute), _per_second(model.tokens_per_minute)
    )


def _per_second(per_minute: int | None) -> float | None:
    return None if per_minute is None else per_minute / 60
