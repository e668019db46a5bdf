"""How far people agree, with each other and with a judge."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

from dfj_bootstrap.domain.rationale import LEVELS
from dfj_bootstrap.errors import PredictionsError
from dfj_bootstrap.scoring.facts import SIDES, Task
from dfj_bootstrap.scoring.figures import Figure
from dfj_bootstrap.scoring.humans import Humans, read_humans, read_triplets
from dfj_bootstrap.scoring.published import PUBLISHED
from dfj_bootstrap.scoring.systems import score_raters
from tests.support.predictions import pairwise, pointwise, said, scored, sources, value

A, B, TIE, BAD = "response_1_better", "response_2_better", "tie", "both_bad"


def raters(humans: Humans, task: Task) -> dict[str, Figure]:
    return score_raters(humans, task, [])


def triplets(items: list[list[str]]) -> dict[str, Any]:
    """Annotations in XAIGID-RewardBench's form: per item, what each annotator chose."""
    return {
        f"key_{i}": {
            "triplet_id": f"t{i}",
            "image_id": f"image_{i // 3}",
            "annotations": {f"annotator_{j:03}": {"choice": choice} for j, choice in enumerate(choices)},
        }
        for i, choices in enumerate(items)
    }


def test_the_agreement_of_xaigid_comes_out_of_its_counts() -> None:
    """333 of 557 pairs of annotators agree, 298 of them for one text; 43 are decided and contrary.

    One pair per item; items with a single annotator, most of that exam, have none.
    """
    decided = [[A, A]] * 160 + [[B, B]] * 138 + [[A, B]] * 43
    neutral = [[TIE, TIE]] * 25 + [[BAD, BAD]] * 10 + [[A, TIE]] * 100 + [[TIE, BAD]] * 40 + [[B, BAD]] * 41
    figures = raters(
        read_triplets("a.json", triplets([*decided, *neutral, *[[A]] * 500]), Task.PAIRWISE), Task.PAIRWISE
    )
    raw, clear = figures["raw_agreement"], figures["decisive.raw_agreement"]
    assert (raw.n, clear.n) == (557, 341)
    assert raw.value == pytest.approx(333 / 557)
    assert clear.value == pytest.approx(298 / 341)
    assert (f"{raw.value:.3f}", f"{clear.value:.3f}") == ("0.598", "0.874")
    (people,) = [each for each in PUBLISHED[Task.PAIRWISE] if each.name == "people (XAIGID)"]
    assert people.figures == {
        "raters.raw_agreement": pytest.approx(raw.value),
        "raters.decisive.raw_agreement": pytest.approx(clear.value),
    }


def test_three_annotators_of_an_item_are_three_pairs() -> None:
    figures = raters(read_triplets("a.json", triplets([[A, A, TIE], [A, B]]), Task.PAIRWISE), Task.PAIRWISE)
    assert figures["raw_agreement"].n == 4
    assert figures["raw_agreement"].value == 1 / 4
    assert (figures["decisive.raw_agreement"].value, figures["decisive.raw_agreement"].n) == (1 / 2, 2)


CHOICES = st.lists(st.lists(st.sampled_from(SIDES), min_size=3, max_size=3), min_size=2, max_size=12)
RATINGS = st.lists(st.lists(st.sampled_from(LEVELS), min_size=2, max_size=4), min_size=2, max_size=12)


@settings(max_examples=30)
@given(items=CHOICES.filter(lambda items: len({choice for item in items for choice in item}) > 1))
def test_kappa_of_as_many_raters_each_is_that_of_fleiss(items: list[list[str]]) -> None:
    rows = [{"id": str(i), "ratings": item} for i, item in enumerate(items)]
    figures = raters(read_humans(sources(rows), Task.PAIRWISE), Task.PAIRWISE)
    table, _ = aggregate_raters(np.array([[SIDES.index(choice) for choice in item] for item in items]))
    assert figures["kappa"].value == pytest.approx(fleiss_kappa(table), abs=1e-9)


@settings(max_examples=30)
@given(items=RATINGS.filter(lambda items: len({rating for item in items for rating in item}) > 1))
def test_agreement_of_scores_is_that_of_all_their_pairs(items: list[list[int]]) -> None:
    rows = [{"id": str(i), "ratings": item} for i, item in enumerate(items)]
    figures = raters(read_humans(sources(rows), Task.POINTWISE), Task.POINTWISE)
    x, y = np.array([pair for item in items for pair in combinations(item, 2)]).T
    both = np.concatenate([x, y]), np.concatenate([y, x])
    kappa = metrics.cohen_kappa_score(*both, labels=LEVELS, weights="quadratic")
    assert figures["mse"].value == pytest.approx(metrics.mean_squared_error(x, y), abs=1e-9)
    assert figures["raw_agreement"].value == pytest.approx(np.mean(x == y), abs=1e-9)
    assert figures["kappa"].value == pytest.approx(kappa, abs=1e-9)
    for figure in figures.values():
        assert figure.low is None or figure.low <= (figure.value or 0) <= (figure.high or 0)


def test_a_judge_beside_people_who_chose() -> None:
    """Of people's four choices the judge has one, misses one, ties on one; one row isn't usable, so wrong."""
    rows = [pairwise("1", (5, 1), "A"), pairwise("2", (5, 1), "tie"), pairwise("3", (5, 1), None)]
    rows[2]["triplet_id"] = "t3"
    said_by: list[dict[str, Any]] = [
        {"id": "1", "ratings": {"ann": "A", "bob": "B"}},
        {"id": "2", "rater": "ann", "answer": "A"},
        {"id": "t3", "rater": "ann", "choice": "response_1_better"},
        {"id": "nobody judged this", "rater": "ann", "answer": "A"},
    ]
    system = scored(rows, humans=read_humans(sources(said_by), Task.PAIRWISE))
    assert value(system, "human.raw_agreement") == 1 / 4
    assert system.figures["human.raw_agreement"].n == 4
    assert value(system, "human.decisive.raw_agreement") == pytest.approx(1 / 3)
    assert system.figures["human.kappa"].n == 3
    assert value(system, "human.baselines.constant.raw_agreement") == 3 / 4
    assert value(system, "human.baselines.longer.decisive.raw_agreement") == 1 / 4


def test_a_judge_beside_people_who_scored() -> None:
    """Means of 3 and 4.5 against 4 and 4: squares of 1 and 1/4."""
    rows = [pointwise("1", 5, 4), pointwise("2", 5, 4), pointwise("3", 5, None), pointwise("4", 5, 5)]
    said_by = [
        {"id": "1", "ratings": [2, 4]},
        {"id": "2", "ratings": [4, 5]},
        {"id": "3", "ratings": [5]},
    ]
    system = scored(rows, humans=read_humans(sources(said_by), Task.POINTWISE))
    assert value(system, "human.mse") == pytest.approx((1 + 1 / 4) / 2)
    assert value(system, "human.rmse") == pytest.approx(((1 + 1 / 4) / 2) ** 0.5)
    assert system.figures["human.mse"].n == 2
    assert value(system, "human.raw_agreement") == 2 / 5
    assert value(system, "human.baselines.constant.raw_agreement") == 2 / 5
    assert system.figures["human.baselines.longer.rmse"].value is None
    assert "all scores are the same" in system.figures["human.pearson"].why


def test_a_published_row_of_people_says_what_they_settled_on() -> None:
    turns = [{"role": "user", "content": "<image>"}, {"role": "assistant", "content": "<answer>B</answer>"}]
    humans = read_humans(sources([{"id": "1", "messages": turns, "images": ["i"]}]), Task.PAIRWISE)
    assert value(scored([pairwise("1", (1, 5), "B")], humans=humans), "human.raw_agreement") == 1


def test_one_rating_each_is_no_agreement_among_people() -> None:
    humans = read_humans(sources([{"id": "1", "ratings": [3]}]), Task.POINTWISE)
    figures = raters(humans, Task.POINTWISE)
    assert figures["raw_agreement"].value is None
    assert "two ratings" in figures["raw_agreement"].why


def test_all_said_the_same_has_no_kappa() -> None:
    figures = raters(read_humans(sources([{"id": "1", "ratings": ["A", "A"]}]), Task.PAIRWISE), Task.PAIRWISE)
    assert figures["raw_agreement"].value == 1
    assert figures["kappa"].value is None
    assert "by chance" in figures["kappa"].why


WRONG: list[tuple[list[dict[str, Any]], str]] = [
    ([], "no ratings"),
    ([{"id": "1"}], "p.jsonl:1: no rating"),
    ([{"id": "1", "ratings": [7]}], "p.jsonl:1: `rating` should be a whole number"),
    (
        [{"id": "1", "rater": "a", "score": 1}, {"id": "1", "rater": "a", "score": 2}],
        "p.jsonl:2: a second rating",
    ),
]


@pytest.mark.parametrize(("rows", "told"), WRONG, ids=range(len(WRONG)))
def test_ratings_that_cannot_be_are_told_with_their_line(rows: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(PredictionsError, match=told):
        read_humans(sources(rows), Task.POINTWISE)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ([], "no `annotations`"),
        ({"a": {"annotations": []}}, "'a': no `annotations`"),
        ({"a": {"annotations": {"x": {"choice": "response_3_better"}}}}, "'a': a choice should be one of"),
        ({}, "no ratings"),
    ],
)
def test_another_document_is_no_annotations(document: Any, told: str) -> None:
    with pytest.raises(PredictionsError, match=told):
        read_triplets("a.json", document, Task.PAIRWISE)


def test_annotations_meet_their_triplets_by_the_inner_id() -> None:
    humans = read_triplets("a.json", triplets([[A, A], [B, TIE]]), Task.PAIRWISE)
    texts = {"image_id": "x", "caption_1": "aa", "caption_2": "b"}
    rows = [
        {"triplet_id": "t0", **texts, "prediction": said(answer="response_1")},
        {"triplet_id": "t1", **texts, "prediction": said(answer="both_bad")},
    ]
    system = scored(rows, humans=humans)
    assert value(system, "human.raw_agreement") == 2 / 4
    assert system.figures["accuracy"].value is None
    assert "which of its texts" in system.figures["accuracy"].why
    assert value(system, "longer_wins") == 1
    assert "which of its texts" in system.figures["longer_should"].why
    assert value(system, "human.baselines.longer.decisive.raw_agreement") == pytest.approx(2 / 3)
