"""Claims and entities matched both ways: hand-worked figures, and what holds whatever was matched."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfj_bootstrap.errors import PredictionsError
from dfj_bootstrap.scoring.claims import FIGURES, Matches
from dfj_bootstrap.scoring.facts import Task
from dfj_bootstrap.scoring.rows import read_predictions
from tests.support.predictions import Row, pointwise, said, scored, sources, value

Flags = list[bool]
FLAGS = st.lists(st.booleans(), max_size=6)


@st.composite
def both(draw: st.DrawFn) -> tuple[Flags, Flags]:
    """A reference's and a candidate's; nothing is matched with a text that has none."""
    reference, candidate = draw(FLAGS), draw(FLAGS)
    return [flag and bool(candidate) for flag in reference], [flag and bool(reference) for flag in candidate]


MATCHED = st.lists(
    st.tuples(both(), both(), st.booleans(), st.integers(0, 4)), min_size=1, max_size=20
)  # fmt: skip


def row(
    id_: str, claims: tuple[Flags, Flags] | None, entities: tuple[Flags, Flags] = ([], []), image: str = ""
) -> Row:
    """A row that a model has matched; no claims: its reply could not be read."""
    told: dict[str, Any] = {"claims": None, "entities": None, "status": "unparsable"}
    if claims is not None:
        sides = {"claims": claims, "entities": entities}
        told = {
            kind: dict(zip(("reference", "candidate"), each, strict=True)) for kind, each in sides.items()
        }
    texts = {"gold_rationale": "The cup.", "candidate": "The lamp."}
    return {"id": id_, "image": image or id_, **texts, "prediction": said(**told)}


def rows_of(drawn: list[tuple[Any, Any, bool, int]], swapped: bool = False) -> list[Row]:
    turn = slice(None, None, -1 if swapped else 1)
    return [
        row(f"r{i}", claims[turn] if usable else None, entities[turn], f"i{image}")
        for i, (claims, entities, usable, image) in enumerate(drawn)
    ]


def test_a_table_by_hand() -> None:
    """Claims: 1/2, 2/3, 4/7; 1, 1, 1; 0 as it is unusable. Entities: 1/4, 1, 2/5; none to match; 0 again."""
    rows = [
        row("1", ([True, True, False], [True, False]), ([True], [True, False, False, False])),
        row("2", ([True], [True])),
        row("3", None),
    ]
    system = scored(rows)
    assert (system.n, system.unusable) == (3, 1)
    assert value(system, "claim_precision") == pytest.approx(3 / 2 / 3)
    assert value(system, "claim_recall") == pytest.approx(5 / 3 / 3)
    assert value(system, "claim_f1") == pytest.approx((4 / 7 + 1) / 3)
    assert value(system, "entity_precision") == pytest.approx(1 / 4 / 2)
    assert value(system, "entity_recall") == pytest.approx(1 / 2)
    assert value(system, "entity_f1") == pytest.approx(2 / 5 / 2)
    assert [system.figures[name].n for name in FIGURES] == [3, 3, 3, 2, 2, 2]


@pytest.mark.parametrize(
    ("reference", "candidate", "figures"),
    [
        ([True, False], [True], (1, 0.5, 2 / 3)),
        ([False, False], [False], (0, 0, 0)),
        ([], [False], (0, 0, 0)),
        ([False], [], (0, 0, 0)),
        ([], [], None),
    ],
)
def test_of_one_row(reference: Flags, candidate: Flags, figures: Any) -> None:
    assert Matches(reference, candidate).figures() == pytest.approx(figures)


def test_rows_in_which_nothing_stands_have_no_figure() -> None:
    system = scored([row("1", ([], [])), row("2", ([], []))])
    assert system.figures["claim_f1"].value is None
    assert system.figures["claim_f1"].why == "no row has any to match"


def test_where_nothing_could_be_read_all_is_0() -> None:
    system = scored([row("1", None), row("2", None)])
    assert {value(system, name) for name in FIGURES} == {0.0}
    assert (system.figures["claim_f1"].low, system.n) == (0.0, 2)


def test_rationales_that_no_model_matched_say_how_to_have_it() -> None:
    system = scored([row("1", None) | {"prediction": said(rationale="The cup.")}], Task.RATIONALES)
    assert system.figures["entity_f1"].value is None
    assert "dfj judge --task claims" in system.figures["entity_f1"].why


def test_words_in_common_are_counted_beside_them_with_either_name_of_the_reference() -> None:
    own = row("1", ([True], [True])) | {"gold_rationale": None, "reference": "The lamp."}
    assert value(scored([own]), "rouge_l") == 1


@settings(max_examples=40)
@given(MATCHED, st.randoms(use_true_random=False))
def test_figures_are_shares_in_their_intervals_and_no_order_matters(
    drawn: list[Any], order: random.Random
) -> None:
    rows = rows_of(drawn)
    system = scored(rows)
    assert scored(order.sample(rows, len(rows))) == system
    for name in FIGURES:
        figure = system.figures[name]
        assert (figure.value is None) == (figure.n == 0)
        if figure.value is not None:
            assert 0 <= figure.value <= 1
        if figure.low is not None and figure.high is not None and figure.value is not None:
            assert 0 <= figure.low <= figure.value <= figure.high <= 1 + 1e-9
    for kind in ("claim", "entity"):
        if system.figures[f"{kind}_f1"].value is not None:
            most = max(value(system, f"{kind}_precision"), value(system, f"{kind}_recall"))
            assert value(system, f"{kind}_f1") <= most + 1e-9


@settings(max_examples=40)
@given(MATCHED)
def test_texts_in_each_others_place_swap_precision_and_recall(drawn: list[Any]) -> None:
    one, other = scored(rows_of(drawn)).figures, scored(rows_of(drawn, swapped=True)).figures
    for kind in ("claim", "entity"):
        assert one[f"{kind}_precision"] == other[f"{kind}_recall"]
        assert one[f"{kind}_recall"] == other[f"{kind}_precision"]
        assert one[f"{kind}_f1"] == other[f"{kind}_f1"]


@settings(max_examples=20)
@given(MATCHED.filter(lambda drawn: any(usable for *_, usable, _ in drawn)))
def test_rows_that_cannot_be_used_lower_every_figure(drawn: list[Any]) -> None:
    rows = rows_of(drawn)
    before, after = scored(rows).figures, scored([*rows, row("u", None)]).figures
    for name in FIGURES:
        assert after[name].n == before[name].n + 1
        assert (after[name].value or 0) * after[name].n == pytest.approx(
            (before[name].value or 0) * before[name].n
        )


@pytest.mark.parametrize("more", [{}, {"level": 3}])
def test_rows_tell_their_task_though_the_first_was_refused(more: Row) -> None:
    refused = row("0", None) | {"prediction": {"status": "failed", "raw": None, "why": "no such picture"}}
    system = scored([refused | more, row("1", ([True], [True])) | more])
    assert value(system, "claim_f1") == 0.5


def test_scored_candidates_with_a_reference_are_pointwise_still() -> None:
    row_ = pointwise("1", 4, 4) | {"candidate": "The cup.", "gold_rationale": "The cup."}
    assert read_predictions(sources([row_]), None)[0] is Task.POINTWISE
    without_level = row("1", None) | {"prediction": said(score=4)}
    assert read_predictions(sources([without_level]), None)[0] is Task.POINTWISE


GOOD = row("1", ([True], [True]))
WRONG: list[tuple[Any, str]] = [
    ({"claims": None}, "`prediction.claims` should hold `reference` and `candidate`"),
    ({"claims": {"reference": [True]}}, "`prediction.claims.candidate` should be a list of true and false"),
    ({"entities": {"reference": [1], "candidate": []}}, "`prediction.entities.reference` should be a list"),
    ({"entities": [True]}, "`prediction.entities` should hold"),
]


@pytest.mark.parametrize(("change", "told"), WRONG, ids=range(len(WRONG)))
def test_what_cannot_be_scored_is_told_with_its_line(change: dict[str, Any], told: str) -> None:
    bad = {**GOOD, "prediction": GOOD["prediction"] | change}
    with pytest.raises(PredictionsError) as raised:
        read_predictions(sources([bad]), None)
    assert str(raised.value).startswith(f"p.jsonl:1: {told}")
