"""A child process that must not outlive this one, started under the supervisor, and what it said."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from dfj_bootstrap.endpoints import supervisor
from dfj_bootstrap.endpoints.supervisor import GRACE_S

__all__ = ["GRACE_S", "cause_in", "end_child", "how_it_ended", "start_child", "tail_of"]

_TAIL_BYTES, _TAIL_LINES, _LINE_CHARACTERS = 16384, 3, 300

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CAUSE = re.compile(r"(Error|Exception): ")


async def start_child(
    command: Sequence[str], environment: Mapping[str, str], log: Path, grace_s: float
) -> asyncio.subprocess.Process:
    """Start a command in a session of its own; what it prints is appended to a log.

    Args:
        environment: all of it.
        grace_s: seconds between SIGTERM and SIGKILL, when it is ended.
    """
    watched = [sys.executable, "-I", supervisor.__file__, "--grace-s", f"{grace_s:g}", "--"]
    log.parent.mkdir(parents=True, exist_ok=True)
    with _private(log) as output:
        return await asyncio.create_subprocess_exec(
            *watched,
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )


async def end_child(process: asyncio.subprocess.Process, grace_s: float) -> None:
    """Let the supervisor end its group; where it was itself killed, do that here."""
    assert process.stdin
    process.stdin.close()
    try:
        async with asyncio.timeout(grace_s + 5):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
    if process.returncode and process.returncode < 0:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def how_it_ended(process: asyncio.subprocess.Process) -> str:
    """How a supervised child ended, in words; the supervisor gives a signal as 128 and its number."""
    code = process.returncode or 0
    number = -code if code < 0 else code - 128
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"exit code {code}"


def tail_of(path: Path) -> list[str]:
    """The last lines of a log, and before them the last ones that name an error, without colours."""
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - _TAIL_BYTES, 0))
            text = _ESCAPES.sub("", file.read().decode("utf-8", "replace"))
    except OSError:
        return []
    lines = [line.strip()[:_LINE_CHARACTERS] for line in text.splitlines() if line.strip()]
    causes = [line for line in lines[:-_TAIL_LINES] if _CAUSE.search(line)]
    return [*causes[-1:], *lines[-_TAIL_LINES:]]


def cause_in(tail: Sequence[str]) -> str:
    """Of the last lines of a log, the last one that names an error, else the last one."""
    causes = [line for line in tail if _CAUSE.search(line)]
    return [*tail, *causes][-1] if tail else "it said nothing"


def _private(path: Path) -> BinaryIO:
    """A log to append to, readable by its owner alone: such processes print parts of prompts."""
    return open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600))
