"""Seeds and finished ladders for tests, without any model: texts are short and say where they stand."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from random import Random

import orjson
from PIL import Image

from dfj_bootstrap.dataset.ladder_tables import TABLES, rows_of
from dfj_bootstrap.domain.rationale import LEVELS, Label, Rationale, answer_of_level
from dfj_bootstrap.domain.seed import ImageRef, Seed, Split
from dfj_bootstrap.domain.trajectory import (
    Accepted,
    Brief,
    Candidate,
    Evaluation,
    Ladder,
    Paraphrase,
    Rejected,
    Round,
    Trajectory,
)
from dfj_bootstrap.policy.ordering import partition_of, slice_of
from dfj_bootstrap.storage.commits import Commit, write_commit
from dfj_bootstrap.storage.planned import PlanSummary, partition_file, plan_folder
from dfj_bootstrap.storage.reader import RunReader
from dfj_bootstrap.storage.tables import PartWriter

ALL_FIVE = dict.fromkeys(LEVELS, 5)
"""Every level accepted, with five accepted paraphrases each."""


def make_picture(folder: Path, number: int = 0, side: int = 8) -> ImageRef:
    """A PNG of random noise, which no codec can make smaller."""
    picture = Image.frombytes("RGB", (side, side), Random(number).randbytes(side * side * 3))
    encoded = BytesIO()
    picture.save(encoded, "PNG")
    path = folder / f"picture-{number}.png"
    path.write_bytes(encoded.getvalue())
    digest = blake2b(encoded.getvalue(), digest_size=16).hexdigest()
    return ImageRef(str(path), path.name, digest, side, side, ".png", True)


def make_seed(
    seed_id: str,
    image: ImageRef,
    label: Label = Label.FAKE,
    split: Split | None = None,
    group: str | None = None,
    source: str | None = "somewhere",
    licence: str | None = "CC0-1.0",
) -> Seed:
    """A seed with a given gold; its group defaults to its picture's digest."""
    gold = f"The gold of {seed_id}."
    return Seed(seed_id, image, label, gold, (), group or image.digest, split, source, licence)


def make_ladder(
    seed: Seed, paraphrases: Mapping[int, int] = ALL_FIVE, texts: Mapping[int, str] | None = None
) -> Ladder:
    """A ladder in which the levels named are accepted, with so many paraphrases; others are rejected.

    Args:
        texts: level → the text of its original, instead of the made-up one.
    """
    texts = texts or {}
    trajectories = tuple(_trajectory(seed, level, level in paraphrases, texts.get(level)) for level in LEVELS)
    tried = (_paraphrase(seed, level, i) for level, count in paraphrases.items() for i in range(count))
    return Ladder(seed.id, trajectories, tuple(tried))


def _trajectory(seed: Seed, level: int, accepted: bool, text: str | None) -> Trajectory:
    rationale = Rationale(text or f"{seed.id} at {level}.", answer_of_level(seed.label, level))
    rating = level if accepted else level % 5 + 1
    round_ = Round(0, Candidate(rationale), Evaluation(rating, f"{seed.id} is a {level}."))
    outcome = Accepted(f"{seed.id} is a {level}.") if accepted else Rejected("off_level")
    return Trajectory(Brief(seed.id, level), (round_,), outcome)


def _paraphrase(seed: Seed, level: int, index: int) -> Paraphrase:
    text = Rationale(f"{seed.id} at {level}, reworded {index}.", answer_of_level(seed.label, level))
    return Paraphrase(level, index, 0, text, 0.9, "")


def write_part(run: Path, partition: int, epoch: int, *slices: Iterable[tuple[Seed, Ladder]]) -> None:
    """Write a whole part of the tables."""
    part = PartWriter(run, partition, epoch, TABLES, len(slices))
    try:
        for ladders in slices:
            part.write(rows_of(seed, ladder) for seed, ladder in ladders)
        part.finish()
    finally:
        part.discard()


def write_run(
    run: Path, ladders: Iterable[tuple[Seed, Ladder]], partitions: int, slices: int = 1
) -> RunReader:
    """Write plan, tables and commits of a run, in the place of others."""
    shutil.rmtree(run / "parts", ignore_errors=True)
    parts: dict[int, list[list[tuple[Seed, Ladder]]]] = {}
    for seed, ladder in ladders:
        own = parts.setdefault(partition_of(seed.id, partitions), [[] for _ in range(slices)])
        own[slice_of(seed.id, partitions, slices)].append((seed, ladder))
    for partition, rows in parts.items():
        write_part(run, partition, 1, *rows)
        write_commit(run, partition, Commit(1, "basis", {}))
    ids = {partition: [seed.id for rows in own for seed, _ in rows] for partition, own in parts.items()}
    write_plan(run, ids, partitions)
    return RunReader(run, {"run_id": "test", "config": {}})


def write_plan(run: Path, ids: Mapping[int, list[str]], partitions: int) -> None:
    """Write as much of a plan as a reader of results looks at: partition → its seeds."""
    plan_folder(run).mkdir(parents=True, exist_ok=True)
    for partition in range(partitions):
        rows = (orjson.dumps({"id": seed_id}) + b"\n" for seed_id in ids.get(partition, ()))
        partition_file(run, partition).write_bytes(b"".join(rows))
    summary = PlanSummary(partitions, sum(map(len, ids.values())), 0, 0, "", complete=True)
    (plan_folder(run) / "summary.json").write_bytes(orjson.dumps(asdict(summary)))
