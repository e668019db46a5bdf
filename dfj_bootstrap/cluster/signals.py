"""Who decides on signals while Ray is at work: this process alone."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def own_signals() -> Iterator[None]:
    """For the time in which Ray is started: its processes ignore SIGHUP, and our handlers stay.

    A terminal that goes away tells all processes that were started from it. Ray's would end at once, while
    workers still wait for answers; with what they inherit here they end when they are told to.
    """
    on_terminate = signal.getsignal(signal.SIGTERM)
    on_hangup = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, on_terminate)  # Ray's own would end the process with a stack dump
        signal.signal(signal.SIGHUP, on_hangup)
