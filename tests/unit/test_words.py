"""Words and stems: one place for each, with a view for who compares texts and one for the embedded rules."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.language.stems import rough_stem, stem
from dfj_bootstrap.language.words import joined_words, plain_words, tokens

PACKAGE = Path(__file__).parents[2] / "dfj_bootstrap"
ROOMS = ("language", "similarity", "roles/rules")


@pytest.mark.parametrize(
    ("text", "said", "plain", "joined"),
    [
        ("It isn’t.", "it is not .", "it isn't", "it isn’t ."),
        ("Rather than", "without", "rather than", "rather than"),
        ("top-right", "top right", "top right", "top-right"),
        ("1,000 and 2nd", "1,000 and 2nd", "1 000 and 2 nd", "1 , 000 and 2nd"),
        ("“ﬁne” – a_b", "fine a_b", "ﬁne a b", "“ ﬁne ” – a b"),
        ("漢字。 한글", "漢字 한글", "漢 字 한 글", "漢字 。 한글"),
    ],
)
def test_each_view_of_a_text_has_its_own_words(text: str, said: str, plain: str, joined: str) -> None:
    assert tokens(text) == tuple(said.split())
    assert plain_words(text) == tuple(plain.split())
    assert joined_words(text) == joined.split()


@given(st.text(max_size=300))
def test_no_view_has_words_with_spaces_or_without_letters(text: str) -> None:
    for word in (*tokens(text), *plain_words(text), *joined_words(text)):
        assert word
        assert not any(letter.isspace() for letter in word)


@pytest.mark.parametrize(
    ("word", "careful", "rough"),
    [
        ("smears", "smear", "smear"),
        ("smeared", "smear", "smear"),
        ("smearing", "smear", "smear"),
        ("smoothness", "smoothness", "smoothness"),
        ("hazy", "hazy", "haz"),
        ("bus", "bus", "bus"),
        ("focus", "focus", "focu"),
        ("glasses", "glass", "glass"),
        ("boxes", "box", "box"),
        ("edges", "edg", "edg"),
        ("bodies", "body", "bod"),
        ("running", "run", "runn"),
        ("fitted", "fit", "fitt"),
        ("string", "string", "str"),
        ("dog's", "dog'", "dog"),
        ("leaves", "leaf", "leav"),
        ("grass", "grass", "grass"),
    ],
)
def test_the_rough_stem_takes_more_off_than_the_careful_one(word: str, careful: str, rough: str) -> None:
    assert (stem(word), rough_stem(word)) == (careful, rough)


@given(st.text(max_size=20))
def test_no_stem_is_longer_than_its_word_and_none_is_lost(word: str) -> None:
    for cut in (stem, rough_stem):
        assert len(cut(word)) <= len(word) + 1  # foot, of feet
        assert len(cut(word)) >= min(2, len(word.removesuffix("'").removesuffix("'s").removesuffix("'")))


def test_no_other_module_cuts_texts_into_words() -> None:
    """A third way to words or stems goes into ``language.words`` and ``language.stems``."""
    cutting = {
        str(path.relative_to(PACKAGE))
        for room in (*ROOMS, "policy")
        for path in (PACKAGE / room).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "findall"
    }
    assert cutting == {"language/words.py"}


def test_one_name_is_one_thing_in_all_that_knows_english() -> None:
    homes: dict[str, set[str]] = defaultdict(set)
    for path in (path for room in ROOMS for path in (PACKAGE / room).glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for name in _defined(node):
                homes[name].add(str(path.relative_to(PACKAGE)))
    assert not {name: found for name, found in homes.items() if len(found) > 1 and not name.startswith("_")}


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]
