"""One attempt's way through a gate: it waits for its turn, is sent, and ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from types import TracebackType
from typing import Protocol, Self

from dfj_bootstrap.calls.call import Reply
from dfj_bootstrap.calls.lost import lost
from dfj_bootstrap.limits.broken import may_be_paid
from dfj_bootstrap.limits.needs import Need


class Doorkeeper(Protocol):
    """Who lets attempts in and is told how they ended."""

    def enter(self, permit: Permit) -> Awaitable[None]: ...

    def leave(self, permit: Permit, error: BaseException | None, lost_usd: float = 0.0) -> None: ...


class Permit:
    """An attempt's, to be entered.

    Attributes:
        need: what is set aside for it.
        urgent: whether a chain of further calls hangs on it.
        number: its age.
        turn: done when it may go.
        sent_at: when its turn came.
        reply: what it was answered.
    """

    __slots__ = ("_keeper", "need", "number", "reply", "sent_at", "turn", "urgent")

    def __init__(self, keeper: Doorkeeper, need: Need, number: int, *, urgent: bool) -> None:
        self._keeper = keeper
        self.need = need
        self.urgent = urgent
        self.number = number
        self.reply: Reply | None = None
        self.sent_at: float | None = None
        self.turn: asyncio.Future[None]

    async def __aenter__(self) -> Self:
        await self._keeper.enter(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        lost_usd = self.need.usd if self.reply is None and may_be_paid(error) else 0.0
        try:
            self._keeper.leave(self, error, lost_usd)
        finally:
            lost(lost_usd)

    def settle(self, reply: Reply) -> Reply:
        """The attempt was answered: its usage takes the place of the estimate."""
        self.reply = reply
        return reply
