"""A ``.env`` beside the config, looked at before it is used: what sets no variable would be passed over."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from dfj_bootstrap.errors import ConfigError

if TYPE_CHECKING:
    from dotenv.parser import Binding

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def check_env_file(path: Path) -> None:
    """See that every line of a ``.env`` sets a variable; none is shown, for it may hold a key.

    Raises:
        ConfigError: naming the file, and the line that doesn't, or that it can't be read.
    """
    from dotenv.parser import parse_stream

    for found in parse_stream(StringIO(_text(path))):
        if not _is_good(found):
            before = re.match(r"\s*", found.original.string)
            line = found.original.line + (before[0].count("\n") if before else 0)
            raise ConfigError(f"{path} line {line}: write it as NAME=VALUE, with both quotes or none")


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: cannot read the keys: it is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the keys: {error.strerror}") from None
    if text.startswith("\ufeff"):
        raise ConfigError(f"{path}: cannot read the keys: it begins with a byte order mark; save it without")
    return text


def _is_good(found: Binding) -> bool:
    if found.error or "\0" in found.original.string:
        return False
    return found.key is None or (found.value is not None and _NAME.fullmatch(found.key) is not None)
