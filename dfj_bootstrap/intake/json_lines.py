"""Untrusted JSON Lines → objects, one line at a time, in memory that one line bounds.

Every line ends up as a ``JsonLine`` or as a ``BadLine`` that says why; blank lines are skipped. A file that
is no JSON Lines at all (one JSON document over many lines, a binary file) gives a single ``BadLine``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

LINE_BYTES = 4 * 2**20
"""The most bytes of one line."""

_BOM = b"\xef\xbb\xbf"
_ID_HINT = re.compile(rb'"id"\s*:\s*"([^"\\\x00-\x1f]{1,200})"')
_LINES_WANTED = "one JSON object per line is wanted"


@dataclass(frozen=True, slots=True)
class JsonLine:
    """A line that holds an object; ``number`` counts from 1, and ``raw`` is the line as it stands."""

    number: int
    data: dict[str, Any]
    raw: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that holds none; ``id`` is the row's id that seems to stand in it."""

    number: int
    why: str
    id: str | None = None


class _Bad(ValueError):
    """Why a text is not an object."""


def read_lines(path: Path) -> Iterator[JsonLine | BadLine]:
    """The objects of a file, in order.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        first = True
        for number, raw in _raw_lines(file):
            line = raw.removeprefix(_BOM) if number == 1 else raw
            if not line.strip():
                continue
            why = _whole_file(line) if first else ""
            if why:
                yield BadLine(number, why)
                return
            first = False
            yield _parse(number, line)


def take_in(path: Path, digest: blake2b) -> int:
    """Add the bytes of a file to a digest; returns how many lines it has.

    Raises:
        OSError: the file cannot be read.
    """
    lines = 0
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
            lines += chunk.count(b"\n")
    return lines


def _raw_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Numbered lines; one that is too long comes with one byte more than is allowed, and no more."""
    number = 0
    while line := file.readline(LINE_BYTES + 1):
        number += 1
        rest = line
        while len(rest) > LINE_BYTES and not rest.endswith(b"\n"):
            rest = file.readline(LINE_BYTES + 1)
        yield number, line


def _whole_file(first: bytes) -> str:
    """Why the first line shows that no line of the file will do; empty where it does not."""
    if b"\0" in first:
        return f"the file is not UTF-8 text; {_LINES_WANTED}, in UTF-8"
    start = first.strip()
    opens = start in (b"{", b"[") or (start.startswith(b"[") and start[1:].lstrip().startswith(b"{"))
    if opens and not _complete(start):
        return f"the file is one JSON document over many lines; {_LINES_WANTED}"
    return ""


def _complete(text: bytes) -> bool:
    try:
        json.loads(text)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def _parse(number: int, line: bytes) -> JsonLine | BadLine:
    try:
        return JsonLine(number, _object(line), line)
    except _Bad as bad:
        hint = _ID_HINT.search(line[:4096])
        return BadLine(number, str(bad), hint and hint[1].decode("utf-8", "replace"))


def _object(line: bytes) -> dict[str, Any]:
    if len(line) > LINE_BYTES:
        raise _Bad(f"the line has more than {LINE_BYTES:,} bytes")
    try:
        value = json.loads(line.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except _Bad:
        raise
    except UnicodeDecodeError as error:
        raise _Bad(f"the line is not valid UTF-8 (byte {error.start + 1})") from None
    except RecursionError:
        raise _Bad("the line nests brackets too deeply") from None
    except json.JSONDecodeError as error:
        cut_off = "" if line.endswith(b"\n") else "the file ends in the middle of this line: "
        raise _Bad(f"{cut_off}not valid JSON: {error.msg} (column {error.colno})") from None
    except ValueError:  # a number of thousands of digits
        raise _Bad("the line holds a number with too many digits") from None
    if not isinstance(value, dict):
        kind = {list: "a list", str: "a text", type(None): "null"}.get(type(value), "a single value")
        raise _Bad(f"the line holds {kind}; {_LINES_WANTED}")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Bad(f"the field {json.dumps(twice[:60])} stands twice in one object")
    return members


def _no_constant(name: str) -> Any:
    raise _Bad(f"{name} is not valid JSON")
