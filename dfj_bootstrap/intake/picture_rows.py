"""Rows with a picture as a job's items, for whoever asks a model about them: whatever else they hold is kept.

The rows come from JSON Lines, from a folder of pictures, or from memory. A picture is opened as a seed's is:
confined to a folder, bounded, decoded once. One that can't be used refuses its row alone.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar, Protocol

import orjson

from dfj_bootstrap.domain.rationale import Label
from dfj_bootstrap.domain.seed import ImageRef
from dfj_bootstrap.errors import SeedsError
from dfj_bootstrap.intake.image_paths import BadImage
from dfj_bootstrap.intake.images import open_image
from dfj_bootstrap.intake.item_index import ItemIndex
from dfj_bootstrap.intake.item_rows import ItemRow, Refusal, RowRefused
from dfj_bootstrap.intake.json_lines import JsonLine
from dfj_bootstrap.intake.json_rows import GivenRows, JsonObject, JsonRows, Line, checked
from dfj_bootstrap.intake.judged_rows import picture_of
from dfj_bootstrap.intake.reading_ahead import looked_at
from dfj_bootstrap.intake.safe_text import NAME_CHARACTERS, one_line

Check = Callable[[JsonObject], object]
"""Raises ``RowRefused`` where a row won't do for the job."""

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_REMEMBERED = 10_000
"""Pictures that are known again while rows are read, since several rows in a row have the same."""


class Source(Protocol):
    """Where rows come from."""

    def look_through(self) -> tuple[str, int]: ...

    def lines(self) -> Iterator[Line]: ...

    def nothing(self) -> str: ...


@dataclass(frozen=True, slots=True)
class PictureRow:
    """A row and its picture.

    Attributes:
        data: the row as it came, its ``id`` a text.
    """

    id: str
    image: ImageRef
    data: JsonObject


@dataclass(frozen=True, slots=True)
class PictureFolder:
    """The pictures of a folder and those below it, as rows: ``image``, and ``label`` if a folder tells it."""

    folder: Path

    def look_through(self) -> tuple[str, int]:
        names = [row["image"] for row in self._rows()]
        return blake2b("\0".join(names).encode("utf-8", "replace"), digest_size=16).hexdigest(), len(names)

    def lines(self) -> Iterator[Line]:
        place = one_line(str(self.folder))
        for number, row in enumerate(self._rows(), 1):
            line = JsonLine(number, row, _as_json(row))
            yield line, checked(place, line, _named)

    def nothing(self) -> str:
        return f"{one_line(str(self.folder))}: there are no pictures ({', '.join(_SUFFIXES)})"

    def _rows(self) -> Iterator[JsonObject]:
        try:
            files = sorted(path for path in self.folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
        except OSError as error:
            raise SeedsError(f"{self.folder}: cannot read the folder: {error.strerror}") from None
        for path in files:
            name = path.relative_to(self.folder)
            label = next((part.lower() for part in name.parts[:-1] if part.lower() in list(Label)), None)
            yield {"image": name.as_posix(), **({"label": label} if label else {})}


@dataclass(frozen=True, slots=True)
class PictureRows:
    """The items of a job that asks about pictures.

    Attributes:
        root: the folder that the pictures' paths are relative to and must not leave.
        check: refuses what won't do.
    """

    noun: ClassVar[str] = "row"

    source: JsonRows | GivenRows | PictureFolder
    root: Path
    check: Check

    def index(self) -> ItemIndex[PictureRow]:
        return ItemIndex()

    def look_through(self) -> tuple[str, int]:
        if not self.root.is_dir():
            root = one_line(str(self.root))
            raise SeedsError(f"{root}: no such folder; `input_root` must name the folder of the pictures")
        digest, lines = self.source.look_through()
        return f"{digest} {blake2b(str(self.root.resolve()).encode(), digest_size=8).hexdigest()}", lines

    def read(self) -> Generator[ItemRow[PictureRow] | Refusal, None, None]:
        pictures = _Pictures(self.root)
        return looked_at((row for _, row in self.source.lines()), lambda row: self._looked_at(row, pictures))

    def nothing(self) -> str:
        return self.source.nothing()

    def to_row(self, item: PictureRow) -> dict[str, Any]:
        return {"id": item.id, "image": asdict(item.image), "row": item.data}

    def from_row(self, row: Mapping[str, Any]) -> PictureRow:
        return PictureRow(row["id"], ImageRef(**row["image"]), row["row"])

    def differences(self, old: PictureRow, new: PictureRow) -> list[str]:
        differ = old.image.digest != new.image.digest and old.data == new.data
        return ["the picture"] if differ else list(JsonRows(()).differences(old.data, new.data))

    def _looked_at(
        self, row: ItemRow[JsonObject] | Refusal, pictures: _Pictures
    ) -> ItemRow[PictureRow] | Refusal:
        if isinstance(row, Refusal):
            return row
        try:
            self.check(row.item)
            name = picture_of(row.item)
        except RowRefused as refused:
            return row.refuse(refused.field, refused.why)
        image = pictures.open(name)
        if isinstance(image, BadImage):
            return row.refuse("image", str(image))
        content = blake2b(row.content + image.digest.encode(), digest_size=16).digest()
        item = PictureRow(row.id, image, row.item)
        return ItemRow(row.file, row.line, row.id, item, content, row.derived_from)


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Opens pictures below a folder, those it has just opened only once."""

    root: Path
    known: dict[str, ImageRef | BadImage] = field(default_factory=dict)

    def open(self, name: str) -> ImageRef | BadImage:
        """The picture, or why it can't be used; called by threads."""
        found = self.known.get(name)
        if found is None:
            found = self._opened(name)
            if len(self.known) >= _REMEMBERED:
                self.known.clear()
            self.known[name] = found
        return found

    def _opened(self, name: str) -> ImageRef | BadImage:
        try:
            return open_image(self.root, name)
        except BadImage as bad:
            return bad


def _named(row: Mapping[str, Any]) -> object:
    """A picture's path as its row's id; one that is too long for a name leaves it to the row's content."""
    name = picture_of(row)
    return name if len(name) <= NAME_CHARACTERS else None


def _as_json(row: JsonObject) -> bytes:
    """The row as a line; a file's name may hold what no JSON can, and is refused for it later."""
    try:
        return orjson.dumps(row)
    except orjson.JSONEncodeError:
        return orjson.dumps({**row, "image": row["image"].encode("utf-8", "replace").decode()})
