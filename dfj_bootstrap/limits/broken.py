"""Attempts that broke: in what ways one may fail so that a further one may mend it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dfj_bootstrap.calls.call import Reply

_PASSING = (408, 409, 424, 425, 499)
_LOST = (408, 499, 502, 504, *range(520, 529))
"""Of these somebody between client and model may say that the answer was lost, not that none was made."""


class Broken(Exception):
    """An attempt that a further one may mend.

    Attributes:
        wait_s: what the server asked to wait, if it did.
        maybe_paid: whether the model may have worked on it.
    """

    def __init__(self, why: str, wait_s: float | None = None, *, maybe_paid: bool = True) -> None:
        super().__init__(why, wait_s, maybe_paid)
        self.why = why
        self.wait_s = wait_s
        self.maybe_paid = maybe_paid


class Throttled(Broken):
    """The server said 429: not now. It uses up no attempt."""


class Doubtful(Broken):
    """A refusal for good that may be a stray one; ``verdict`` gives or raises what it comes to in the end."""

    def __init__(self, why: str, verdict: Callable[[], Reply]) -> None:
        super().__init__(why, maybe_paid=False)
        self.verdict = verdict


def may_be_paid(error: BaseException | None) -> bool:
    """Whether an attempt that was sent and ended like this may have been paid."""
    return error.maybe_paid if isinstance(error, Broken) else isinstance(error, asyncio.CancelledError)


def raise_if_passing(status: int, message: str, wait_s: float | None, *, begun: bool = False) -> None:
    """Raise what a further attempt may mend.

    Args:
        status: the HTTP status of a refusal.
        wait_s: the seconds that the server asks to wait, if it does.
        begun: whether it came as a 200, from a server that had begun to answer.

    Raises:
        Throttled: it is a 429.
        Broken: it is the server's fault, or says of itself that it passes.
    """
    if status == 429:
        raise Throttled("the server says 429, too many requests", wait_s, maybe_paid=False)
    if status >= 500 or status in _PASSING:
        raise Broken(f"the server says {status}: {message}", wait_s, maybe_paid=begun or status in _LOST)
