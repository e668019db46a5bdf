"""A seed as a JSON object in the plan, and what its row said: what changed since, and in which field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from dfj_bootstrap.domain.rationale import Label
from dfj_bootstrap.domain.seed import Annotation, Box, ImageRef, Seed, Split
from dfj_bootstrap.intake.image_paths import plain_name
from dfj_bootstrap.storage.planned import read_partition


def seed_to_row(seed: Seed) -> dict[str, Any]:
    """A seed as a JSON object."""
    return asdict(seed)


def seed_from_row(row: Mapping[str, Any]) -> Seed:
    """The seed that ``seed_to_row`` took apart."""
    return Seed(
        id=row["id"],
        image=ImageRef(**row["image"]),
        label=Label(row["label"]),
        gold=row["gold"],
        annotations=tuple(_annotation(mark) for mark in row["annotations"]),
        group=row["group"],
        split=None if row["split"] is None else Split(row["split"]),
        source=row["source"],
        licence=row["licence"],
        ordinal=row["ordinal"],
    )


def read_seeds(run: Path, partition: int) -> Iterator[Seed]:
    """The seeds of a partition of a run, as ``read_partition`` reads them."""
    return read_partition(run, partition, seed_from_row)


def content_of(seed: Seed) -> bytes:
    """Digest of what the row says: not where the picture lies, nor what other rows make of it."""
    return blake2b(orjson.dumps(_fields(seed)), digest_size=16).digest()


def content_now(seed: Seed, content: bytes) -> bytes:
    """The digest of a planned row as it is made today, however the path of its picture was spelled."""
    plain = _respelled(seed)
    if plain == seed:
        return content
    for split in (seed.split, None):  # the row's own, or its group's
        if content_of(replace(seed, split=split)) == content:
            return content_of(replace(plain, split=split))
    return content


def differences(old: Seed, new: Seed) -> list[str]:
    """The fields that differ; the split, which the old one may have from its group, if no other does."""
    old = _respelled(old)
    before, after = _fields(old), _fields(new)
    names = [name for name in before if name != "split" and before[name] != after[name]]
    default_group = old.group == old.image.digest and new.group == new.image.digest
    return [name for name in names if not (name == "group" and default_group)] or ["split"]


def _respelled(seed: Seed) -> Seed:
    return replace(seed, image=replace(seed.image, name=plain_name(seed.image.name)))


def _fields(seed: Seed) -> dict[str, Any]:
    """What the row says, by the names of its fields; the split as the row itself has it."""
    row = seed_to_row(seed)
    image = row.pop("image")
    del row["ordinal"]
    return {"image": image["name"], "the picture": image["digest"], "gold_rationale": row.pop("gold"), **row}


def _annotation(mark: Mapping[str, Any]) -> Annotation:
    box = mark["box"]
    return Annotation(mark["text"], mark["flag"], None if box is None else Box(**box))
