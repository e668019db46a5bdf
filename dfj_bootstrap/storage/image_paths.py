"""The way from a row's path to a file's bytes: confined to the image root, bounded, without a connection."""

from __future__ import annotations

import errno
import re
import stat
from pathlib import Path, PureWindowsPath

from dfj_bootstrap.errors import DfjError

FORMATS = "PNG, JPEG or WebP"
"""What is read, as messages name it."""


class BadImage(DfjError):
    """A picture that cannot be used; the message says why in one sentence."""


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://|(file|data|https?):", re.IGNORECASE)
# What is wrong with a row's path; any other OSError (no more handles, a dying disk) is the machine's.
_ROW_ERRNOS = frozenset(
    (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG)
)


def locate(root: Path, name: str) -> Path:
    """The absolute path of a regular file inside the root, links followed.

    Raises:
        BadImage: the path is no plain relative path, leaves the root, or names nothing that can be read.
    """
    why = _bad_name(name)
    if why:
        raise BadImage(why)
    try:
        base = root.resolve(strict=True)
        path = (base / name).resolve(strict=True)
        mode = path.stat().st_mode if path.is_relative_to(base) else None
    except RuntimeError:  # Python 3.11 and 3.12 say so of a loop of links
        raise BadImage("the path is a loop of links") from None
    except OSError as error:
        raise _of_row(error) from None
    if mode is None:
        raise BadImage("the path leaves the image root through a link")
    if not stat.S_ISREG(mode):
        raise BadImage("the path is a folder" if stat.S_ISDIR(mode) else "the path is not a regular file")
    return path


def _bad_name(name: str) -> str:
    """Why a path cannot be meant to lie inside the root; empty where it may."""
    if not name.strip():
        return "the path is empty"
    if _CONTROL.search(name) or name.encode("utf-8", "replace").decode() != name:
        return "the path holds control characters or halves of characters"
    if PureWindowsPath(name).drive or PureWindowsPath(name).root:
        return "the path is absolute; it must be relative to the image root"
    if _URL.match(name):
        return "this is a URL; pictures are read from files inside the image root only"
    if "\\" in name:
        return "the path has backslashes; write it with forward slashes"
    if ".." in name.split("/"):
        return "the path has `..` in it; it must stay inside the image root"
    return ""


def _of_row(error: OSError) -> BadImage:
    """An error that the row's path is to blame for; others are raised again."""
    if error.errno not in _ROW_ERRNOS:
        raise error
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return BadImage("there is no such file in the image root")
    return BadImage(f"the file cannot be read: {error.strerror}")


def read(path: Path, most: int) -> bytes:
    """All of a file, if it is not empty and has at most ``most`` bytes.

    Raises:
        BadImage: it is empty, too large or cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
            size = file.seek(0, 2)
    except OSError as error:
        raise _of_row(error) from None
    if not data:
        raise BadImage("the file is empty")
    if len(data) > most:
        raise BadImage(f"the file has {size:,} bytes; the most is {most:,}")
    return data
