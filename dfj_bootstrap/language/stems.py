"""What stays of a word without its endings. There is no other place: who needs another stem adds it here.

Both stems are crude, made of the same steps, and differ in how much they dare. ``stem`` helps to decide
whether two texts say the same, so it must not make one word of two. ``rough_stem`` looks for what a sentence
is about, so it would rather take too much off.

==============  =================================  ===================================
..              ``stem``                           ``rough_stem``
==============  =================================  ===================================
for             fidelity, ``lexical``, its tables  the embedded rules and their tables
before          irregular forms undone             *'s* off
plural          *s*, but of *us* and *is*; *es*    any *s* or *es*, but of *ss*
                after a hiss
endings         *ing ed ly*, after the plural, if  *ing ed ly y*, or the plural
                a vowel is left
double letters  one, where an ending went          one, always
==============  =================================  ===================================

Verdicts hang on ``stem`` (``RULES_OF_DECISION``), what the rules rate on ``rough_stem`` (``RULES_VERSION``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from dfj_bootstrap.language.set_phrases import IRREGULAR

_ENDINGS = ("edly", "ingly", "ing", "ed", "ly")
_ROUGH_ENDINGS = ("ings", "ing", "edly", "ed", "ly", "es", "s", "y", "e")
_HISSES = ("s", "x", "z", "ch", "sh")
_VOWEL = re.compile("[aeiouy]")
_LEAST_LEFT = 3  # letters that an ending must leave


@lru_cache(maxsize=16384)
def stem(word: str) -> str:
    """A careful stem: plural, -ed, -ing, -ly and a final e are taken off, known irregular forms undone."""
    word = IRREGULAR.get(word, word)
    if len(word) < 4 or word.endswith("ss"):
        return word
    if word.endswith("ies"):
        return _with_y(word)
    word = _singular(word)
    base = _without_ending(word, _ENDINGS, _is_spoken)
    if base != word:
        word = _undoubled(base, 4, "lsz")
    return word.removesuffix("e") if len(word) > 3 else word


@lru_cache(maxsize=8192)
def rough_stem(word: str) -> str:
    """A rough stem: enough to see that ``smears``, ``smeared`` and ``smearing`` are one word."""
    base = word.removesuffix("'s").removesuffix("'")
    if base.endswith("ies") and len(base) > 4:
        base = _with_y(base)
    if not base.endswith("ss"):
        base = _without_ending(base, _ROUGH_ENDINGS, _is_long)
    base = _undoubled(base, 5, "ls")
    return base.removesuffix("e") if len(base) > 4 else base


def _with_y(word: str) -> str:
    """``bodies`` as ``body``."""
    return word[:-3] + "y"


def _singular(word: str) -> str:
    if word.endswith("es") and word[:-2].endswith(_HISSES):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("us", "is")) else word


def _without_ending(word: str, endings: Sequence[str], is_enough: Callable[[str], bool]) -> str:
    """The word without the first of the endings that leaves enough of it."""
    for ending in endings:
        if word.endswith(ending) and is_enough(word[: -len(ending)]):
            return word[: -len(ending)]
    return word


def _is_long(base: str) -> bool:
    return len(base) >= _LEAST_LEFT


def _is_spoken(base: str) -> bool:
    """Whether what is left is long enough and has a vowel: ``string`` isn't ``str``."""
    return _is_long(base) and _VOWEL.search(base) is not None


def _undoubled(base: str, length: int, kept: str) -> str:
    """``runn`` as ``run``, from so many letters on, unless the letter is one of those that are kept."""
    return base[:-1] if len(base) >= length and base[-1] == base[-2] and base[-1] not in kept else base
