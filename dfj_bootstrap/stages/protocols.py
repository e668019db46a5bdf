"""The roles that the stages call. A role is anything with these methods: a prompt plus a model, or rules.

Every role may raise ``Unusable`` (a model answered, but not usably) or ``CallFailed`` (technical).

The evaluator is blind by its signature: no argument carries the intended level, so none can leak it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dfj_bootstrap.domain.rationale import Rationale
from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.domain.trajectory import Brief, Candidate, Evaluation, Paraphrase, Round


class Writer(Protocol):
    """Writes the gold rationale of a seed that has only annotations."""

    async def write(self, seed: Seed, brief: Brief) -> Candidate: ...


class Generator(Protocol):
    """Writes a rationale of the level that the brief asks for.

    ``rounds`` are the earlier turns at this brief, oldest first: their feedback says what was wrong.
    """

    async def generate(
        self, seed: Seed, gold: Rationale, brief: Brief, rounds: Sequence[Round]
    ) -> Candidate: ...


class Evaluator(Protocol):
    """Rates a candidate 1–5 from the image, the label and the gold, without knowing what was asked for."""

    async def evaluate(
        self, seed: Seed, gold: Rationale, candidate: Rationale, round_index: int
    ) -> Evaluation: ...

    async def justify(self, seed: Seed, gold: Rationale, candidate: Rationale, rating: int) -> str:
        """Argue for a *given* rating: a pointwise target whose own rating came out differently."""
        ...


class Paraphraser(Protocol):
    """Rewords an accepted rationale: same claims, same answer.

    ``tried`` are the earlier tries at this index, whose ``reason`` says what was lost.
    """

    async def paraphrase(
        self, seed: Seed, original: Rationale, brief: Brief, index: int, tried: Sequence[Paraphrase]
    ) -> Candidate: ...


class Similarity(Protocol):
    """Cosine similarity of two texts in [-1, 1]; ``None`` where similarity is off."""

    async def similarity(self, a: str, b: str) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Roles:
    """Everyone who works on a seed."""

    writer: Writer
    generator: Generator
    evaluator: Evaluator
    paraphraser: Paraphraser
    similarity: Similarity
