"""Grouped fsync in the background: durable against power loss without a call ever waiting for the disk."""

from __future__ import annotations

import asyncio

from dfj_bootstrap.storage.journal import Journal

_GROUP_S = 0.2
"""Seconds between two rounds of fsync while there is something to sync; nothing runs while there isn't."""


class Syncer:
    """Syncs the open journals whenever one of them was appended to."""

    def __init__(self) -> None:
        self._journals: set[Journal] = set()
        self._woken = asyncio.Event()
        self._at_work = asyncio.Lock()

    def add(self, journal: Journal) -> None:
        self._journals.add(journal)

    def wake(self) -> None:
        """Something was appended."""
        self._woken.set()

    async def run(self) -> None:
        """Sync until cancelled.

        Raises:
            OSError: the disk could not take it.
        """
        while True:
            await self._woken.wait()
            self._woken.clear()
            async with self._at_work:
                await asyncio.to_thread(_sync_all, list(self._journals))
            await asyncio.sleep(_GROUP_S)

    async def close(self, journal: Journal) -> None:
        """Sync a journal a last time and close it."""
        async with self._at_work:
            self._journals.discard(journal)
            await asyncio.to_thread(journal.close)


def _sync_all(journals: list[Journal]) -> None:
    for journal in journals:
        journal.sync()
