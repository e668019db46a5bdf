"""What reaches the person's terminal: text without hidden commands, and log lines of this package alone.

Invariant: no character that a terminal obeys is written, whatever ids, texts, file names or servers say.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import sys
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, cast

_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_GONE = (errno.EPIPE, errno.EIO, errno.ENXIO, errno.EBADF)
_LAST_STANDARD = 2
_NOISY = ("asyncio", "httpcore", "httpcore2", "httpx", "httpx2", "openai", "urllib3")


def printable(text: str) -> str:
    """The text with control characters, direction overrides and half characters as visible escapes."""
    return _OBEYED.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def write_lines(text: str) -> None:
    """Write to standard output."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class LastingStream:
    """A text stream that falls silent once nobody is there: a pipe's reader or the terminal went away.

    What is at work must come to its end in good order, so words that can't be said are no error.
    """

    def __init__(self, stream: TextIO, gone: Container[int | None] | None = None) -> None:
        """
        Args:
            gone: the system's errors that say so; default: all.
        """
        self._stream = stream
        self._gone = gone

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or don't."""
        with self._whether_or_not():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, or don't."""
        with self._whether_or_not():
            self._stream.flush()

    @contextmanager
    def _whether_or_not(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if self._gone is not None and error.errno not in self._gone:
                raise
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, self._stream.fileno())  # what is left in the buffer must not fail again at exit
            os.close(silence)


def set_up_streams() -> None:
    """Let no character fail to be written, whatever the locale and whoever reads it."""
    _open_closed_ones()
    sys.stdin = sys.stdin or _nowhere("r")
    sys.stdout = _lasting(sys.stdout or _nowhere("w"), _GONE)
    sys.stderr = _lasting(sys.stderr or _nowhere("w"))  # not even a log on a full disk stops the work


def _open_closed_ones() -> None:
    """Let no file take the number of a standard stream that was closed: libraries write there."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _LAST_STANDARD:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def _nowhere(mode: str) -> TextIO:
    return cast("TextIO", Path(os.devnull).open(mode, encoding="utf-8"))


def _lasting(stream: TextIO, gone: Container[int | None] | None = None) -> TextIO:
    if isinstance(stream, LastingStream):
        return stream
    if reconfigure := getattr(stream, "reconfigure", None):
        reconfigure(errors="backslashreplace")
    return cast("TextIO", LastingStream(stream, gone))


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
