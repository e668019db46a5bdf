"""Journals are opened, synced in groups and closed off the loop's thread: no call waits for the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from dfj_bootstrap.engine.endings import in_thread
from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.storage.journal import Journal
from dfj_bootstrap.storage.journal_watch import Watch
from dfj_bootstrap.storage.spent import SCALE

_GROUP_S = 0.2
"""Seconds between two rounds of fsync while there is something to sync; nothing runs while there isn't."""


class Syncer:
    """Holds the open journals of a worker, and syncs them whenever one of them was appended to."""

    def __init__(self, on_failure: Callable[[RunFolderError], object]) -> None:
        """``on_failure`` is told of a journal that the disk has failed: what comes now cannot be kept."""
        self._on_failure = on_failure
        self._journals: set[Journal] = set()
        self._woken = asyncio.Event()
        self._at_work = asyncio.Lock()

    async def open(self, folder: Path) -> Journal:
        """Open a partition's journal.

        Raises:
            RunFolderError: see ``Journal.open``.
        """
        return await in_thread(self._open, folder)

    def _open(self, folder: Path) -> Journal:
        journal = Journal.open(folder, SCALE, Watch(self._woken.set, self._on_failure))
        self._journals.add(journal)  # here, since whoever asked may have been cancelled meanwhile
        return journal

    async def run(self) -> None:
        """Sync until cancelled. A journal that the disk fails says so itself too, to whoever uses it next."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            async with self._at_work:
                for failure in await in_thread(_sync_all, list(self._journals)):
                    self._on_failure(failure)
            await asyncio.sleep(_GROUP_S)

    async def close(self, journal: Journal) -> None:
        """Sync a journal a last time and close it.

        Raises:
            RunFolderError: the disk could not take what was appended.
        """
        async with self._at_work:
            self._journals.discard(journal)
            await in_thread(journal.close)

    async def aclose(self) -> None:
        """Close what nobody has closed."""
        for journal in list(self._journals):
            await self.close(journal)


def _sync_all(journals: list[Journal]) -> list[RunFolderError]:
    """Sync each; the failures of those that could not be."""
    failures = []
    for journal in journals:
        try:
            journal.sync()
        except RunFolderError as failure:
            failures.append(failure)
    return failures
