"""The gate of an endpoint: a call waits here for its turn, for as long as limits, pauses and budget ask.

One per endpoint and worker. Used as ``async with gate.admitted(call) as permit`` around one attempt: what
the block raises tells how the attempt ended.

Invariants:

- In flight, rate and dollars stay within what was granted; the first call to an endpoint goes alone.
- Calls are let in by age, those that a chain of further calls hangs on before first tries at paraphrases.
- A call that waits here holds nothing. Nothing polls: whoever waits is woken by a call that ends, a new
  grant, or the one timer for the moment at which the rate has room again.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from dfj_bootstrap.calls.call import Call, Reply
from dfj_bootstrap.calls.usage import Metered
from dfj_bootstrap.config.paid import PaidModel, Prices
from dfj_bootstrap.errors import CallFailed, EndpointRejected, Stopped
from dfj_bootstrap.limits.broken import Broken, Throttled
from dfj_bootstrap.limits.exchange import Demand, Grant, whole_of
from dfj_bootstrap.limits.needs import Estimator, Need
from dfj_bootstrap.limits.pauses import Pauses
from dfj_bootstrap.limits.permit import Permit
from dfj_bootstrap.limits.purse import Purse
from dfj_bootstrap.limits.rates import Rates
from dfj_bootstrap.limits.slots import CallSlots
from dfj_bootstrap.limits.timers import Alarm, LoopTimers, Timers
from dfj_bootstrap.limits.traffic import Traffic
from dfj_bootstrap.limits.waiting import Waiting

ALONE_S = 10.0
"""Seconds that the first call goes alone, at the most: a key that is refused is refused quickly."""


class Gate:
    """Admits attempts to one endpoint; closed until the first grant."""

    def __init__(
        self, name: str, model: PaidModel, prices: Prices | None, purse: Purse, timers: Timers | None = None
    ) -> None:
        self._name = name
        self._timers = timers or LoopTimers()
        self._alarm = Alarm(self._timers, self._pump)
        self._waiting = Waiting()
        self._traffic = Traffic(self._timers.time())
        self._slots = CallSlots(name, model.max_in_flight, self._timers, self._pump)
        self._rates = Rates()
        self._pauses = Pauses(name)
        self._estimator = Estimator(model, prices)
        self._purse = purse
        self._number = 0
        self._first: Permit | None = None
        self._probe: Permit | None = None
        self._proven = False
        self._sealed = False
        self._closing = False
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
        return Permit(self, self.need_of(call), self._number, urgent=urgent)

    def stop_admission(self) -> None:
        """The worker stops: what still waits is told so, what is in flight may end."""
        self._closing = True
        self._waiting.turn_away(Stopped())

    def grant(self, grant: Grant) -> None:
        """What this worker may do from now on."""
        now = self._timers.time()
        self._slots.granted = grant.in_flight
        self._rates.grant(grant, now)
        self._proven = grant.proven
        if grant.proven:
            self._slots.open(now)
        if grant.answered:
            self._pauses.vouched()
        self._pump()

    def demand(self) -> Demand:
        """What happened since the last time this was asked, and what is wanted."""
        waiting, in_flight = len(self._waiting), self._slots.in_flight
        requests_per_s, tokens_per_s = self._traffic.per_second(
            waiting, self._waiting.tokens, self._timers.time()
        )
        return Demand(
            in_flight=in_flight,
            wanted=min(self._slots.found_out, in_flight + waiting),
            requests_per_s=requests_per_s,
            tokens_per_s=tokens_per_s,
            proven=self._slots.proven,
            answered=self.has_answered,
        )

    def is_proven(self) -> bool:
        """Whether the endpoint works as far as all workers know."""
        return self._proven

    @property
    def has_answered(self) -> bool:
        """Whether any call of the run was answered in this start; until then failures are the endpoint's."""
        return self._pauses.has_answered

    def need_of(self, call: Call) -> Need:
        """What an attempt at a call sets aside."""
        return self._estimator.need(call)

    def priced(self, permit: Permit, answer: Metered) -> Reply:
        """An answer with its cost, by its usage or by what was set aside for it."""
        return self._estimator.priced(permit.need, answer)

    def used_up(self, wait_s: float) -> None:
        """The server says that nothing is left of its rate for so long."""
        self._pauses.used_up(wait_s, self._timers.time())

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
        failure = self._pauses.down(now)
        if failure and (self._sealed or self._pauses.wait_s(now) > 0 or self._probe):
            raise failure
        permit.turn = asyncio.get_running_loop().create_future()
        self._waiting.add(permit)
        self._pump()
        if len(self._waiting) == 1 and self._slots.taken >= self._slots.granted:
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
        assert permit.sent_at is not None
        now = self._timers.time()
        self._slots.in_flight -= 1
        self._probe = None if permit is self._probe else self._probe
        self._first = None if permit is self._first else self._first
        reply = permit.reply
        self._settle_tokens(permit.need, reply, now)
        if isinstance(error, Throttled):
            self._slots.throttled(permit.sent_at, now)
            self._pauses.throttled(permit.sent_at, error.wait_s, now)
        elif isinstance(error, Broken):
            self._broke(permit.sent_at, error.why, now)
        elif isinstance(error, EndpointRejected):
            self._sealed = True
        elif error is None or isinstance(error, CallFailed):
            self._answered(permit.sent_at, now, counts=error is None)
        self._purse.settle(permit.need.usd, reply.cost_usd if reply else lost_usd)
        self._pump()
        if isinstance(error, Broken) and self._sealed and (failure := self._pauses.down(now)):
            raise failure

    def _settle_tokens(self, need: Need, reply: Reply | None, now: float) -> None:
        used = self._estimator.used(need, reply) if reply else 0
        self._rates.settle(used - need.tokens, now)
        if reply:
            self._estimator.learn(need, reply)

    def _answered(self, sent_at: float, now: float, *, counts: bool) -> None:
        self._pauses.answered()
        proven = self._slots.proven
        if counts:
            self._slots.answered(sent_at, now, saturated=len(self._waiting) > 0)
        self._slots.open(now)
        if not proven:
            self.on_news()

    def _broke(self, sent_at: float, why: str, now: float) -> None:
        self._pauses.broke(sent_at, now, why)
        failure = self._pauses.down(now)
        self._sealed = self._sealed or isinstance(failure, EndpointRejected)
        if failure:
            self._waiting.turn_away(failure)

    def _pump(self) -> None:
        """Let in whoever may go; set the alarm for the next one where time alone is what it waits for."""
        while not self._closing and (permit := self._waiting.first()):
            now = self._timers.time()
            wait_s = self._obstacle(permit.need, now)
            if wait_s > 0:
                self._alarm.set(wait_s, now)
                return
            if not self._purse.take(self._name, permit.need.usd):
                could_go = max(self._slots.limit - self._slots.in_flight, 1)
                self._purse.ask(self._name, permit.need.usd, self._waiting.usd(could_go))
                return
            self._waiting.drop_first()
            self._admit(permit, now)
        self._purse.forget(self._name)

    def _obstacle(self, need: Need, now: float) -> float:
        """Seconds until the next call may go: 0 for now; infinite: something must happen first."""
        full = self._slots.taken >= self._slots.limit
        if full or self._sealed or (self._pauses.probing and self._probe):
            return math.inf
        return max(self._pauses.wait_s(now), self._rates.wait_s(need.tokens, now))

    def _admit(self, permit: Permit, now: float) -> None:
        if not self._slots.proven:
            self._first = permit
            self._timers.call_later(ALONE_S, partial(self._open_up, permit))
        self._slots.in_flight += 1
        self._traffic.sent(permit.need.tokens)
        self._rates.take(permit.need.tokens, now)
        if self._pauses.probing:
            self._probe = permit
        permit.sent_at = now
        permit.turn.set_result(None)

    def _open_up(self, first: Permit) -> None:
        """The first call takes long: go on without knowing more."""
        if not self._slots.proven and self._first is first:
            self._slots.open(self._timers.time())
            self.on_news()
            self._pump()
