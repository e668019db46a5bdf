"""Attempts that were sent and got no answer: they may have been paid, and nobody will ever say.

Whoever puts a question says where the worst case of such attempts is noted; whatever is sent on its behalf,
in its task, notes it there. (The way between the two is the plain interface of an endpoint.)
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

_NOTE: ContextVar[Callable[[float], None] | None] = ContextVar("note_of_lost_attempts", default=None)


def note_lost_by(note: Callable[[float], None]) -> None:
    """From now on in this task: ``note`` is told the worst case, in USD, of each attempt that is lost."""
    _NOTE.set(note)


def lost(usd: float) -> None:
    """An attempt got no answer and may have cost so much."""
    note = _NOTE.get()
    if note is not None and usd > 0:
        note(usd)
