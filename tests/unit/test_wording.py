"""What the analysis of a text finds, and what it must leave alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.language.stems import stem
from dfj_bootstrap.language.wording import REALNESS, Poles, analyse
from dfj_bootstrap.language.words import tokens

HEAP = [
    "not",
    "no",
    "left",
    "right",
    "six",
    "hand",
    "match",
    "²",
    "٣",
    "1,5",
    "1.2.3",
    "2nd",
    ",",
    ".",
    "as",
    "missing",
]


def _counts(poles: Poles) -> tuple[int, int, int]:
    return len(poles.plus), len(poles.minus), poles.unsure


@given(st.text(max_size=300))
def test_any_text_at_all_can_be_analysed_and_always_alike(text: str) -> None:
    first = analyse.__wrapped__(text)
    assert first == analyse.__wrapped__(text)
    assert len(first.words) <= len(tokens(text))


@given(st.lists(st.sampled_from(HEAP), max_size=30))
def test_heaps_of_the_words_it_knows_do_not_upset_it(heap: list[str]) -> None:
    analyse.__wrapped__(" ".join(heap))


@pytest.mark.parametrize(
    ("text", "axis", "counts"),
    [
        ("The upper right corner.", "lateral!", (0, 1, 0)),
        ("The top-right corner.", "vertical!", (1, 0, 0)),
        ("On the left-hand side.", "lateral!", (1, 0, 0)),
        ("In front of the house, behind the tree.", "order", (1, 1, 0)),
        ("It turns counter-clockwise.", "rotation", (0, 1, 0)),
        ("In the foreground.", "depth", (1, 0, 0)),
    ],
)
def test_sides_are_found_under_all_their_names(text: str, axis: str, counts: tuple[int, int, int]) -> None:
    assert _counts(analyse(text).sides[axis]) == counts


@pytest.mark.parametrize(
    "text", ["At a right angle.", "Right next to it.", "What is left over.", "On the other hand."]
)
def test_words_of_place_in_other_uses_are_no_sides(text: str) -> None:
    assert not analyse(text).sides
    assert not analyse(text).things


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("six fingers", {6}),
        ("24 coins, twenty-four in all", {24}),
        ("a six-fingered hand", {6}),
        ("1,000 birds and 2.5 metres", {1000, 2.5}),
        ("three hundred birds, two dozen eggs", {300, 24}),
        ("the second coin and the 3rd one", {-2, -3}),
        ("a single coin, one coin, the first coin, no coin", set()),
    ],
)
def test_numbers_are_read_in_words_and_figures(text: str, numbers: set[float]) -> None:
    assert set(analyse(text).numbers) == numbers


def test_a_pair_and_both_can_stand_for_two() -> None:
    assert 2 in analyse("both hands").maybe_numbers
    assert 2 in analyse("a pair of hands").maybe_numbers
    assert not analyse("both hands").numbers


@pytest.mark.parametrize(
    ("text", "claim", "counts"),
    [
        ("It matches.", "match", (1, 0, 0)),
        ("It does not match the light.", "match", (0, 1, 0)),
        ("It doesn’t match.", "match", (0, 1, 0)),
        ("It is inconsistent with it.", "match", (0, 1, 0)),
        ("There is no mismatch.", "match", (1, 0, 0)),
        ("It fails to match.", "match", (0, 1, 0)),
        ("The cup has no handle.", "handl", (0, 1, 0)),
        ("The cup lacks a handle.", "handl", (0, 1, 0)),
        ("The handle is missing.", "handl", (0, 1, 0)),
        ("The missing handle.", "handl", (0, 1, 0)),
        ("It does not match the light.", "light", (0, 0, 1)),
        ("It lacks detail. As a rule that is odd.", "detail", (0, 1, 0)),
        ("It is not so large as that.", "big", (1, 0, 0)),
        ("It is not entirely natural.", "natural", (0, 1, 0)),
        ("Nothing could cast it.", "cast", (0, 0, 1)),
        ("The rim is unpolished.", "polish", (0, 1, 0)),
        ("It is not a real photo.", REALNESS, (0, 1, 0)),
    ],
)
def test_denials_reach_the_word_they_belong_to(text: str, claim: str, counts: tuple[int, int, int]) -> None:
    assert _counts(analyse(text).claims[claim]) == counts


def test_words_that_only_look_denied_are_not() -> None:
    assert "der" not in analyse("It lies under the uniform.").claims
    assert _counts(analyse("There is no doubt that it matches.").claims["match"]) == (1, 0, 0)
    assert _counts(analyse("It is not only sharp but bright.").claims["sharp"]) == (1, 0, 0)


def test_things_and_colours_go_by_one_name() -> None:
    found = analyse("A gentleman's fingers touch the greyish automobile in the lake.")
    assert found.things == {"man", "finger", "car", "water"}
    assert found.colours == {"grey"}


def test_hedges_and_words_of_certainty_are_counted_apart() -> None:
    found = analyse("It might possibly be edited, I am not sure; it looks so. It is definitely odd.")
    assert (found.hedges, found.soft_hedges, found.boosters) == (3, 1, 1)


@pytest.mark.parametrize(
    ("forms", "root"),
    [(("match", "matches", "matched", "matching"), "match"), (("added", "adds", "adding"), "add")],
)
def test_forms_of_a_word_have_one_stem(forms: tuple[str, ...], root: str) -> None:
    assert {stem(form) for form in forms} == {root}
