"""The way from a row's path to a file's bytes: confined to the image root, bounded, without a connection.

One file has one name, however a row spells it: ``./images//x`` is ``images/x``, and an accent is found in
either of its Unicode forms. A name that differs in more, such as its case, is told and never guessed.
"""

from __future__ import annotations

import errno
import os
import posixpath
import re
import stat
from functools import lru_cache
from itertools import islice
from pathlib import Path, PureWindowsPath
from unicodedata import normalize

from dfj_bootstrap.errors import DfjError
from dfj_bootstrap.intake.safe_text import shown

FORMATS = "PNG, JPEG or WebP"
"""What is read, as messages name it."""


class BadImage(DfjError):
    """A picture that cannot be used; the message says why in one sentence."""


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://|(file|data|https?):", re.IGNORECASE)
_MOST_LISTED = 50_000
# What is wrong with a row's path; any other OSError (no more handles, a dying disk) is the machine's.
_ROW_ERRNOS = frozenset(
    (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG)
)


def locate(root: Path, name: str) -> tuple[Path, str]:
    """The absolute path of a regular file inside the root, links followed, and its name below the root.

    Raises:
        BadImage: the path is no plain relative path, leaves the root, or names nothing that can be read.
    """
    why = _bad_name(name)
    if why:
        raise BadImage(why)
    base, plain = root.resolve(), plain_name(name)
    try:
        elsewhere = ".." in name.split("/") and (base / name).resolve() != (base / plain).resolve()
        plain = _spelled(base, plain)
        path = (base / plain).resolve(strict=True)
        mode = path.stat().st_mode if path.is_relative_to(base) else None
    except RuntimeError:  # Python 3.11 and 3.12 say so of a loop of links
        raise BadImage("the path is a loop of links") from None
    except OSError as error:
        raise _of_row(error, _near(base, plain)) from None
    if mode is None:
        raise BadImage("the path leaves the image root through a link")
    if elsewhere:
        raise BadImage("the path has `..` behind a link; write it without")
    if not stat.S_ISREG(mode):
        raise BadImage("the path is a folder" if stat.S_ISDIR(mode) else "the path is not a regular file")
    return path, plain


def plain_name(name: str) -> str:
    """A path without what changes nothing: ``./``, ``//`` and ``x/../``."""
    return posixpath.normpath(name)


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
    if plain_name(name).split("/")[0] == "..":
        return "the path has `..` in it; it must stay inside the image root"
    return ""


def _spelled(base: Path, name: str) -> str:
    """A name as the disk has it, where that differs in the Unicode form of its characters only."""
    if name.isascii() or os.path.lexists(base / name):
        return name
    found = base
    for part in name.split("/"):
        forms = (part, normalize("NFC", part), normalize("NFD", part))
        found /= next((form for form in forms if os.path.lexists(found / form)), part)
    return found.relative_to(base).as_posix()


def _near(base: Path, name: str) -> str:
    """A file inside the root whose name differs only in case, blanks around it or Unicode form, if any."""
    found = base
    try:
        for part in name.split("/"):
            folder = found.resolve()
            inside = folder.is_relative_to(base)
            near = _folded(str(folder), folder.stat().st_mtime_ns).get(_fold(part)) if inside else None
            if near is None:
                return ""
            found /= near
    except (OSError, RuntimeError):  # no folder, not a readable one, a loop of links
        return ""
    return found.relative_to(base).as_posix()


@lru_cache(maxsize=2)
def _folded(folder: str, changed_ns: int) -> dict[str, str]:
    """The names in a folder by what is left of them without case and form; of a vast folder some."""
    del changed_ns  # only so that a folder which has changed is listed anew
    with os.scandir(folder) as entries:
        return {_fold(entry.name): entry.name for entry in islice(entries, _MOST_LISTED)}


def _fold(name: str) -> str:
    return normalize("NFC", normalize("NFC", name.strip()).casefold())


def _of_row(error: OSError, near: str = "") -> BadImage:
    """An error that the row's path is to blame for; others are raised again."""
    if error.errno not in _ROW_ERRNOS:
        raise error
    if error.errno not in (errno.ENOENT, errno.ENOTDIR):
        return BadImage(f"the file cannot be read: {error.strerror}")
    differs = "whose name differs in capitals, blanks or the form of an accent"
    hint = f"; there is {shown(near)}, {differs}" if near else ""
    return BadImage(f"there is no such file in the image root{hint}")


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
