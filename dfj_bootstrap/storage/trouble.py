"""What the system says when a run folder can't be written, in words for people."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dfj_bootstrap.errors import RunFolderError

_FOLDER_TROUBLE = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.ESTALE,
    errno.EMFILE,
)
"""What a full, read-only or lost file system says."""


@contextmanager
def folder_trouble_told(run: Path) -> Iterator[None]:
    """A full disk, or a folder that has become unwritable, as one line."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FOLDER_TROUBLE:
            raise  # a bug, not something that a person could mend
        raise RunFolderError(
            f"{run}: {error.strerror or error}; nothing that was recorded is lost: "
            "make room or restore access, then run again"
        ) from error
