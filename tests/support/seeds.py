"""Seeds for tests: as values, and as files with small real pictures."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from dfj_bootstrap.domain.rationale import Label
from dfj_bootstrap.domain.seed import Annotation, Box, ImageRef, Seed

DATA = Path(__file__).parent.parent / "data"
BAD = DATA / "bad"

GOLD = (
    "The red ball on the left casts no shadow on the brown floor, although the floor around it is well lit. "
    "Its lower edge is cut off by a straight line. The second window has no frame."
)

_SEED = Seed(
    id="seed-1",
    image=ImageRef(
        path="/images/one.png",
        name="one.png",
        digest="0123456789abcdef0123456789abcdef",
        width=64,
        height=48,
        suffix=".png",
        verbatim=True,
    ),
    label=Label.FAKE,
    gold=GOLD,
    annotations=(
        Annotation("the red ball on the left casts no shadow", "Shadows", Box(250, 330, 500, 750)),
        Annotation(
            "its lower edge is cut off by a straight line", "Edges & Boundaries", Box(250, 700, 500, 750)
        ),
        Annotation("the second window has no frame"),
    ),
    group="group-1",
)

_OBJECTS = ("ball", "lamp", "chair", "kite", "boat", "clock")
_COLOURS = ("red", "blue", "green", "white", "brown", "yellow")
_LABELS = ("fake", "edited", "real")


def make_seed(**overrides: Any) -> Seed:
    """A seed with a gold rationale and annotations; its picture is no file."""
    return replace(_SEED, **overrides)


def write_picture(path: Path, number: int, size: tuple[int, int] = (32, 24)) -> None:
    """A small RGB PNG that differs with every number."""
    colour = (number * 37 % 256, number // 256 % 256, number % 256)
    picture = Image.new("RGB", size, colour)
    ImageDraw.Draw(picture).ellipse((4, 4, 12 + number % 12, 14), fill=(200, 60, 50))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def seed_row(number: int, **overrides: Any) -> dict[str, Any]:
    """A good row as it stands in a seeds file; labels take turns, ids are ``seed-00000`` and so on."""
    label = _LABELS[number % 3]
    thing = f"{_COLOURS[number % 6]} {_OBJECTS[number // 6 % 6]}"
    claims = [
        (f"the {thing} on the left casts no shadow on the floor", "Shadows", [100, 200, 400, 600]),
        (
            f"the lower edge of the {thing} is cut off by a straight line",
            "Edges & Boundaries",
            [100, 500, 400, 600],
        ),
        ("two of the four windows in the background have no frame", "Object Completeness & Counts", None),
    ]
    faults = ". ".join(text[0].upper() + text[1:] for text, _, _ in claims) + "."
    clean = f"The {thing} on the left casts a soft shadow on the floor. All four windows have their frames."
    real = label == "real"
    row: dict[str, Any] = {
        "id": f"seed-{number:05d}",
        "image": f"images/{number:05d}.png",
        "label": label,
        "gold_rationale": clean if real else faults,
        "annotations": [] if real else [{"text": t, "flag": f, "box": b} for t, f, b in claims],
    }
    return {name: value for name, value in (row | overrides).items() if value is not ...}


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A seeds file of just these rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def write_seed_rows(
    folder: Path,
    n: int,
    *,
    start: int = 0,
    overrides: Callable[[int], Mapping[str, Any]] = lambda number: {},
    size: tuple[int, int] = (32, 24),
) -> Path:
    """Write ``seeds.jsonl`` with ``n`` good rows, numbered from ``start``, and a picture for each.

    Args:
        overrides: fields of each row to set; ``...`` leaves one out.

    Returns:
        The path of the seeds file.
    """
    rows = [seed_row(number, **overrides(number)) for number in range(start, start + n)]
    for number in range(start, start + n):
        write_picture(folder / "images" / f"{number:05d}.png", number, size)
    return write_rows(folder / "seeds.jsonl", rows)


def image_threads() -> set[threading.Thread]:
    """Those that check pictures, whoever started them."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("images")}
