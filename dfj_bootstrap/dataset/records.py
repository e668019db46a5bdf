"""From a graded seed to the rows that a judge is trained on. Pure.

Invariants:

- A user turn has exactly one ``<image>``; texts can't add another, nor any tag or special token.
- Substitution is one pass over the prompt: whatever a text holds, braces included, stands as it is.
- Rows come in the order of their ids, which are hashes: the order tells nothing of level or side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfj_bootstrap.config.sections import DatasetConfig
from dfj_bootstrap.domain.rationale import Label, Rationale
from dfj_bootstrap.domain.record import Pair, PairwiseRecord, PointwiseRecord
from dfj_bootstrap.domain.seed import ImageRef, Split
from dfj_bootstrap.domain.texts import defuse
from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.policy.ordering import hash64
from dfj_bootstrap.policy.pairing import PairCounts, choose_pairs
from dfj_bootstrap.policy.variants import variants
from dfj_bootstrap.prompting.templates import fill, load_prompt, placeholders

IMAGE_TAG = "<image>"
"""Stands for the picture in a user turn."""


@dataclass(frozen=True, slots=True)
class GradedLevel:
    """One accepted level of a ladder.

    Attributes:
        critique: argues for exactly this level.
        paraphrases: the accepted ones, by index.
        makers: the models behind it, for the card: (what, model), one for each text and rating.
    """

    level: int
    original: Rationale
    critique: str
    paraphrases: tuple[Rationale, ...] = ()
    makers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class GradedSeed:
    """What the tables know of a seed, as far as the dataset needs it."""

    seed_id: str
    image: ImageRef
    label: Label
    group: str
    split: Split | None
    source: str | None
    licence: str | None
    outcome: str
    levels: tuple[GradedLevel, ...]


@dataclass(frozen=True, slots=True)
class JudgePrompts:
    """The judge's user turns, with named placeholders and at most one ``<image>`` (default: in front).

    Raises:
        ConfigError: a placeholder is missing, or there is more than one ``<image>``.
    """

    pointwise: str
    pairwise: str

    def __post_init__(self) -> None:
        _check(self.pointwise, "pointwise", {"ground_truth_label", "candidate_response"})
        _check(self.pairwise, "pairwise", {"ground_truth_label", "response_a", "response_b"})


def judge_prompts() -> JudgePrompts:
    """The prompts that come with the package."""
    return JudgePrompts(load_prompt("judge/pointwise-v1").text, load_prompt("judge/pairwise-v1").text)


def _check(template: str, name: str, wanted: set[str]) -> None:
    missing = sorted(wanted.difference(placeholders(template)))
    if missing:
        raise ConfigError(f"the judge's {name} prompt lacks the placeholder {{{missing[0]}}}")
    if template.count(IMAGE_TAG) > 1:
        raise ConfigError(f"the judge's {name} prompt holds {IMAGE_TAG} more than once")


def user_turn(template: str, values: Mapping[str, str]) -> str:
    """The prompt with texts in its placeholders; the picture stands in front unless the prompt places it."""
    filled = fill(template, values)
    return filled if IMAGE_TAG in template else IMAGE_TAG + filled


def picture_name(image: ImageRef, rng_seed: int) -> str:
    """The picture's file name in the dataset: opaque, the same wherever the picture is used."""
    return f"{hash64('picture', rng_seed, image.digest):016x}{image.suffix}"


def wordings(seed: GradedSeed, split: Split, options: DatasetConfig) -> dict[int, tuple[Rationale, ...]]:
    """Level → the texts that stand for it in this split, by their place among the variants."""
    return {
        graded.level: variants(
            graded.original, graded.paraphrases, split, test_variants=options.test_variants
        )
        for graded in seed.levels
    }


def seed_records(
    seed: GradedSeed, split: Split, books: PairCounts, prompts: JudgePrompts, options: DatasetConfig
) -> tuple[list[PointwiseRecord], list[PairwiseRecord], PairCounts]:
    """All rows of one seed, and the books of its split after it."""
    texts = wordings(seed, split, options)
    pairs, books = choose_pairs(
        seed.seed_id,
        {level: len(of_level) for level, of_level in texts.items()},
        books,
        fraction=options.pair_fraction if split is Split.TRAIN else 1.0,
        rng_seed=options.rng_seed,
    )
    scribe = _Scribe(seed, picture_name(seed.image, options.rng_seed), prompts, texts, options.rng_seed)
    pointwise = [
        scribe.pointwise(graded, variant)
        for graded in seed.levels
        for variant in range(len(texts[graded.level]))
    ]
    pairwise = [scribe.pairwise(pair) for pair in pairs]
    return sorted(pointwise, key=lambda r: r.id), sorted(pairwise, key=lambda r: r.id), books


@dataclass(frozen=True, slots=True)
class _Scribe:
    """Writes the rows of one seed."""

    seed: GradedSeed
    image: str
    prompts: JudgePrompts
    wordings: Mapping[int, Sequence[Rationale]]
    rng_seed: int

    def pointwise(self, graded: GradedLevel, variant: int) -> PointwiseRecord:
        """One wording of one level, with the level as its score."""
        seed = self.seed
        candidate = self.wordings[graded.level][variant]
        values = {"ground_truth_label": str(seed.label), "candidate_response": candidate.tagged()}
        return PointwiseRecord(
            id=self._id("pointwise", graded.level, variant),
            seed_id=seed.seed_id,
            label=seed.label,
            level=graded.level,
            paraphrase=variant,
            image=self.image,
            prompt=user_turn(self.prompts.pointwise, values),
            target=f"<reasoning>{defuse(graded.critique)}</reasoning>\n<score>{graded.level}</score>",
        )

    def pairwise(self, pair: Pair) -> PairwiseRecord:
        """Two wordings of different levels, as A and B, with the better one as the answer."""
        seed = self.seed
        values = {
            "ground_truth_label": str(seed.label),
            "response_a": self.wordings[pair.level_a][pair.variant].tagged(),
            "response_b": self.wordings[pair.level_b][pair.variant].tagged(),
        }
        return PairwiseRecord(
            id=self._id("pairwise", *sorted((pair.level_a, pair.level_b)), pair.variant),
            seed_id=seed.seed_id,
            label=seed.label,
            level_a=pair.level_a,
            level_b=pair.level_b,
            paraphrase=pair.variant,
            image=self.image,
            prompt=user_turn(self.prompts.pairwise, values),
            target=f"<answer>{pair.preferred}</answer>",
        )

    def _id(self, *parts: str | int) -> str:
        return f"{hash64('row', self.rng_seed, self.seed.seed_id, *parts):016x}"


def as_row(record: PointwiseRecord | PairwiseRecord) -> dict[str, Any]:
    """A record as a JSONL row, as ms-swift reads it; ``images`` is relative to the split's folder."""
    if isinstance(record, PointwiseRecord):
        levels = {"level": record.level}
    else:
        levels = {"level_a": record.level_a, "level_b": record.level_b}
    return {
        "id": record.id,
        "messages": [
            {"role": "user", "content": record.prompt},
            {"role": "assistant", "content": record.target},
        ],
        "images": [f"images/{record.image}"],
        "seed_id": record.seed_id,
        "label": str(record.label),
        **levels,
        "paraphrase": record.paraphrase,
    }
