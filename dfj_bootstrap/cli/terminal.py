"""What reaches the person's terminal: text without hidden commands, and log lines of this package alone.

Invariant: no character that a terminal obeys is written, whatever ids, texts, file names or servers say.
"""

from __future__ import annotations

import logging
import os
import re
import sys

_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_NOISY = ("asyncio", "httpcore", "httpcore2", "httpx", "httpx2", "openai", "urllib3")


def printable(text: str) -> str:
    """The text with control characters, direction overrides and half characters as visible escapes."""
    return _OBEYED.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def write_lines(text: str) -> None:
    """Write to standard output; a reader that went away (``| head``) is no error."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:  # what is left in the buffer must not fail again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def set_up_streams() -> None:
    """Let no character fail to be written, whatever the locale."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")


def set_up_logging() -> None:
    """This package's log on standard error, a line each; other packages speak up from warnings on only."""
    package = logging.getLogger("dfj_bootstrap")
    if not any(isinstance(handler, _LineHandler) for handler in package.handlers):
        package.addHandler(_LineHandler())
    package.setLevel(logging.INFO)
    package.propagate = False
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)


class _LineHandler(logging.Handler):
    """Writes to what is standard error at that moment: above the bars while there are bars."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = printable(record.getMessage()).replace("\n", " ")
            sys.stderr.write(f"dfj: {line}\n")
            sys.stderr.flush()
        except (OSError, ValueError, TypeError):
            self.handleError(record)
