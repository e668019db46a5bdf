"""Runs a server that must not outlive its parent: ``python supervisor.py [--grace-s S] -- COMMAND…``.

Standard input is a pipe that only the parent holds open. When it ends, whatever the reason (SIGKILL too), or
when the supervisor is told to stop, or when the server itself ends, everything that the server started gets
SIGTERM, and ``--grace-s`` seconds later what is left gets SIGKILL. vLLM needs the whole group ended: its
engine processes outlive a server that is killed. What left the group for a session of its own is found as a
descendant: orphans below come to the inner process.

It is two processes, of which the parent sees the outer one: Ray kills the children of an actor that goes
away, without a chance to do anything about it, and the inner one then still ends the rest.

Invariants: the standard library alone; no polling; one thread, since the kernel's "your parent died" signal
is tied to the thread that started the child. The supervisor leads its own session, so that Ctrl-C in a
terminal doesn't reach the server, and the server stays in the supervisor's process group: the parent can end
that group by the supervisor's id if the supervisor itself is killed. If both are, with all that watches, the
kernel sends the server SIGTERM (Linux).
"""

from __future__ import annotations

import argparse
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

GRACE_S = 8.0
"""Seconds between SIGTERM and SIGKILL; vLLM needs about 2 to end in good order."""

_DYING_S = 3.0
"""Seconds that killed processes get to be gone."""

_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_SET_DEATH_SIGNAL, _SET_CHILD_SUBREAPER = 1, 36  # of prctl(2)


def supervise(command: Sequence[str], grace_s: float) -> int:
    """Run a command until it ends or the parent does.

    Returns:
        The command's exit code, or the negative number of the signal that ended it.
    """
    wake = _wake_on_signals()
    _prctl(_SET_CHILD_SUBREAPER, 1)  # orphans below become ours, so that waitpid knows when all are gone
    before = _die_with(os.getpid())
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=before)  # noqa: PLW1509
    family = _Family(server.pid)
    _wait_for_an_end(family, wake)
    _end(family, wake, grace_s)
    server.returncode = family.code  # it was reaped here
    return family.code


class _Family:
    """All processes below this one; ``code`` is the first one's exit code."""

    def __init__(self, first: int) -> None:
        self._first = first
        self.first_lives = True
        self.lives = True
        self.code = -int(signal.SIGKILL)

    def reap(self) -> None:
        """Take note of all that have ended."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                if pid == self._first:
                    self.first_lives = False
                    self.code = os.waitstatus_to_exitcode(status)
        except ChildProcessError:
            self.lives = False


def _wait_for_an_end(family: _Family, wake: int) -> None:
    """Return when the server has ended, the parent is gone, or a signal says stop."""
    parent = sys.stdin.fileno()
    while True:
        family.reap()
        if not family.first_lives:
            return
        ready, _, _ = select.select([parent, wake], [], [])
        if parent in ready and _is_gone(parent):
            return
        if wake in ready and set(os.read(wake, 4096)) & {int(number) for number in _STOP}:
            return


def _is_gone(parent: int) -> bool:
    """Whether the pipe to the parent has ended."""
    try:
        return not os.read(parent, 4096)
    except OSError:
        return True


def _end(family: _Family, wake: int, grace_s: float) -> None:
    """End what is left: kindly first, then surely."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)  # the next one is ours, and would end us while we exit
    os.killpg(0, signal.SIGTERM)
    _tell(signal.SIGTERM, _below(), elsewhere=True)
    _await_last(family, wake, grace_s)
    if family.lives:
        _tell(signal.SIGKILL, _below())
        _await_last(family, wake, _DYING_S)
    if family.lives:
        os.killpg(0, signal.SIGKILL)  # this process too


def _await_last(family: _Family, wake: int, within_s: float) -> None:
    """Return when all have ended, or the time is over."""
    deadline = time.monotonic() + within_s
    family.reap()
    while family.lives and time.monotonic() < deadline:
        if select.select([wake], [], [], max(deadline - time.monotonic(), 0.0))[0]:
            os.read(wake, 4096)
        family.reap()


def _tell(number: int, processes: Iterable[int], *, elsewhere: bool = False) -> None:
    """Send a signal to processes; ``elsewhere``: only to those that left the group."""
    for pid in processes:
        with suppress(ProcessLookupError):
            if not elsewhere or os.getpgid(pid) != os.getpgid(0):
                os.kill(pid, number)


def _below() -> list[int]:
    """All processes below this one, also those that left the group: torchrun gives its workers sessions."""
    parents = dict(_parents())
    found = []
    for pid in parents:
        above = pid
        while above in parents and above != os.getpid():
            above = parents[above]
        if above == os.getpid() != pid:
            found.append(pid)
    return found


def _parents() -> Iterator[tuple[int, int]]:
    """Every process and its parent; nothing where there is no ``/proc``."""
    with suppress(FileNotFoundError):
        for name in os.listdir("/proc"):  # noqa: PTH208
            with suppress(OSError, ValueError), open(f"/proc/{int(name)}/stat", "rb") as file:  # noqa: PTH123
                yield int(name), int(file.read().rpartition(b")")[2].split()[1])


def _shield(inner: int) -> int:
    """Be the outer process: hand signals on, end with the inner one's exit code."""

    def hand_on(*_: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(inner, signal.SIGTERM)

    for number in _STOP:
        signal.signal(number, hand_on)
    code = os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1])
    if code < 0:
        os.killpg(0, signal.SIGKILL)  # nobody else would
    return code


def _wake_on_signals() -> int:
    """A file descriptor on which the numbers of the signals arrive."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.set_blocking(reader, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (*_STOP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    return reader


def _die_with(parent: int) -> Callable[[], None]:
    """What the child does before it becomes the server: ask for SIGTERM at this process's death."""

    def ask() -> None:
        _prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:  # too late to be told
            os._exit(1)

    return ask


def _prctl(option: int, value: int) -> None:
    """Linux's ``prctl``; elsewhere nothing: there the pipe alone has to do."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run a server that ends with its parent.")
    parser.add_argument("--grace-s", type=float, default=GRACE_S, help="seconds from SIGTERM to SIGKILL")
    parser.add_argument("command", nargs="+", help="after --: the server and its arguments")
    arguments = parser.parse_args()
    if os.getpgid(0) != os.getpid():
        os.setsid()
    inner = os.fork()
    code = _shield(inner) if inner else supervise(arguments.command, arguments.grace_s)
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
