"""A Parquet file looked at byte by byte: what lies in it that no value needs.

Readers skip what a page holds behind its last value; there a writer may leave whatever its memory held. Here
every page is found by its header (Thrift's compact protocol), unpacked, and read to its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_MAGIC = b"PAR1"
_DATA, _DICTIONARY = 0, 2
_PLAIN_DICTIONARY, _RLE_DICTIONARY, _RLE = 2, 8, 3
_WIDTHS = {"INT32": 4, "INT64": 8, "FLOAT": 4, "DOUBLE": 8}


@dataclass(frozen=True)
class Page:
    """A page as it lies in the file, unpacked."""

    column: str
    kind: int
    values: int
    encoding: int
    body: bytes


def slack(path: Path) -> list[str]:
    """What stands in a Parquet file and is no part of any value; empty where each byte has its place."""
    data, file = path.read_bytes(), pq.ParquetFile(path)
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    spans = sorted(_span(chunk) for chunk in _chunks(file))
    ends = [len(_MAGIC), *(end for _, end in spans)]
    found = [
        f"{start - end} bytes between columns"
        for end, start in zip(ends, [start for start, _ in spans] + [footer], strict=True)
        if start != end
    ]
    for index in range(file.num_row_groups):
        for number in range(file.metadata.num_columns):
            column, chunk = file.schema.column(number), file.metadata.row_group(index).column(number)
            for page in _pages(data, chunk):
                found += [f"{page.column}: {what}" for what in _slack_of(page, chunk.physical_type, column)]
    return found


def _chunks(file: Any) -> Iterator[Any]:
    for index in range(file.num_row_groups):
        group = file.metadata.row_group(index)
        yield from (group.column(number) for number in range(group.num_columns))


def _span(chunk: Any) -> tuple[int, int]:
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    return start, start + chunk.total_compressed_size


def _pages(data: bytes, chunk: Any) -> Iterator[Page]:
    at, end = _span(chunk)
    while at < end:
        header, at = _struct(data, at)
        body = data[at : at + header[3]]
        at += header[3]
        if chunk.compression != "UNCOMPRESSED":
            body = pa.decompress(body, header[2], codec=chunk.compression.lower(), asbytes=True)
        assert len(body) == header[2]
        about = header[7] if header[1] == _DICTIONARY else header[5]
        yield Page(chunk.path_in_schema, header[1], about[1], about[2], body)
    assert at == end


def _slack_of(page: Page, physical: str, column: Any) -> Iterator[str]:
    """What is left of a page once its levels and values are read."""
    at, count = 0, page.values
    if page.kind == _DATA:
        for most in filter(None, (column.max_repetition_level, column.max_definition_level)):
            size = int.from_bytes(page.body[at : at + 4], "little")
            numbers, rest = _hybrid(page.body[at + 4 : at + 4 + size], most.bit_length(), page.values)
            yield from _said(rest, "behind the levels")
            at += 4 + size
            if most == column.max_definition_level:
                count = sum(number == most for number in numbers)
    yield from _said(_behind_values(page, page.body[at:], physical, count), "behind the values")


def _behind_values(page: Page, body: bytes, physical: str, count: int) -> bytes:
    if page.kind == _DATA and page.encoding in (_PLAIN_DICTIONARY, _RLE_DICTIONARY):
        return _hybrid(body[1:], body[0], count)[1] if count else body[1:]
    if page.kind == _DATA and page.encoding == _RLE:
        return _hybrid(body[4:], 1, count)[1]
    if physical == "BYTE_ARRAY":
        return body[_end_of_texts(body, count) :]
    if physical == "BOOLEAN":
        return body[-(-count // 8) :]
    return body[count * _WIDTHS[physical] :]


def _said(rest: bytes, where: str) -> Iterator[str]:
    if rest:
        yield f"{len(rest)} bytes {where}: {rest[:40]!r}"


def _end_of_texts(body: bytes, count: int) -> int:
    at = 0
    for _ in range(count):
        at += 4 + int.from_bytes(body[at : at + 4], "little")
    return at


def _hybrid(body: bytes, width: int, count: int) -> tuple[list[int], bytes]:
    """Numbers in runs and bit-packed groups of eight; and what stands behind, unused bits included."""
    numbers: list[int] = []
    at = 0
    while len(numbers) < count:
        header, at = _varint(body, at)
        if header & 1:
            size = (header >> 1) * width
            packed = int.from_bytes(body[at : at + size], "little")
            taken = min((header >> 1) * 8, count - len(numbers))
            numbers += [packed >> (i * width) & ((1 << width) - 1) for i in range(taken)]
            if packed >> (taken * width):
                return numbers, body[at : at + size]
        else:
            size = -(-width // 8)
            numbers += [int.from_bytes(body[at : at + size], "little")] * (header >> 1)
        at += size
    return numbers, body[at:]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte, at = data[at], at + 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _struct(data: bytes, at: int) -> tuple[dict[int, Any], int]:
    """A Thrift struct as field number → value."""
    fields: dict[int, Any] = {}
    number = 0
    while data[at]:
        delta, kind = data[at] >> 4, data[at] & 0xF
        at += 1
        if delta:
            number += delta
        else:
            raw, at = _varint(data, at)
            number = raw >> 1 ^ -(raw & 1)
        fields[number], at = _value(data, at, kind)
    return fields, at + 1


def _value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    """A value of the kinds that page headers hold."""
    if kind in (1, 2):
        return kind == 1, at
    if kind in (4, 5, 6):
        raw, at = _varint(data, at)
        return raw >> 1 ^ -(raw & 1), at
    if kind == 8:
        size, at = _varint(data, at)
        return data[at : at + size], at + size
    assert kind == 12, f"a page header with a field of kind {kind}"
    return _struct(data, at)
