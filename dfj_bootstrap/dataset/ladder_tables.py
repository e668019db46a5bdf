"""The tables that hold ladders: written by generation, read by assembly. See ``docs/data-format.md``."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from dfj_bootstrap.domain.rationale import GOLD_LEVEL
from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.domain.trajectory import (
    Accepted,
    Evaluation,
    Failed,
    Ladder,
    Paraphrase,
    Provenance,
    Rejected,
    Round,
    Trajectory,
)
from dfj_bootstrap.policy.acceptance import OFF_CLASS, OFF_LEVEL
from dfj_bootstrap.storage.tables import Row

_STRING, _INT, _FLOAT, _BOOL = pa.string(), pa.int64(), pa.float64(), pa.bool_()

SEEDS = pa.schema(
    {
        "seed_id": _STRING, "ordinal": _INT, "image": _STRING, "image_digest": _STRING,
        "image_path": _STRING, "image_width": _INT, "image_height": _INT, "image_suffix": _STRING,
        "image_verbatim": _BOOL, "label": _STRING, "group": _STRING, "split": _STRING,
        "source": _STRING, "licence": _STRING, "outcome": _STRING, "failure": _STRING,
        "gold": _STRING, "gold_origin": _STRING, "gold_rating": _INT, "gold_low": _BOOL,
    }
)  # fmt: skip

ROUNDS = pa.schema(
    {
        "seed_id": _STRING, "level": _INT, "sample": _INT, "round": _INT, "candidate": _STRING,
        "answer": _STRING, "rating": _INT, "feedback": _STRING, "accepted": _BOOL, "reason": _STRING,
        "generator_model": _STRING, "evaluator_model": _STRING, "generator_prompt": _STRING,
        "evaluator_prompt": _STRING, "input_tokens": _INT, "output_tokens": _INT,
        "cached_tokens": _INT, "cost_usd": _FLOAT,
    }
)  # fmt: skip

TRAJECTORIES = pa.schema(
    {
        "seed_id": _STRING, "level": _INT, "outcome": _STRING, "reason": _STRING, "raw": _STRING,
        "rounds": _INT, "sample": _INT, "text": _STRING, "answer": _STRING, "rating": _INT,
        "critique": _STRING,
    }
)  # fmt: skip

PARAPHRASES = pa.schema(
    {
        "seed_id": _STRING, "level": _INT, "index": _INT, "try": _INT, "text": _STRING,
        "answer": _STRING, "similarity": _FLOAT, "outcome": _STRING, "reason": _STRING,
        "raw": _STRING, "model": _STRING, "prompt": _STRING, "input_tokens": _INT,
        "output_tokens": _INT, "cached_tokens": _INT, "cost_usd": _FLOAT, "variant": _INT,
    }
)  # fmt: skip

TABLES = {"seeds": SEEDS, "rounds": ROUNDS, "trajectories": TRAJECTORIES, "paraphrases": PARAPHRASES}
"""Name → schema; ``seeds`` holds one row per seed, ``trajectories`` one per seed and level."""


def rows_of(seed: Seed, ladder: Ladder) -> dict[str, list[Row]]:
    """Table → the rows that a seed adds to it."""
    return {
        "seeds": [_seed_row(seed, ladder)],
        "rounds": [row for trajectory in ladder.trajectories for row in _round_rows(trajectory)],
        "trajectories": [_trajectory_row(trajectory) for trajectory in ladder.trajectories],
        "paraphrases": list(_paraphrase_rows(ladder)),
    }


def _seed_row(seed: Seed, ladder: Ladder) -> Row:
    image = seed.image
    gold = seed.gold if seed.gold is not None else _written_gold(ladder)
    origin = None if gold is None else "written" if seed.gold is None else "given"
    return (
        seed.id, seed.ordinal, image.name, image.digest, image.path, image.width, image.height,
        image.suffix, image.verbatim, str(seed.label), seed.group, seed.split and str(seed.split),
        seed.source, seed.licence, str(ladder.outcome), _failure(ladder), gold, origin,
        ladder.gold_rating, ladder.gold_low,
    )  # fmt: skip


def _written_gold(ladder: Ladder) -> str | None:
    for trajectory in ladder.trajectories:
        if trajectory.brief.level == GOLD_LEVEL and trajectory.rounds:
            return trajectory.rounds[0].candidate.rationale.reasoning
    return None


def _failure(ladder: Ladder) -> str:
    """The first technical failure of a seed, wherever it happened."""
    failures = (t.outcome.error for t in ladder.trajectories if isinstance(t.outcome, Failed))
    return ladder.failure or next(failures, "")


def _round_rows(trajectory: Trajectory) -> Iterator[Row]:
    last = len(trajectory.rounds) - 1
    for i, round_ in enumerate(trajectory.rounds):
        accepted = i == last and isinstance(trajectory.outcome, Accepted)
        reason = _reason(trajectory) if i == last else _off(trajectory.brief.level, round_)
        yield _round_row(trajectory, round_, accepted, reason)


def _round_row(trajectory: Trajectory, round_: Round, accepted: bool, reason: str) -> Row:
    brief, candidate, evaluation = trajectory.brief, round_.candidate, round_.evaluation
    wrote, rated = candidate.provenance, evaluation.provenance if evaluation else Provenance()
    return (
        brief.seed_id, brief.level, brief.sample, round_.index, candidate.rationale.reasoning,
        str(candidate.rationale.answer), *_rating(evaluation), accepted, reason, wrote.model,
        rated.model, wrote.prompt, rated.prompt, wrote.input_tokens + rated.input_tokens,
        wrote.output_tokens + rated.output_tokens, wrote.cached_tokens + rated.cached_tokens,
        wrote.cost_usd + rated.cost_usd,
    )  # fmt: skip


def _off(level: int, round_: Round) -> str:
    """Why there was another round after this one."""
    return OFF_CLASS if round_.evaluation and round_.evaluation.rating == level else OFF_LEVEL


def _rating(evaluation: Evaluation | None) -> tuple[int | None, str | None]:
    return (evaluation.rating, evaluation.feedback) if evaluation else (None, None)


def _trajectory_row(trajectory: Trajectory) -> Row:
    brief, outcome, accepted = trajectory.brief, trajectory.outcome, trajectory.accepted
    evaluation = trajectory.rounds[-1].evaluation if trajectory.rounds else None
    return (
        brief.seed_id, brief.level, type(outcome).__name__.lower(), _reason(trajectory),
        outcome.raw if isinstance(outcome, Rejected) else "", len(trajectory.rounds), brief.sample,
        accepted and accepted.reasoning, accepted and str(accepted.answer), _rating(evaluation)[0],
        outcome.critique if isinstance(outcome, Accepted) else None,
    )  # fmt: skip


def _reason(trajectory: Trajectory) -> str:
    outcome = trajectory.outcome
    if isinstance(outcome, Failed):
        return outcome.error
    return outcome.reason if isinstance(outcome, Rejected) else ""


def _paraphrase_rows(ladder: Ladder) -> Iterator[Row]:
    """Every try, with its place among the accepted ones of its level."""
    standing: dict[int, int] = {}
    for paraphrase in sorted(ladder.paraphrases, key=lambda p: (p.level, p.index, p.try_index)):
        variant = None
        if paraphrase.accepted:
            variant = standing.get(paraphrase.level, 0)
            standing[paraphrase.level] = variant + 1
        yield _paraphrase_row(ladder.seed_id, paraphrase, variant)


def _paraphrase_row(seed_id: str, tried: Paraphrase, variant: int | None) -> Row:
    text, made = tried.rationale, tried.provenance
    return (
        seed_id, tried.level, tried.index, tried.try_index, text and text.reasoning,
        text and str(text.answer), tried.similarity, "accepted" if tried.accepted else "rejected",
        tried.reason, tried.raw, made.model, made.prompt, made.input_tokens, made.output_tokens,
        made.cached_tokens, made.cost_usd, variant,
    )  # fmt: skip
