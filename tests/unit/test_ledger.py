"""The books balance, and where they don't they say so."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.domain.rationale import LEVELS, Label, Rationale
from dfj_bootstrap.domain.trajectory import (
    Accepted,
    Brief,
    Candidate,
    Evaluation,
    Failed,
    Ladder,
    Paraphrase,
    Rejected,
    Round,
    Trajectory,
    TrajectoryOutcome,
)
from dfj_bootstrap.storage.ledger import Books, Ledger, Tally, Unit
from dfj_bootstrap.tasks.generation_ledger import GENERATION, tally_paraphrase, tally_seed, tally_trajectory

OUTCOMES = st.sampled_from([Accepted("why"), Rejected("off_level"), Failed("500")])


def ladder(outcomes: list[TrajectoryOutcome], rating: int = 5) -> Ladder:
    round_ = Round(0, Candidate(Rationale("text", Label.FAKE)), Evaluation(rating, "feedback"))
    return Ladder(
        "s",
        tuple(Trajectory(Brief("s", n), (round_,), o) for n, o in zip(LEVELS, outcomes, strict=True)),
        (Paraphrase(1, 0, 0, None, None, "generator_refused"), Paraphrase(1, 0, 1, None, 0.9, "")),
    )


def tally_of(ladders: list[Ladder]) -> Tally:
    tally: Tally = Counter()
    for each in ladders:
        tally.update(tally_seed(each))
        for trajectory in each.trajectories:
            tally.update(tally_trajectory(trajectory))
        for paraphrase in each.paraphrases:
            tally.update(tally_paraphrase(paraphrase))
    return tally


@given(st.lists(st.lists(OUTCOMES, min_size=5, max_size=5), max_size=6), st.integers(0, 4))
def test_total_is_what_is_done_and_what_is_pending(
    outcomes: list[list[TrajectoryOutcome]], pending: int
) -> None:
    tally = tally_of([ladder(each) for each in outcomes])
    total = len(outcomes) + pending
    found = GENERATION.figures(tally, total, 3)
    seeds, briefs = found["seeds"], found["trajectories"]
    assert seeds["total"] == sum(seeds[o] for o in ("complete", "incomplete", "failed", "pending"))
    assert sum(briefs.values()) == total * 5
    assert seeds["pending"] == pending
    assert seeds["refused"] == 3
    assert (GENERATION.imbalance(tally, tally, total) == "") == (pending == 0)


@pytest.mark.parametrize("key", ["seeds.complete", "trajectories.accepted", "paraphrases.accepted"])
def test_books_that_do_not_balance_say_what_is_off(key: str) -> None:
    recorded = tally_of([ladder([Accepted("why")] * 5)])
    reported = Counter(recorded)
    reported[key] -= 1
    assert GENERATION.imbalance(reported, recorded, 1) != ""


def test_a_low_gold_is_counted() -> None:
    assert tally_seed(ladder([Accepted("why")] * 5, rating=4))["gold_low"] == 1
    assert tally_seed(ladder([Accepted("why")] * 5))["gold_low"] == 0


def test_a_partition_that_changes_hands_starts_again_at_zero() -> None:
    run = Books(GENERATION, total=2, refused=0)
    run.add(0, Counter({"seeds.complete": 1}))
    run.add(1, Counter({"seeds.complete": 1}))
    run.reset(1)
    assert run.figures()["seeds"]["complete"] == 1
    run.add(1, Counter({"seeds.incomplete": 1}))
    assert run.figures()["seeds"]["pending"] == 0


def test_whoever_does_not_know_a_job_can_tell_of_it_by_what_its_run_says() -> None:
    of_a_job = Ledger(
        (Unit("rows", ("ok", "failed")), Unit("answers", ("a", "b"), 2), Unit("tries", ("x",), 0))
    )
    again = Ledger.of_data(json.loads(json.dumps(of_a_job.as_data())))
    assert again == of_a_job
    figures = again.figures({"rows.ok": 2, "answers.a": 3, "answers.b": 1, "tries.x": 7}, 3, 1)
    assert figures["rows"] == {"total": 3, "ok": 2, "failed": 0, "pending": 1, "refused": 1}
    assert figures["answers"] == {"a": 3, "b": 1, "pending": 2}
    assert figures["tries"] == {"x": 7}
    assert again.lines(figures, {}) == [
        "rows         3 read: 2 ok, 0 failed, 1 pending; 1 rows refused",
        "answers      3 a, 1 b, 2 pending",
        "tries        7 x",
    ]
    assert again.finest.name == "answers"
