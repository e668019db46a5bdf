"""What the dataset is made of: pairs of levels, and the rows that a judge is trained on."""

from __future__ import annotations

from dataclasses import dataclass

from dfj_bootstrap.domain.rationale import Label


@dataclass(frozen=True, slots=True)
class Pair:
    """Two levels of one ladder, taken at the same place among each level's variants; A and B as shown.

    Attributes:
        variant: the place of both texts among the variants of their level, from 0.
    """

    level_a: int
    level_b: int
    variant: int

    @property
    def preferred(self) -> str:
        """``A`` or ``B``: the one of the higher level."""
        return "A" if self.level_a > self.level_b else "B"


@dataclass(frozen=True, slots=True)
class PointwiseRecord:
    """One candidate, and what the judge shall say of it.

    Attributes:
        id: opaque; the same for the same seed, level, variant and ``rng_seed``.
        image: the picture's opaque file name.
        paraphrase: the candidate's place among the variants of its level, from 0.
        prompt: the user turn, with exactly one ``<image>``.
        target: the assistant turn.
    """

    id: str
    seed_id: str
    label: Label
    level: int
    paraphrase: int
    image: str
    prompt: str
    target: str


@dataclass(frozen=True, slots=True)
class PairwiseRecord:
    """Two candidates, and which of them the judge shall prefer. Attributes as in ``PointwiseRecord``."""

    id: str
    seed_id: str
    label: Label
    level_a: int
    level_b: int
    paraphrase: int
    image: str
    prompt: str
    target: str
