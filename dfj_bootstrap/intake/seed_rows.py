"""Seeds files → checked seeds, one by one, in input order, in memory that does not grow.

A bad row becomes a ``Refusal`` and the rest goes on. Pictures are opened by a few threads that look a
bounded number of rows ahead. Rows are looked at one at a time: what only shows in comparison with others
(a repeated id, an image in two groups) is found by the plan.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from dfj_bootstrap.domain.resizing import MAX_RATIO
from dfj_bootstrap.domain.seed import ImageRef, Seed
from dfj_bootstrap.domain.texts import says_something
from dfj_bootstrap.errors import SeedsError
from dfj_bootstrap.intake.images import DEFAULT_LIMITS, BadImage, ImageLimits, open_image
from dfj_bootstrap.intake.item_rows import ItemRow, Note, Refusal, RowRefused
from dfj_bootstrap.intake.json_lines import BadLine, JsonLine, read_lines
from dfj_bootstrap.intake.reading_ahead import looked_at
from dfj_bootstrap.intake.row_model import SeedRowModel, parse_row
from dfj_bootstrap.intake.safe_text import NAME_CHARACTERS, one_line, shown
from dfj_bootstrap.intake.seed_json import content_of

_Row: TypeAlias = ItemRow[Seed] | Refusal


def read_seed_rows(
    files: Sequence[Path], image_root: Path | None = None, limits: ImageLimits = DEFAULT_LIMITS
) -> Generator[_Row, None, None]:
    """Every row of the files as a seed or a refusal, in input order. Threads read ahead until it is closed.

    The ordinal of a seed is not set, and its split is the row's own.

    Args:
        image_root: the folder that image paths are relative to; default: each file's own.

    Raises:
        SeedsError: a file or the image root cannot be read.
    """
    roots = [image_root_of(file, image_root) for file in files]
    placed = (
        (str(file), root, line) for file, root in zip(files, roots, strict=True) for line in _lines(file)
    )
    return looked_at(placed, lambda each: _check(each[0], each[1], limits, each[2]))


def image_root_of(file: Path, image_root: Path | None) -> Path:
    """The folder that the images of a seeds file are relative to.

    Raises:
        SeedsError: the file or the folder is not there.
    """
    if not file.is_file():
        what = "is a folder, not a JSONL file" if file.is_dir() else "no such file"
        raise SeedsError(f"{one_line(str(file))}: {what}; `seeds` must name the seeds file")
    root = image_root or file.parent
    if not root.is_dir():
        raise SeedsError(
            f"{one_line(str(root))}: no such folder; `image_root` must name the folder of the images"
        )
    if str(root).encode("utf-8", "replace").decode() != str(root):
        raise SeedsError(
            f"{one_line(str(root))}: the image root's name is not valid UTF-8; rename the folder"
        )
    return root


def _derived_id(digest: str) -> str:
    """The id of a seed whose row has none, from its image's digest."""
    return f"im_{digest[:16]}"


def _lines(file: Path) -> Iterator[JsonLine | BadLine]:
    try:
        yield from read_lines(file)
    except OSError as error:
        raise SeedsError(f"{one_line(str(file))}: cannot read the seeds file: {error.strerror}") from None


def _check(file: str, root: Path, limits: ImageLimits, line: JsonLine | BadLine) -> _Row:
    place = one_line(file)
    if isinstance(line, BadLine):
        return Refusal(place, line.number, line.id and one_line(line.id), "", line.why)
    given = line.data.get("id")
    name = one_line(given)[:NAME_CHARACTERS] if isinstance(given, str) else None
    try:
        row, notes = parse_row(line.data)
        seed = _seed(row, open_image(root, row.image, limits))
    except RowRefused as refused:
        return Refusal(place, line.number, name, refused.field, refused.why)
    except BadImage as bad:
        return Refusal(place, line.number, name, "image", str(bad))
    told = tuple(Note(place, line.number, seed.id, what) for what in notes)
    derived_from = "picture" if seed.id == _derived_id(seed.image.digest) else ""
    return ItemRow(place, line.number, seed.id, seed, content_of(seed), derived_from, told, _unfit(seed))


def _unfit(seed: Seed) -> tuple[str, str] | None:
    """What nobody can be trained on, although it can be read."""
    if seed.gold is not None and not says_something(seed.gold):
        return "gold_rationale", f"{shown(seed.gold)} holds no letter or digit"
    sides = (seed.image.width, seed.image.height)
    if max(sides) > MAX_RATIO * min(sides):
        size = f"{sides[0]} × {sides[1]}"
        return "image", f"the picture is {size} pixels; trainers refuse sides of more than {MAX_RATIO} to 1"
    return None


def _seed(row: SeedRowModel, image: ImageRef) -> Seed:
    return Seed(
        id=row.id if row.id is not None else _derived_id(image.digest),
        image=image,
        label=row.label,
        gold=row.gold_rationale,
        annotations=tuple(mark.annotation() for mark in row.annotations or ()),
        group=row.group if row.group is not None else image.digest,
        split=row.split,
        source=row.source or None,
        licence=row.licence or None,
    )
