"""Seeds files → checked seeds, one by one, in input order, in memory that does not grow.

A bad row becomes a ``Refusal`` and the rest goes on. Pictures are opened by a few threads that look a
bounded number of rows ahead. Rows are looked at one at a time: what only shows in comparison with others
(a repeated id, an image in two groups) is found by the plan.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from dfj_bootstrap.domain.resizing import MAX_RATIO
from dfj_bootstrap.domain.seed import ImageRef, Seed
from dfj_bootstrap.domain.texts import says_something
from dfj_bootstrap.errors import SeedsError
from dfj_bootstrap.intake.images import DEFAULT_LIMITS, BadImage, ImageLimits, open_image
from dfj_bootstrap.intake.json_lines import BadLine, Line, read_lines
from dfj_bootstrap.intake.row_model import NAME_CHARACTERS, RowRefused, SeedRowModel, clean, parse_row, shown

_THREADS = min(4, os.cpu_count() or 1)
_AHEAD = 8 * _THREADS


@dataclass(frozen=True, slots=True)
class Refusal:
    """An input row that is not used. All of it is safe to print and to store.

    Attributes:
        line: number of the line in ``file``, from 1.
        id: the row's own id as far as one could be read.
        field: dotted, e.g. ``annotations.0.box``; empty where the line as a whole is wrong.
    """

    file: str
    line: int
    id: str | None
    field: str
    why: str

    def as_row(self) -> dict[str, Any]:
        """The row of ``refused.jsonl``."""
        return {"file": self.file, "line": self.line, "field": self.field, "why": self.why, "id": self.id}

    def sentence(self) -> str:
        """For people: where, who, what."""
        who = f" ({self.id})" if self.id else ""
        what = f"{self.field}: {self.why}" if self.field else self.why
        return f"{self.file} line {self.line}{who}: {what}"


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was done to a good row, or left out of it."""

    file: str
    line: int
    id: str
    what: str

    def as_row(self) -> dict[str, Any]:
        return {"file": self.file, "line": self.line, "what": self.what, "id": self.id}


@dataclass(frozen=True, slots=True)
class SeedRow:
    """A row that can be read, and where it stands; the seed's ordinal is not set, its split is the row's own.

    Attributes:
        unfit: the field that a rule turns down, and why; a run that has planned the seed already keeps it, so
            that a new rule locks nobody out.
    """

    file: str
    line: int
    seed: Seed
    notes: tuple[Note, ...] = ()
    unfit: tuple[str, str] | None = None

    def refuse(self, field: str, why: str) -> Refusal:
        """Turn it down after all, because of a rule or another row."""
        return Refusal(self.file, self.line, _safe(self.seed.id), field, why)


_Item: TypeAlias = SeedRow | Refusal


def read_seeds(
    files: Sequence[Path], image_root: Path | None = None, limits: ImageLimits = DEFAULT_LIMITS
) -> Generator[Seed | Refusal | Note, None, None]:
    """Every row of the files as a seed or a refusal, in input order; a seed's notes come before it.

    Args:
        image_root: the folder that image paths are relative to; default: each file's own.

    Raises:
        SeedsError: a file or the image root cannot be read.
    """
    with closing(read_rows(files, image_root, limits)) as rows:
        for item in rows:
            if isinstance(item, Refusal):
                yield item
            elif item.unfit:
                yield item.refuse(*item.unfit)
            else:
                yield from item.notes
                yield item.seed


def read_rows(
    files: Sequence[Path], image_root: Path | None = None, limits: ImageLimits = DEFAULT_LIMITS
) -> Generator[SeedRow | Refusal, None, None]:
    """As ``read_seeds``, with the place of each seed. Threads read ahead until it is closed."""
    roots = [image_root_of(file, image_root) for file in files]
    waiting: deque[Future[_Item]] = deque()
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="images") as pool:
        try:
            for file, root in zip(files, roots, strict=True):
                for line in _lines(file):
                    waiting.append(pool.submit(_check, str(file), root, limits, line))
                    if len(waiting) >= _AHEAD:
                        yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def image_root_of(file: Path, image_root: Path | None) -> Path:
    """The folder that the images of a seeds file are relative to.

    Raises:
        SeedsError: the file or the folder is not there.
    """
    if not file.is_file():
        what = "is a folder, not a JSONL file" if file.is_dir() else "no such file"
        raise SeedsError(f"{_safe(str(file))}: {what}; `seeds` must name the seeds file")
    root = image_root or file.parent
    if not root.is_dir():
        raise SeedsError(
            f"{_safe(str(root))}: no such folder; `image_root` must name the folder of the images"
        )
    if str(root).encode("utf-8", "replace").decode() != str(root):
        raise SeedsError(f"{_safe(str(root))}: the image root's name is not valid UTF-8; rename the folder")
    return root


def derived_id(digest: str) -> str:
    """The id of a seed whose row has none, from its image's digest."""
    return f"im_{digest[:16]}"


def _lines(file: Path) -> Iterator[Line | BadLine]:
    try:
        yield from read_lines(file)
    except OSError as error:
        raise SeedsError(f"{_safe(str(file))}: cannot read the seeds file: {error.strerror}") from None


def _check(file: str, root: Path, limits: ImageLimits, line: Line | BadLine) -> SeedRow | Refusal:
    place = _safe(file)
    if isinstance(line, BadLine):
        return Refusal(place, line.number, line.id and _safe(line.id), "", line.why)
    given = line.data.get("id")
    name = _safe(given)[:NAME_CHARACTERS] if isinstance(given, str) else None
    try:
        row, notes = parse_row(line.data)
        seed = _seed(row, open_image(root, row.image, limits))
    except RowRefused as refused:
        return Refusal(place, line.number, name, refused.field, refused.why)
    except BadImage as bad:
        return Refusal(place, line.number, name, "image", str(bad))
    told = tuple(Note(place, line.number, seed.id, what) for what in notes)
    return SeedRow(place, line.number, seed, told, _unfit(seed))


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
        id=row.id if row.id is not None else derived_id(image.digest),
        image=image,
        label=row.label,
        gold=row.gold_rationale,
        annotations=tuple(mark.annotation() for mark in row.annotations or ()),
        group=row.group if row.group is not None else image.digest,
        split=row.split,
        source=row.source or None,
        licence=row.licence or None,
    )


def _safe(text: str) -> str:
    """A text that neither disturbs a terminal nor fails to be written."""
    return clean(text)[0].replace("\n", " ").replace("\t", " ")
