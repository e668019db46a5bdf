"""The lines of a journal's files: a checksum and a JSON object each; what is damaged is found out and told.

A line is eight hex digits of CRC-32, a space, a JSON object and a newline, written by one call. So a line
without its newline was torn by a kill or a full disk, which costs what was in flight; any other line whose
checksum doesn't fit has changed on the disk, which costs an answer that was paid for.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias

import orjson

Record: TypeAlias = dict[str, Any]

_BEGINNING = re.compile(rb"[0-9a-f]{8} \{")
"""What any line begins with."""

_TAIL_BYTES = 2**16
"""Of a file's end that its last line is looked for in."""


@dataclass(frozen=True, slots=True)
class Found:
    """A whole line: where it stands, in bytes from the start of the file, and what it says."""

    offset: int
    length: int
    record: Record

    @property
    def end(self) -> int:
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Damaged:
    """A line, counted from 1, that isn't what was written; ``end``: in bytes from the start of the file."""

    number: int
    end: int


def encoded(record: Record) -> bytes:
    """The line of a record."""
    body = orjson.dumps(record)
    return b"%08x %s\n" % (zlib.crc32(body), body)


def decoded(line: bytes) -> Record | None:
    """The record of a line, ``None`` where it is torn or damaged."""
    body = line[9:-1]
    if not line.endswith(b"\n") or line[:9] != b"%08x " % zlib.crc32(body):
        return None
    record: Record = orjson.loads(body)
    return record


def scan(stream: BinaryIO, limit: int | None) -> Iterator[Found | Damaged]:
    """The lines of a file up to a torn tail, or to the byte ``limit``, where a line ended once."""
    offset = 0
    for number, line in enumerate(stream, start=1):
        if limit is not None and offset + len(line) > limit:
            return
        found = _found(line, offset)
        if found is None or found.offset > offset:
            if not line.endswith(b"\n") and limit is None:
                return
            yield Damaged(number, offset + len(line))  # up to a limit all lines were whole once
        if found is not None:
            yield found
        offset += len(line)


def first_record(stream: BinaryIO) -> Record | None:
    """What the first line says."""
    return decoded(stream.readline())


def last_record(stream: BinaryIO) -> Record | None:
    """What the last line says; ``None`` too where it is longer than such lines are."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _TAIL_BYTES))
    lines = stream.read().splitlines(keepends=True)
    return decoded(lines[-1]) if lines else None


def _found(line: bytes, offset: int) -> Found | None:
    """The record in a line; one may stand behind a torn one, or behind a newline that was damaged."""
    record = decoded(line)
    if record is not None:
        return Found(offset, len(line), record)
    for match in _BEGINNING.finditer(line, 1):
        record = decoded(line[match.start() :])
        if record is not None:
            return Found(offset + match.start(), len(line) - match.start(), record)
    return None
