"""JSON objects as a job's items, whatever their fields: from JSON Lines files, or from memory.

An ``id`` is a text or a number, and unique; a row without one gets it from its content. All other fields stay
as they are. A row that the plan could not give back just so is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import inf
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import orjson

from dfj_bootstrap.errors import SeedsError
from dfj_bootstrap.intake.item_index import ItemIndex
from dfj_bootstrap.intake.item_rows import ItemRow, Refusal, RowRefused
from dfj_bootstrap.intake.json_lines import BadLine, JsonLine, read_lines, take_in
from dfj_bootstrap.intake.safe_text import NAME_CHARACTERS, bad_name, one_line, shown, too_long

JsonObject: TypeAlias = dict[str, Any]
"""An item: ``id``, a text, comes first; then all other fields, as the row has them."""

Line: TypeAlias = tuple[JsonLine | BadLine, "ItemRow[JsonObject] | Refusal"]
"""A line as it stands in its file, and the row that it is."""


def plain_id(fields: Mapping[str, Any]) -> object:
    """The field that is a row's id, unless a job's rows have another."""
    return fields.get("id")


_NOT_KEPT = (
    "holds what cannot be kept: a number beyond 64 bits, half a character or brackets nested too deeply"
)
_NAMED = 5
"""The most fields that a message names."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """What JSON objects have in common, wherever they come from."""

    noun: ClassVar[str] = "item"

    def index(self) -> ItemIndex[JsonObject]:
        return ItemIndex()

    def to_row(self, item: JsonObject) -> dict[str, Any]:
        return {"id": item["id"], "item": item}

    def from_row(self, row: Mapping[str, Any]) -> JsonObject:
        item: JsonObject = row["item"]
        return item

    def differences(self, old: JsonObject, new: JsonObject) -> list[str]:
        names = [name for name in old | new if _digest(_only(old, name)) != _digest(_only(new, name))]
        more = [f"{len(names) - _NAMED} more fields"] if len(names) > _NAMED else []
        return [*map(_field, names[:_NAMED]), *more]


@dataclass(frozen=True, slots=True)
class JsonRows(_Rows):
    """The rows of JSON Lines files."""

    files: Sequence[Path]
    id_of: Callable[[Mapping[str, Any]], object] = plain_id

    def look_through(self) -> tuple[str, int]:
        digest, lines = blake2b(digest_size=16), 0
        for file in self.files:
            digest.update(b"\0")
            try:
                lines += take_in(file, digest)
            except OSError as error:
                raise _unreadable(file, error) from None
        return digest.hexdigest(), lines

    def read(self) -> Generator[ItemRow[JsonObject] | Refusal, None, None]:
        return (row for _, row in self.lines())

    def lines(self) -> Iterator[Line]:
        """Every row together with its line."""
        for file in self.files:
            place = one_line(str(file))
            try:
                for line in read_lines(file):
                    yield line, checked(place, line, self.id_of)
            except OSError as error:
                raise _unreadable(file, error) from None

    def nothing(self) -> str:
        return f"{', '.join(map(str, self.files))}: there are no rows; one JSON object per line is wanted"


@dataclass(frozen=True, slots=True)
class GivenRows(_Rows):
    """Rows that are in memory already; messages count them from 1 in the file ``source``."""

    rows: Sequence[Mapping[str, Any]]
    source: str = "given"

    def look_through(self) -> tuple[str, int]:
        return blake2b(orjson.dumps(self.rows), digest_size=16).hexdigest(), len(self.rows)

    def read(self) -> Generator[ItemRow[JsonObject] | Refusal, None, None]:
        return (row for _, row in self.lines())

    def lines(self) -> Iterator[Line]:
        """Every row together with the line that it would be."""
        for number, row in enumerate(self.rows, 1):
            line = JsonLine(number, dict(row), orjson.dumps(row))
            yield line, checked(self.source, line)

    def nothing(self) -> str:
        return f"{self.source}: there are no rows"


def checked(
    place: str, line: JsonLine | BadLine, id_of: Callable[[Mapping[str, Any]], object] = plain_id
) -> ItemRow[JsonObject] | Refusal:
    """The row of a line of the file ``place``."""
    if isinstance(line, BadLine):
        return Refusal(place, line.number, line.id and one_line(line.id), "", line.why)
    fields = {name: value for name, value in line.data.items() if name != "id"}
    try:
        given = _own_id(id_of(line.data))
        _check_kept(fields)
    except RowRefused as refused:
        return Refusal(place, line.number, _hint(line.data.get("id")), refused.field, refused.why)
    item = {"id": given or f"row_{_digest(fields).hex()[:16]}", **fields}
    return ItemRow(place, line.number, item["id"], item, _digest(item), "" if given else "content")


def _own_id(given: object) -> str | None:
    """The id that a row has, as text; ``None`` where it has none."""
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, (str, int, float)) or given in (inf, -inf):
        raise RowRefused("id", f"must be a text or a number, not {shown(given)}")
    name = str(given)
    why = bad_name(name) or (too_long(len(name), NAME_CHARACTERS) if len(name) > NAME_CHARACTERS else "")
    if why:
        raise RowRefused("id", why)
    return name


def _check_kept(fields: JsonObject) -> None:
    """Whether the plan can give all fields back as they are."""
    if not _comes_back(fields):
        name = next((name for name in fields if not _comes_back({name: fields[name]})), "")
        raise RowRefused(_field(name), _NOT_KEPT)


def _comes_back(fields: JsonObject) -> bool:
    try:
        return bool(orjson.loads(orjson.dumps({"item": fields})) == {"item": fields})
    except (orjson.JSONEncodeError, orjson.JSONDecodeError):
        return False


def _hint(given: object) -> str | None:
    """What a row that is refused has as its id, as far as that can be said."""
    return one_line(given)[:NAME_CHARACTERS] if isinstance(given, str) else None


def _only(item: JsonObject, name: str) -> JsonObject:
    return {name: item[name]} if name in item else {}


def _field(name: str) -> str:
    return one_line(name)[:NAME_CHARACTERS]


def _digest(fields: JsonObject) -> bytes:
    return blake2b(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def _unreadable(file: Path, error: OSError) -> SeedsError:
    return SeedsError(f"{one_line(str(file))}: cannot read the file: {error.strerror}")
