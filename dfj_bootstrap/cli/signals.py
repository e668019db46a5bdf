"""The signals that stop a command in good order: Ctrl-C, SIGTERM, and SIGHUP, by which a terminal goes away.

All are one interrupt: calls in flight get their time to be recorded. A second Ctrl-C or SIGTERM stops at
once. SIGHUP is no second one: it comes twice, from shell and kernel, or beside a service manager's SIGTERM.
"""

from __future__ import annotations

import signal


def set_up_signals() -> None:
    """Have all of them raise ``KeyboardInterrupt``; a SIGHUP ignored from outside (``nohup``) stays so."""
    seen: set[int] = set()

    def stop(number: int, _: object) -> None:
        first, again = not seen, number in seen
        seen.add(number)
        if first or (again and number == signal.SIGTERM):
            signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job inherits it ignored
    signal.signal(signal.SIGTERM, stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, stop)
