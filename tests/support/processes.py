"""Waiting for other processes, and for what they write, without asking again and again."""

from __future__ import annotations

import os
import select
import subprocess
import threading
from collections.abc import Iterable
from pathlib import Path


def when_gone(processes: Iterable[int], *, within_s: float = 30) -> None:
    """Return when all have ended, whosever children they are; fails where one doesn't."""
    for process in processes:
        try:
            descriptor = os.pidfd_open(process)
        except ProcessLookupError:
            continue
        with os.fdopen(descriptor) as file:
            ready, _, _ = select.select([file], [], [], within_s)
            assert ready, f"process {process} lives on"


def when_lines(
    path: Path, count: int, process: subprocess.Popen[str], *, having: str = "", within_s: float = 120
) -> None:
    """Return when a file has so many lines with ``having`` in them; fails where ``process`` ends before."""
    reached = threading.Event()

    def follow() -> None:
        command = ["tail", "-n", "+1", "-F", f"--pid={process.pid}", str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as tail:
            assert tail.stdout
            lines = (line for line in tail.stdout if having in line)
            for seen, _ in enumerate(lines, start=1):
                if seen >= count:
                    reached.set()
                    break
            tail.terminate()

    threading.Thread(target=follow, daemon=True).start()
    assert reached.wait(within_s), process.poll()
