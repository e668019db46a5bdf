"""The worker's side of the limits: it keeps to its allowance, and gives account of what it did and wants."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping

from dfj_bootstrap.limits.exchange import Account, Allowance
from dfj_bootstrap.limits.gate import Gate
from dfj_bootstrap.limits.purse import Purse

_EVERY_S = 1.0
_NOT_SOONER_S = 0.1


class WorkerLimits:
    """A worker's gates and its purse."""

    def __init__(self, gates: Mapping[str, Gate], purse: Purse) -> None:
        self._gates = gates
        self._purse = purse
        self._news = asyncio.Event()
        purse.on_short = self._news.set
        for gate in gates.values():
            gate.on_news = self._news.set

    def vouch(self) -> None:
        """The endpoints have answered an earlier start."""
        for gate in self._gates.values():
            gate.answered_before = True

    def take(self, allowance: Allowance) -> None:
        """Keep to this from now on."""
        if allowance.usd is not None:
            self._purse.allow(allowance.usd)
        for name, grant in allowance.grants.items():
            self._gates[name].grant(grant)

    async def exchange(self, allowance: Allowance) -> Account:
        """Keep to an allowance; give account: in a second, sooner with news, at once where it is the last."""
        self.take(allowance)
        if not allowance.last:
            await asyncio.sleep(_NOT_SOONER_S)
            await _or_timeout(self._news.wait(), _EVERY_S - _NOT_SOONER_S)
            self._news.clear()
        return Account({name: gate.demand() for name, gate in self._gates.items()}, self._purse.report())


async def _or_timeout(news: Awaitable[object], seconds: float) -> None:
    try:
        await asyncio.wait_for(news, seconds)
    except TimeoutError:
        return
