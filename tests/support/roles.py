"""Scripted roles: test doubles that answer what a test tells them to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dfj_bootstrap.domain.rationale import Rationale, answer_of_level
from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.domain.trajectory import Brief, Candidate, Evaluation, Paraphrase, Provenance, Round
from dfj_bootstrap.stages.protocols import Roles


@dataclass
class ScriptedRoles:
    """Plays all roles.

    Attributes:
        rate: (level in the text, round) → rating; raise to misbehave. Level 5 is the gold.
        reword: (text, index, try) → paraphrase.
        asked: every call made, as (role, level or text, round or index).
    """

    rate: Callable[[int, int], int] = lambda level, round_index: level
    reword: Callable[[str, int, int], str] = lambda text, index, try_index: (
        f"{text} again {index}.{try_index}"
    )
    asked: list[tuple[str, object, int]] = field(default_factory=list)

    def roles(self) -> Roles:
        return Roles(self, self, self, self, self)

    async def write(self, seed: Seed, brief: Brief) -> Candidate:
        self.asked.append(("writer", brief.level, brief.sample))
        return Candidate(Rationale("level 5 written", seed.label))

    async def generate(self, seed: Seed, gold: Rationale, brief: Brief, rounds: Sequence[Round]) -> Candidate:
        self.asked.append(("generator", brief.level, len(rounds)))
        text = f"level {brief.level} round {len(rounds)}"
        return Candidate(Rationale(text, answer_of_level(seed.label, brief.level)), Provenance("double"))

    async def evaluate(
        self, seed: Seed, gold: Rationale, candidate: Rationale, round_index: int
    ) -> Evaluation:
        level = 5 if candidate == gold else int(candidate.reasoning.split()[1])
        self.asked.append(("evaluator", candidate.reasoning, round_index))
        rating = self.rate(level, round_index)
        return Evaluation(rating, f"worth {rating}")

    async def justify(self, seed: Seed, gold: Rationale, candidate: Rationale, rating: int) -> str:
        self.asked.append(("justify", candidate.reasoning, rating))
        return f"argues for {rating}"

    async def paraphrase(
        self, seed: Seed, original: Rationale, brief: Brief, index: int, tried: Sequence[Paraphrase]
    ) -> Candidate:
        self.asked.append(("paraphraser", brief.level, index))
        return Candidate(Rationale(self.reword(original.reasoning, index, len(tried)), original.answer))

    async def similarity(self, a: str, b: str) -> float | None:
        return 0.9
