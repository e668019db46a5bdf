"""The two gates, as pure decisions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.domain.rationale import (
    WRITTEN_LEVELS,
    Label,
    Rationale,
    answer_of_level,
    answers_its_level,
)
from dfj_bootstrap.domain.trajectory import Candidate, Evaluation, Round
from dfj_bootstrap.policy.acceptance import OFF_CLASS, OFF_LEVEL, off_levels, verdict

LABELS = st.sampled_from(list(Label))
RATINGS = st.integers(1, 5)


def rated(answer: Label, rating: int) -> Round:
    return Round(0, Candidate(Rationale("text", answer)), Evaluation(rating, "feedback"))


@given(LABELS, st.sampled_from(WRITTEN_LEVELS), RATINGS, st.integers(0, 4), LABELS)
def test_accepted_exactly_where_rating_and_class_fit(
    label: Label, level: int, rating: int, threshold: int, answer: Label
) -> None:
    reason = verdict(label, level, rated(answer, rating), threshold)
    near, fits = abs(level - rating) <= threshold, answers_its_level(label, level, answer)
    assert (reason == "") == (near and fits)
    assert reason in ("", OFF_CLASS if near else OFF_LEVEL)


def test_an_unrated_round_is_never_accepted() -> None:
    unrated = Round(0, Candidate(Rationale("text", Label.FAKE)))
    assert verdict(Label.FAKE, 3, unrated, 4) == OFF_LEVEL


@given(LABELS, st.lists(RATINGS, min_size=4, max_size=4), st.integers(0, 8))
def test_the_ladder_gate_is_the_sum_of_distances(label: Label, ratings: list[int], threshold: int) -> None:
    latest = {
        level: rated(answer_of_level(label, level), rating)
        for level, rating in zip(WRITTEN_LEVELS, ratings, strict=True)
    }
    total = sum(abs(level - rating) for level, rating in zip(WRITTEN_LEVELS, ratings, strict=True))
    off = off_levels(label, latest, threshold)
    assert (not off) == (total <= threshold)
    if off:
        assert off == {
            level for level, rating in zip(WRITTEN_LEVELS, ratings, strict=True) if level != rating
        }


def test_a_wrong_class_keeps_a_ladder_back_whatever_the_sum_is() -> None:
    latest = {level: rated(answer_of_level(Label.FAKE, level), level) for level in WRITTEN_LEVELS}
    latest[4] = rated(Label.REAL, 4)
    assert off_levels(Label.FAKE, latest, 8) == {4}
