"""The seeds of a run with what was accepted of them, read from its tables in the dataset's order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from dfj_bootstrap.dataset.card import GOLD, PARAPHRASE, RATING, RATIONALE
from dfj_bootstrap.dataset.records import GradedLevel, GradedSeed
from dfj_bootstrap.domain.rationale import GOLD_LEVEL, Label, Rationale
from dfj_bootstrap.domain.seed import ImageRef, Split
from dfj_bootstrap.policy.ordering import order_key, partition_order, slice_order
from dfj_bootstrap.storage.reader import RunReader
from dfj_bootstrap.storage.tables import Slice


def graded_seeds(reader: RunReader, rng_seed: int) -> Iterator[GradedSeed]:
    """All seeds in the dataset's order, one slice in memory at a time."""
    partitions = reader.plan().partitions
    for partition in partition_order(partitions, rng_seed):
        slices = reader.slices("seeds", partition)
        for number in slice_order(partitions, len(slices), rng_seed) if slices else ():
            seeds = _read_seeds(slices[number])
            yield from sorted(seeds, key=lambda seed: (order_key(seed.seed_id, rng_seed), seed.seed_id))


def _read_seeds(part: Slice) -> list[GradedSeed]:
    paraphrases: dict[tuple[str, int], list[Rationale]] = defaultdict(list)
    makers = _makers_of_rounds(part)
    wanted = ["seed_id", "level", "text", "answer", "variant", "model"]
    for row in part.rows("paraphrases", wanted):
        if row["variant"] is not None:  # rows stand in the order of variants
            place = row["seed_id"], row["level"]
            paraphrases[place].append(_rationale(row))
            makers[place].append((PARAPHRASE, row["model"]))
    levels: dict[str, list[GradedLevel]] = defaultdict(list)
    wanted = ["seed_id", "level", "outcome", "text", "answer", "critique"]
    for row in part.rows("trajectories", wanted):
        if row["outcome"] == "accepted":
            place = row["seed_id"], row["level"]
            texts, models = tuple(paraphrases[place]), tuple(makers[place])
            graded = GradedLevel(row["level"], _rationale(row), row["critique"], texts, models)
            levels[row["seed_id"]].append(graded)
    return [_graded(row, tuple(levels[row["seed_id"]])) for row in part.rows("seeds")]


def _makers_of_rounds(part: Slice) -> dict[tuple[str, int], list[tuple[str, str]]]:
    """Seed and level → who wrote and who rated the accepted rationale."""
    makers: dict[tuple[str, int], list[tuple[str, str]]] = defaultdict(list)
    wanted = ["seed_id", "level", "rating", "accepted", "generator_model", "evaluator_model"]
    for row in part.rows("rounds", wanted):
        if row["accepted"]:
            kind = GOLD if row["level"] == GOLD_LEVEL else RATIONALE
            rated = [(RATING, row["evaluator_model"])] if row["rating"] is not None else []
            makers[row["seed_id"], row["level"]] += [(kind, row["generator_model"]), *rated]
    return makers


def _rationale(row: Mapping[str, Any]) -> Rationale:
    return Rationale(row["text"], Label(row["answer"]))


def _graded(row: Mapping[str, Any], levels: tuple[GradedLevel, ...]) -> GradedSeed:
    image = ImageRef(
        row["image_path"], row["image"], row["image_digest"], row["image_width"], row["image_height"],
        row["image_suffix"], row["image_verbatim"],
    )  # fmt: skip
    split = Split(row["split"]) if row["split"] else None
    return GradedSeed(
        row["seed_id"], image, Label(row["label"]), row["group"], split, row["source"], row["licence"],
        row["outcome"], levels,
    )  # fmt: skip
