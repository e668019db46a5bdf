"""Paths from a configuration or a command line → absolute paths of this machine.

A file system takes nearly any name, so that ``s3://bucket/run`` or ``$HOME/run`` would quietly become a
folder of that name: what reads like an address or like a template is refused.
"""

from __future__ import annotations

import re
from pathlib import Path

from dfj_bootstrap.errors import ConfigError

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_REMOTE = re.compile(r"[^/\s]+@[^/\s]+:")
_WINDOWS = re.compile(r"[A-Za-z]:([/\\]|$)|[^/]*\\")
_VARIABLE = re.compile(r"\$\{?[A-Za-z_]\w*\}?|%[A-Za-z_]\w+%")
_PLACEHOLDER = re.compile(r"\{[^{}/]*\}|\$\([^()]*\)|`[^`]*`|<[^<>/]*>|%[A-Za-z]")


def local_path(where: str, path: Path, base: Path) -> Path:
    """A path, absolute, with ``~`` expanded.

    Args:
        where: what to call it in a message, e.g. ``output``.
        base: what it is relative to.

    Raises:
        ConfigError: it is no path of this machine; says what is possible.
    """
    text = _ADDRESS.sub(r"\1://", str(path), count=1)  # a Path keeps one slash of the two
    try:
        found = (base / path.expanduser()).resolve()
        why = _not_local(text, there=found.exists())
    except (RuntimeError, OSError) as error:  # no home folder for a `~name`, a loop of links, too long a name
        why = f"can't be used ({' '.join(str(error).split())})"
    if why:
        raise ConfigError(f"`{where}`: {text!r} {why}")
    return found


def _not_local(text: str, *, there: bool) -> str:
    """Why a path can't be meant to name something here, if so; what is there may have any name."""
    if _ADDRESS.match(text) or (_REMOTE.match(text) and not there):
        return "is an address; write a path of this machine (a mounted one will do), and copy from or to it"
    if there:
        return ""
    if text != text.strip() or _UNSEEN.search(text):
        return "has blanks around it, or a line break or the like in it; write it without"
    if _WINDOWS.match(text):
        return "is a path of Windows; write it with forward slashes, as this machine has it"
    found = _VARIABLE.search(text) or _PLACEHOLDER.search(text)
    if found:
        word = found[0].strip("`")
        return f"holds `{word}`, which is not filled in; write it out (only `~` is known, the home folder)"
    return ""
