"""What the refine loop makes: candidates, evaluations, rounds, trajectories, paraphrases, ladders."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from dfj_bootstrap.domain.rationale import GOLD_LEVEL, LEVELS, Rationale


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a text or a rating came from. The zero value is a free, embedded role."""

    model: str = ""
    prompt: str = ""  # digest of the prompt template
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Brief:
    """What the generator is asked for: a seed × an intended rating.

    Attributes:
        sample: 0, or how often rejected work on this brief was started over on request.
    """

    seed_id: str
    level: int
    sample: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One rationale that a role wrote."""

    rationale: Rationale
    provenance: Provenance = Provenance()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the evaluator said of a candidate. An unparsable reply is never an Evaluation."""

    rating: int
    feedback: str
    reasoning: str = ""
    provenance: Provenance = Provenance()


@dataclass(frozen=True, slots=True)
class Round:
    """One turn of the refine loop, counted from 0; ``evaluation`` is None where none was usable."""

    index: int
    candidate: Candidate
    evaluation: Evaluation | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The last round passed the gate.

    Attributes:
        critique: the judge's target reasoning: it argues for exactly this level.
    """

    critique: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """No usable text of this level was made; a normal result that people audit.

    Attributes:
        reason: one of a closed list of words (see ``docs/data-format.md``).
        raw: what the model said last, where that is the reason.
    """

    reason: str
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """A technical failure: the next run tries again."""

    error: str


TrajectoryOutcome: TypeAlias = Accepted | Rejected | Failed


@dataclass(frozen=True, slots=True)
class Trajectory:
    """All rounds of one brief and how they ended. Level 5 is the gold's and exempt from the gate."""

    brief: Brief
    rounds: tuple[Round, ...]
    outcome: TrajectoryOutcome

    @property
    def accepted(self) -> Rationale | None:
        """The rationale that passed, if one did."""
        return self.rounds[-1].candidate.rationale if isinstance(self.outcome, Accepted) else None


@dataclass(frozen=True, slots=True)
class Paraphrase:
    """One tried rewording of an accepted rationale.

    Attributes:
        index: which of the wanted paraphrases, from 0.
        try_index: which try at it, from 0.
        similarity: cosine to the original in [-1, 1], rounded to 4 digits; ``None`` where no text came back
            or similarity is off.
        reason: empty where accepted, else the signal that failed.
    """

    level: int
    index: int
    try_index: int
    rationale: Rationale | None
    similarity: float | None
    reason: str
    raw: str = ""
    provenance: Provenance = Provenance()

    @property
    def accepted(self) -> bool:
        return not self.reason


class SeedOutcome(StrEnum):
    """How a seed ended: every level accepted, some rejected, or a technical failure."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Ladder:
    """Everything made from one seed: always five trajectories, so that the books can balance.

    Attributes:
        failure: a technical failure outside the trajectories (while paraphrasing), else empty.
    """

    seed_id: str
    trajectories: tuple[Trajectory, ...]
    paraphrases: tuple[Paraphrase, ...] = ()
    failure: str = ""

    @property
    def outcome(self) -> SeedOutcome:
        if self.failure or any(isinstance(t.outcome, Failed) for t in self.trajectories):
            return SeedOutcome.FAILED
        accepted = {t.brief.level for t in self.trajectories if isinstance(t.outcome, Accepted)}
        return SeedOutcome.COMPLETE if accepted == set(LEVELS) else SeedOutcome.INCOMPLETE

    @property
    def gold_rating(self) -> int | None:
        """What the evaluator gave the gold, if it was rated."""
        for trajectory in self.trajectories:
            if trajectory.brief.level == GOLD_LEVEL and trajectory.rounds:
                evaluation = trajectory.rounds[-1].evaluation
                return evaluation.rating if evaluation else None
        return None

    @property
    def gold_low(self) -> bool:
        """The evaluator rated the gold below its level: reported, never silently used or dropped."""
        return self.gold_rating is not None and self.gold_rating < GOLD_LEVEL
