"""What changed between two texts: nothing is lost or invented, and words are what is told."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.cli.changes import Change, Piece, changes, kept_share

WORDS = st.lists(st.sampled_from(["cup", "the", "isn't", "is", ".", ",", " ", "\n", "  ", "é", "\x1b", "[-"]))
TEXTS = WORDS.map("".join) | st.text(max_size=20)


def without(pieces: list[Piece], change: Change) -> str:
    return "".join(piece.text for piece in pieces if piece.change is not change)


@given(TEXTS, TEXTS)
def test_the_pieces_make_up_both_texts(before: str, after: str) -> None:
    pieces = changes(before, after)
    assert without(pieces, Change.ADDED) == before
    assert without(pieces, Change.REMOVED) == after
    assert all(piece.text for piece in pieces)
    assert 0 <= kept_share(pieces) <= 1


@given(TEXTS)
def test_a_text_that_stayed_has_no_changes(text: str) -> None:
    pieces = changes(text, text)
    assert {piece.change for piece in pieces} <= {Change.KEPT}
    assert kept_share(pieces) == 1


@given(TEXTS, TEXTS)
def test_two_changes_have_words_between_them(before: str, after: str) -> None:
    pieces = changes(before, after)
    between = [p for p in pieces[1:-1] if p.change is Change.KEPT]
    assert all(piece.text.strip() for piece in between)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("The red cup.", "The blue cup.", "The [-red-]{+blue+} cup."),
        ("It isn't so.", "It is so.", "It [-isn't-]{+is+} so."),
        ("The cup.", "The cup has no handle.", "The cup{+ has no handle+}."),
        ("A big red cup.", "A tiny blue cup.", "A [-big red-]{+tiny blue+} cup."),
        ("One. Two.", "Two.", "[-One. -]Two."),
        ("", "New.", "{+New.+}"),
    ],
)
def test_words_are_told_and_not_letters(before: str, after: str, expected: str) -> None:
    marks = {Change.KEPT: "{}", Change.REMOVED: "[-{}-]", Change.ADDED: "{{+{}+}}"}
    assert "".join(marks[p.change].format(p.text) for p in changes(before, after)) == expected


def test_long_texts_of_the_same_words_take_no_time() -> None:
    before, after = "the cup is " * 4000, "is the cup " * 4000
    began = time.process_time()
    changes(before, after)
    assert time.process_time() - began < 5
