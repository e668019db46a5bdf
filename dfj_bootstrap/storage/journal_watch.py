"""Who is told of a journal's appends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dfj_bootstrap.errors import RunFolderError


@dataclass(frozen=True, slots=True)
class Watch:
    """Whoever wants to know at once what becomes of appends.

    Attributes:
        appended: there is something to sync.
        failed: nothing that comes now can be kept.
    """

    appended: Callable[[], object] = lambda: None
    failed: Callable[[RunFolderError], object] = lambda failure: None
