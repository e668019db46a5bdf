"""Expressions for one of many words match what a flat alternation matches."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.language.alternation import any_of

_WORDS = st.text(alphabet="ab .|(", min_size=1, max_size=5)


def _found(words: str, text: str, flags: re.RegexFlag) -> list[str]:
    return [match.group() for match in re.finditer(rf"(?<!\w){words}(?!\w)", text, flags)]


@pytest.mark.parametrize("flags", [re.NOFLAG, re.IGNORECASE])
@given(
    words=st.lists(_WORDS, min_size=1, max_size=12),
    parts=st.lists(st.text("aBA .|(x-", max_size=6), max_size=8),
)
def test_it_finds_what_a_flat_alternation_with_the_longest_first_finds(
    flags: re.RegexFlag, words: list[str], parts: list[str]
) -> None:
    text = (
        " ".join(part for pair in zip(words, parts, strict=False) for part in pair)
        + " ".join(words).swapcase()
    )
    flat = "(?:" + "|".join(sorted(map(re.escape, words), key=len, reverse=True)) + ")"
    assert _found(any_of(words), text, flags) == _found(flat, text, flags)


def test_the_longest_word_that_ends_right_is_taken() -> None:
    known = rf"\b{any_of(['light', 'light source', 'lit'])}\b"
    assert re.findall(known, "lit light sources light source") == ["lit", "light", "light source"]
