"""One process per run folder, whatever became of the last one.

The lock is the kernel's (``flock``): it ends with its holder, so a dead process can't hold it. A second file
says who it is, for the message.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.storage.folder import check_run_folder

_PATIENCE_S = 1.0
"""``dfj status`` looks at the lock for an instant; that must not make a start fail."""


@contextmanager
def run_lock(run: Path) -> Iterator[None]:
    """Hold the run folder.

    Raises:
        RunFolderError: it holds something else than a run, another live process holds it, or it can't be
            written.
    """
    check_run_folder(run)
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock = FileLock(run / "run.lock")
        lock.acquire(timeout=_PATIENCE_S)
    except Timeout:
        raise RunFolderError(f"{run}: another process is working on this run ({_holder(run)})") from None
    except OSError as error:
        raise RunFolderError(f"{run}: cannot write the run folder: {error.strerror}") from error
    try:
        with suppress(OSError):  # who it is can go unsaid; a full disk is told by what has to be written
            (run / "run.holder").write_text(f"pid {os.getpid()} on {socket.gethostname()}")
        yield
    finally:
        (run / "run.holder").unlink(missing_ok=True)
        lock.release()


def is_held(run: Path) -> bool:
    """Whether a live process is working on the run folder."""
    try:
        descriptor = os.open(run / "run.lock", os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _holder(run: Path) -> str:
    try:
        return (run / "run.holder").read_text()
    except OSError:
        return "it did not say who it is"
