"""A seed: one image with its label, its gold rationale and what people marked in it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dfj_bootstrap.domain.rationale import Label, Rationale

FLAGS = (
    "Shadows",
    "Lighting Match",
    "Color Cast Consistency",
    "Relative Size / Scale",
    "Perspective / Straight-Line Convergence",
    "Front–Back Overlap",
    "Contact & Support",
    "Focus / Blur with Depth",
    "Reflections & Transparency",
    "Material Shine",
    "Texture / Pattern Follow-Through",
    "Text & Small Details",
    "Object Completeness & Counts",
    "Edges & Boundaries",
    "Other",
)
"""The 15 annotation categories of DeepfakeJudge."""

GRID = 1000
"""Boxes are integers from 1 to this on each axis, whatever the picture's size."""


class Split(StrEnum):
    """The two halves of a dataset."""

    TRAIN = "train"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Box:
    """A region of the upright picture on the 1–1000 grid of each axis; x2 > x1 and y2 > y1."""

    x1: int
    y1: int
    x2: int
    y2: int


@dataclass(frozen=True, slots=True)
class Annotation:
    """One human mark: a flag, a region and a referring expression; flag and box may be missing."""

    text: str
    flag: str | None = None
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class ImageRef:
    """A picture that was opened and found good.

    Attributes:
        path: absolute path of the file.
        name: the path below the image root, in its plain spelling, for tables.
        digest: hex BLAKE2b-128 of the file's bytes.
        width, height: pixels of the upright picture.
        suffix: ``.png``, ``.jpg`` or ``.webp``: what the file's *content* is.
        verbatim: the file's own bytes are upright 8-bit RGB and go into the dataset unchanged.
    """

    path: str
    name: str
    digest: str
    width: int
    height: int
    suffix: str
    verbatim: bool


@dataclass(frozen=True, slots=True)
class Seed:
    """One row of the input, checked.

    Attributes:
        gold: the human (or factual) rationale; ``None`` where a writer must make it from annotations.
        group: pictures of one group share a split; default: the image's digest.
        split: set where the row (or another row of its group) names it.
        ordinal: position among the good rows, from 0; rows that a run gets later come after those it had.
    """

    id: str
    image: ImageRef
    label: Label
    gold: str | None
    annotations: tuple[Annotation, ...]
    group: str
    split: Split | None = None
    source: str | None = None
    licence: str | None = None
    ordinal: int = 0

    def gold_rationale(self) -> Rationale | None:
        """The gold as a rationale: it answers the image's own label."""
        return None if self.gold is None else Rationale(self.gold, self.label)
