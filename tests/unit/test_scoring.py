"""Figures from rows of predictions: hand-worked ones, and what holds whatever the rows are."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from dfj_bootstrap.domain.rationale import LEVELS, Label
from dfj_bootstrap.errors import PredictionsError
from dfj_bootstrap.scoring.facts import Task
from dfj_bootstrap.scoring.figures import Figure
from dfj_bootstrap.scoring.rows import read_predictions
from dfj_bootstrap.scoring.systems import System
from tests.support.predictions import (
    Row,
    detection,
    pairwise,
    pointwise,
    said,
    scored,
    sources,
    value,
)

LEVEL = st.sampled_from(LEVELS)
SCORES = st.lists(
    st.tuples(LEVEL, st.none() | LEVEL, st.integers(0, 4), st.integers(1, 60)), min_size=1, max_size=30
)
SIDES = st.sampled_from(["A", "B"])
PAIRS = st.lists(
    st.tuples(LEVEL, LEVEL, st.none() | st.sampled_from(["A", "B", "tie", "both_bad"]), st.integers(0, 4)),
    min_size=1,
    max_size=30,
)
LABELS = st.sampled_from(list(Label))
CLASSES = st.lists(st.tuples(LABELS, st.none() | LABELS), min_size=1, max_size=30)


def pointwise_rows(drawn: list[tuple[int, int | None, int, int]]) -> list[Row]:
    return [pointwise(f"r{i}", level, s, f"i{image}", n) for i, (level, s, image, n) in enumerate(drawn)]


def pairwise_rows(drawn: list[tuple[int, int, str | None, int]]) -> list[Row]:
    return [
        pairwise(f"r{i}", (a, b), said_, f"i{image}", (a, b)) for i, (a, b, said_, image) in enumerate(drawn)
    ]


def detection_rows(drawn: list[tuple[Label, Label | None]]) -> list[Row]:
    return [detection(f"r{i}", label, answer) for i, (label, answer) in enumerate(drawn)]


ROWS = st.one_of(SCORES.map(pointwise_rows), PAIRS.map(pairwise_rows), CLASSES.map(detection_rows))
"""Rows of any task."""


def figures_of(rows: list[Row]) -> System:
    """Classes that all failed don't tell their task, so it is named."""
    return scored(rows, Task.DETECTION if "label" in rows[0] else None)


def numbers(tree: Any) -> Iterator[float]:
    """Every number in a JSON tree."""
    if isinstance(tree, dict | list):
        for each in tree.values() if isinstance(tree, dict) else tree:
            yield from numbers(each)
    elif isinstance(tree, int | float):
        yield tree


@settings(max_examples=40)
@given(rows=ROWS)
def test_no_figure_is_ever_nan_and_what_is_missing_says_why(rows: list[Row]) -> None:
    """One row, one class, all the same, nothing usable: null with a reason, and JSON for any reader."""
    system = figures_of(rows)
    orjson.dumps(system.as_json())
    assert all(math.isfinite(number) for number in numbers(system.as_json()))
    for name, figure in system.figures.items():
        assert (figure.value is None or figure.low is None) == bool(figure.why), name
        if figure.value is not None and figure.low is not None and figure.high is not None:
            assert figure.low <= figure.value <= figure.high, name


@settings(max_examples=30)
@given(rows=ROWS, order=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows: list[Row], order: random.Random) -> None:
    shuffled = order.sample(rows, len(rows))
    assert figures_of(shuffled) == figures_of(rows)


@settings(max_examples=30)
@given(levels=st.lists(LEVEL, min_size=2, max_size=30).filter(lambda levels: len(set(levels)) > 1))
def test_perfect_scores_are_perfect(levels: list[int]) -> None:
    system = scored([pointwise(f"r{i}", level, level) for i, level in enumerate(levels)])
    assert {value(system, name) for name in ("rmse", "mse", "mae", "bias")} == {0.0}
    for name in ("pearson", "spearman", "kappa_quadratic", "exact", "within_1"):
        assert value(system, name) == pytest.approx(1)


@settings(max_examples=30)
@given(drawn=SCORES.filter(lambda rows: any(row[1] for row in rows)))
def test_unusable_rows_lower_shares_and_leave_errors_alone(
    drawn: list[tuple[int, int | None, int, int]],
) -> None:
    rows = pointwise_rows(drawn)
    more = [*rows, *(pointwise(f"u{i}", 3, None, "i0") for i in range(5))]
    before, after = scored(rows), scored(more)
    assert after.unusable == before.unusable + 5
    assert after.n == before.n + 5
    for name in ("rmse", "mse", "mae", "bias", "pearson", "spearman", "kappa_quadratic"):
        assert after.figures[name].value == before.figures[name].value
        assert after.figures[name].n == before.figures[name].n == before.n - before.unusable
    for name in ("exact", "within_1"):
        assert after.figures[name].n == after.n
        assert value(after, name) == pytest.approx(value(before, name) * before.n / after.n)


@settings(max_examples=40)
@given(drawn=SCORES)
def test_pointwise_figures_are_those_of_the_libraries(drawn: list[tuple[int, int | None, int, int]]) -> None:
    system = scored(pointwise_rows(drawn))
    pairs = [(level, score) for level, score, *_ in drawn if score]
    if len({x for x, _ in pairs}) < 2 or len({y for _, y in pairs}) < 2:
        assert system.figures["pearson"].value is None
        return
    x, y = np.array(pairs).T
    wanted = {
        "rmse": metrics.root_mean_squared_error(x, y),
        "mae": metrics.mean_absolute_error(x, y),
        "pearson": stats.pearsonr(x, y).statistic,
        "spearman": stats.spearmanr(x, y).statistic,
        "kappa_quadratic": metrics.cohen_kappa_score(x, y, labels=LEVELS, weights="quadratic"),
        "exact": np.sum(x == y) / len(drawn),
        "bias": np.mean(y - x),
    }
    assert {name: value(system, name) for name in wanted} == pytest.approx(wanted, abs=1e-9)


def ladder(scores: list[int | None], image: str = "i") -> list[Row]:
    """Levels 1 to 5 of one picture, each longer than the one below."""
    return [pointwise(f"{image}{i}", i, s, image, 10 * i) for i, s in enumerate(scores, 1)]


def test_a_pointwise_table_by_hand() -> None:
    """Two ladders: 2 2 3 5 5, and 1 – 3 4 4."""
    system = scored([*ladder([2, 2, 3, 5, 5], "a"), *ladder([1, None, 3, 4, 4], "b")])
    assert (system.n, system.unusable) == (10, 1)
    assert dict(system.statuses) == {"ok": 9, "unparsable": 1, "refused": 0, "failed": 0}
    assert value(system, "mse") == pytest.approx(3 / 9)
    assert value(system, "rmse") == pytest.approx((3 / 9) ** 0.5)
    assert value(system, "mae") == pytest.approx(3 / 9)
    assert value(system, "bias") == pytest.approx(1 / 9)
    assert value(system, "exact") == pytest.approx(6 / 10)
    assert value(system, "within_1") == pytest.approx(9 / 10)
    assert value(system, "bias_by_level.1") == pytest.approx(1 / 2)
    assert value(system, "bias_by_level.5") == pytest.approx(-1 / 2)
    assert system.more["confusion"]["counts"] == [
        [1, 1, 0, 0, 0],
        [0, 1, 0, 0, 0],
        [0, 0, 2, 0, 0],
        [0, 0, 0, 1, 1],
        [0, 0, 0, 1, 1],
    ]
    assert system.more["confusion"]["unusable"] == [0, 1, 0, 0, 0]


def test_length_is_a_judge_of_its_own_where_it_follows_the_level() -> None:
    """Where the longer text is better, who only measures is always right; a constant hits one in five."""
    system = scored([*ladder([1, 2, 3, 4, 5], "a"), *ladder([5, 4, 3, 2, 1], "b")])
    assert value(system, "baselines.longer.exact") == 1
    assert value(system, "baselines.longer.kappa_quadratic") == 1
    assert value(system, "longer_should") == 1
    assert value(system, "longer_wins") == 0.5
    assert value(system, "length_bias") == -0.5
    assert system.more["baselines.constant.score"] == 3
    assert value(system, "baselines.constant.exact") == 0.2
    assert value(system, "baselines.constant.within_1") == 0.6
    assert value(system, "baselines.constant.kappa_quadratic") == 0
    assert value(system, "baselines.constant.rmse") == pytest.approx(2**0.5)


def both(row: Row, consistent: bool) -> Row:
    return {**row, "prediction": row["prediction"] | {"answer_swapped": "A", "consistent": consistent}}


def test_a_pairwise_table_by_hand() -> None:
    rows = [
        both(pairwise("1", (5, 4), "A", "x", (10, 20)), True),
        both(pairwise("2", (5, 1), "A", "x", (30, 20)), True),
        both(pairwise("3", (2, 4), "A", "y", (30, 20)), False),
        both(pairwise("4", (3, 4), None, "y", (10, 20)), False),
        both(pairwise("5", (1, 3), "tie", "y", (10, 10)), True),
    ]
    system = scored(rows)
    assert (system.n, system.unusable) == (5, 1)
    assert value(system, "accuracy") == pytest.approx(2 / 5)
    assert [value(system, f"accuracy_by_distance.{d}") for d in (1, 2, 4)] == pytest.approx([1 / 2, 0, 1])
    assert system.figures["accuracy_by_distance.1"].n == 2
    assert value(system, "consistency") == pytest.approx(3 / 5)
    assert value(system, "position_bias") == pytest.approx(3 / 4 - 2 / 4)
    assert value(system, "longer_wins") == pytest.approx(2 / 3)
    assert value(system, "longer_should") == pytest.approx(1 / 3)
    assert value(system, "length_bias") == pytest.approx(1 / 3)
    assert system.more["baselines.constant.answer"] == "B"
    assert value(system, "baselines.constant.accuracy") == pytest.approx(3 / 5)
    assert value(system, "baselines.longer.accuracy") == pytest.approx(2 / 5)
    assert value(system, "baselines.longer.accuracy_by_distance.4") == 1


def test_pairs_asked_in_one_order_have_no_consistency() -> None:
    figure = scored([pairwise("1", (5, 4), "A")]).figures["consistency"]
    assert figure.value is None
    assert "--both-orders" in figure.why


def test_a_detection_table_by_hand() -> None:
    """Edited counts as fake, on both sides; what has no usable answer is missed."""
    rows = [
        detection("1", "real", "real"),
        detection("2", "real", "edited"),
        detection("3", "real", None),
        detection("4", "fake", "edited"),
        detection("5", "edited", "fake"),
        detection("6", "edited", "real"),
    ]
    system = scored(rows)
    assert (system.n, system.unusable) == (6, 1)
    assert value(system, "accuracy") == pytest.approx(3 / 6)
    assert value(system, "real_f1") == pytest.approx(2 * 1 / (2 + 3))
    assert value(system, "fake_f1") == pytest.approx(2 * 2 / (3 + 3))
    assert value(system, "baselines.constant.accuracy") == pytest.approx(1 / 2)
    assert system.more["confusion"]["counts"] == [[1, 0, 1], [0, 0, 1], [1, 1, 0]]


@settings(max_examples=30)
@given(drawn=CLASSES)
def test_detection_figures_are_those_of_the_libraries(drawn: list[tuple[Label, Label | None]]) -> None:
    system = figures_of(detection_rows(drawn))
    true = [label is Label.REAL for label, _ in drawn]
    called = [answer is Label.REAL for _, answer in drawn]
    if any(true) or any(called):
        assert value(system, "real_f1") == pytest.approx(metrics.f1_score(true, called, zero_division=0.0))
    else:
        assert system.figures["real_f1"].value is None


def test_a_published_row_can_be_had_from_counts() -> None:
    """GPT-4o-mini's 70.2 / 35.8 / 59.3: of 1,000 real and 1,000 fake pictures, 959 and 227 right."""
    counts = {("real", "real"): 959, ("real", "fake"): 41, ("fake", "real"): 773, ("fake", "fake"): 227}
    rows = [
        detection(f"{label}-{answer}-{i}", label, answer)
        for (label, answer), n in counts.items()
        for i in range(n)
    ]
    system = scored(rows)
    assert [round(100 * value(system, name), 1) for name in ("real_f1", "fake_f1", "accuracy")] == [
        70.2,
        35.8,
        59.3,
    ]


def rationale(id_: str, text: str | None, gold: str, score: int | None = None) -> Row:
    judged = {"score": score} if score else {}
    prediction = said(label="fake", rationale=text, **judged) if text else {"status": "failed"}
    return {"id": id_, "image": id_, "label": "fake", "gold_rationale": gold, "prediction": prediction}


def test_a_rationale_table_by_hand() -> None:
    """BLEU-3 of 5/6, 3/5 and 2/4 hits; of two texts with one at no match, ROUGE-L is halved."""
    rows = [
        rationale("1", "the cat sat on the mat", "the cat sat on a mat", 4),
        rationale("2", "dogs run away", "no word is shared here", 2),
        rationale("3", None, "the cat"),
    ]
    system = scored(rows[:1], Task.RATIONALES)
    assert value(system, "bleu3") == pytest.approx((5 / 6 * 3 / 5 * 2 / 4) ** (1 / 3), abs=1e-9)
    assert value(system, "rouge_l") == pytest.approx(5 / 6)
    system = scored(rows, Task.RATIONALES)
    assert (system.n, system.unusable) == (3, 1)
    assert value(system, "rouge_l") == pytest.approx(5 / 12)
    assert value(system, "judge_mean") == 3
    assert system.figures["judge_mean"].n == 2
    assert "--encoder" in system.figures["bertscore"].why


def test_rationales_that_no_judge_scored_say_so() -> None:
    system = scored([rationale("1", "the cat", "the cat")], Task.RATIONALES)
    assert system.figures["judge_mean"].value is None
    assert "dfj judge" in system.figures["judge_mean"].why


# Other people's exams


def test_the_published_schema_says_in_its_target_what_is_right() -> None:
    turns = [
        {"role": "user", "content": "<image>"},
        {"role": "assistant", "content": "<reasoning>r</reasoning>\n<score>4</score>"},
    ]
    row = {"messages": turns, "images": ["images/1.png"], "prediction": said(score=3)}
    assert value(scored([row]), "bias") == -1
    turns = [turns[0], {"role": "assistant", "content": "<answer>B</answer>"}]
    assert (
        value(scored([{"messages": turns, "images": ["i"], "prediction": said(answer="B")}]), "accuracy") == 1
    )


def test_vl_rewardbench_is_read_by_its_ranking_and_told_by_group() -> None:
    """A rank of 0 is the better one; ids repeat, so the texts belong to the identity."""
    base = {"id": "x", "query": "q", "image": "1.png"}
    pairs = [
        (["long text", "s"], [0, 1], "RLAIF-V", "A"),
        (["long text", "t"], [1, 0], "povid", "A"),
        (["a", "b"], [1, 0], "wildvision-battle", "B"),
    ]
    rows = [
        {
            **base,
            "response": texts,
            "human_ranking": ranks,
            "query_source": source,
            "prediction": said(answer=a),
        }
        for texts, ranks, source, a in pairs
    ]
    system = scored(rows)
    assert value(system, "accuracy") == pytest.approx(2 / 3)
    assert value(system, "accuracy_by_group.hallucination") == 0.5
    assert value(system, "accuracy_by_group.general") == 1
    assert value(system, "accuracy_macro") == 0.75
    assert value(system, "longer_wins") == 1


def test_multimodal_rewardbench_is_read_by_its_better_output() -> None:
    base = {"Text": "q", "Image": "i.png", "Output1": "yes", "Output2": "no"}
    rows = [
        {**base, "ID": "pairs_1", "Better": "Output1", "Category": "safety", "prediction": said(answer="A")},
        {
            **base,
            "ID": "hateful_1",
            "Better": "Output2",
            "Category": "safety",
            "prediction": said(answer="A"),
        },
        {
            **base,
            "ID": "math_1",
            "Better": "Output2",
            "Category": "reasoning",
            "prediction": said(answer="B"),
        },
        {**base, "ID": "vqa_1", "Better": "Output2", "Category": "vqa", "prediction": {"status": "failed"}},
    ]
    system = scored(rows)
    assert value(system, "accuracy") == 0.5
    assert value(system, "accuracy_macro") == 0.5
    groups = {name: f.value for name, f in system.figures.items() if name.startswith("accuracy_by_group")}
    assert groups == {
        "accuracy_by_group.reasoning/math": 1,
        "accuracy_by_group.safety/bias": 1,
        "accuracy_by_group.safety/toxicity": 0,
        "accuracy_by_group.vqa": 0,
    }


# What can't be scored


OK = pointwise("a", 1, 1)
WRONG: list[tuple[list[Row], Task | None, str]] = [
    ([], None, "no row with a prediction"),
    ([OK, OK], None, "p.jsonl:2: the id 'a' stands in line 1 already"),
    ([OK, pairwise("b", (1, 2), "A")], None, "p.jsonl:2: the row is pairwise, but those before"),
    ([OK], Task.PAIRWISE, "p.jsonl:1: the row is pointwise, but --task pairwise was asked for"),
    ([{**OK, "prediction": said(answer="A")}], None, "the row is pointwise, but its prediction is pairwise"),
    ([{**OK, "prediction": said(score="4")}], None, "`prediction.score` should be a whole number"),
    ([{**OK, "prediction": said(score=True)}], None, "whole number"),
    ([{**OK, "prediction": said(score=4.5)}], None, "whole number"),
    ([{**OK, "prediction": said(score=6)}], None, "whole number"),
    ([{**OK, "prediction": said()}], None, "not None"),
    ([{**OK, "level": 0}], None, "`level` should be"),
    ([{**OK, "prediction": {"status": "good"}}], None, "`prediction.status` should be one of ok, unparsable"),
    ([{"id": "a", "level": 3}], None, "p.jsonl:1: the row has no `prediction`"),
    ([{"id": "a", "prediction": {"status": "failed"}}], None, "say so with --task"),
    ([{**pairwise("a", (1, 2), "A"), "prediction": said(answer="C")}], None, "one of A, B, tie, both_bad"),
    ([detection("a", "genuine", "real")], None, "`label` should be real, fake or edited"),
    ([detection("a", "real", "genuine")], None, "`prediction.label` should be"),
    ([{"id": "a", "prediction": said(score=3)}], Task.RATIONALES, "no rationale to score"),
    ([{"human_ranking": [0, 0], "prediction": said(answer="A")}], None, "names neither of the two texts"),
    ([{"Output1": "a", "Better": "both", "prediction": said(answer="A")}], None, "names neither"),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "task", "told"), WRONG, ids=range(len(WRONG)))
def test_what_cannot_be_scored_is_told_with_its_line(rows: list[Row], task: Task | None, told: str) -> None:
    with pytest.raises(PredictionsError) as raised:
        read_predictions(sources(rows), task)
    assert told in str(raised.value)


def test_a_first_row_that_failed_does_not_hide_the_task() -> None:
    failed = {"id": "0", "image": "0", "label": "real", "prediction": {"status": "failed"}}
    system = scored([failed, detection("1", "real", "real")])
    assert value(system, "accuracy") == 0.5


def test_pictures_of_the_dataset_may_be_what_was_classed() -> None:
    """Their rows have levels; what was predicted of them is a class all the same."""
    rows = [{**detection(id_, "real", said_), "level": 3} for id_, said_ in (("1", "real"), ("2", None))]
    assert value(scored(rows), "accuracy") == 0.5


def test_the_figures_of_a_file_are_those_of_its_rows_alone() -> None:
    """The same resamples each time: a second scoring is the same object, not another draw."""
    rows = pointwise_rows([(1, 2, 0, 5), (3, 3, 1, 5), (5, 4, 2, 5)])
    first: System = scored(rows)
    assert replace(first) == scored(rows)
    assert all(isinstance(figure, Figure) for figure in first.figures.values())
