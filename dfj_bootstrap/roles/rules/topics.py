"""Noun phrases of a text, found by their determiner: what a sentence is about, fit to be put into another."""

from __future__ import annotations

import re
from functools import lru_cache

from dfj_bootstrap.language import rough_vocabulary as v
from dfj_bootstrap.language.stems import rough_stem
from dfj_bootstrap.language.vocabulary import COUNTS
from dfj_bootstrap.language.word_tables import rough_stems_of, words_of
from dfj_bootstrap.language.words import joined_words, plain_words

_STARTS = words_of("the a an its his her their both each two three four")
_SINGULAR = re.compile(r"(?:ss|us|is|lens)$")
_WORD = re.compile(r"[a-z]+(?:[-'][a-z]+)*")
_VERBS = words_of(
    """appears appear looks look seems seem shows show stands stand lies lie sits sit hangs hang rises rise
    follows follow covers cover meets meet keeps keep carries carry turns turn ends end stops stop
    fades fade casts cast holds hold runs run makes make stay stays becomes become becoming differs
    differ varies vary lacks lack draws slopes slope break breaks slips extends extend surrounds
    surround sticks stick crosses cross bends bend poses pose falls fall supports agree agrees fits
    fit crosses reads read covering sticking showing holding lying standing without there like
    together even still simply just around inside outside instead resting resembles starts start go
    goes stands merges merge creates create dissolves dissolve indicate indicates happens happen
    calls touches touch contrasts contrast match matches loses lose beside left right upper lower
    next beyond darkens disappear disappears demands demand renders render folds way adjacent
    located themselves itself near throws throw rests rest continues continue repeats repeat bends
    floats float melts jumps converge converges changes turns dissolves points sit has have suits
    consists"""
)
_NOT_NOUNS = v.BAD_LOOKS | v.GOOD_LOOKS | v.GENERIC_STEMS
_ADJECTIVES = words_of(
    """slender slim luminous broad lone big
    large small big smaller larger white black red green blue grey brown dark bright thin thick wide
    narrow long short tall second first third single softer pale light lighter warm cold straight
    vertical horizontal ancient missing round own little large raised old young main lowest middle
    poor clear whole such visible very exact rectangular blue-green greyish-purple yellow-green
    black-and-white adjacent semi-transparent close-up bare tiny purple"""
)
_ABSTRACT = rough_stems_of(
    """structure texture placement direction edge edges shape position location side outline thickness
    continuity centre rim surface smoothness difference color colour hue row line lines form
    contour border boundary definition sharpness brightness protrusion distance lines make-up
    orientation positioning tint proportions scale perspective overlap depth pattern component
    step middle end ends change detail light sharpness level fill edit blending clarity
    distortion noise anatomy symmetry consistency branching exposure lighting copy"""
)
_MAX_WORDS = 3


@lru_cache(maxsize=512)
def topics(text: str) -> tuple[str, ...]:
    """Noun phrases with ``the``, in the order of the text, each at most four words; may be empty.

    They hold lower-case ASCII letters, hyphens and apostrophes only, whatever the text holds.
    """
    words = joined_words(text)
    found = (_phrase(words[i + 1 : i + 5]) for i, word in enumerate(words) if word in _STARTS)
    return tuple(dict.fromkeys(f"the {phrase}" for phrase in found if phrase))


def _phrase(words: list[str]) -> str:
    kept: list[str] = []
    for word in words:
        if not _WORD.fullmatch(word) or _closes(word):
            break
        kept.append(word)
        if len(kept) == _MAX_WORDS and not word.endswith("'s"):
            break
    while kept and not _is_noun(kept[-1]):
        kept.pop()
    return " ".join(kept)


def _closes(word: str) -> bool:
    return word in v.FUNCTION_WORDS or word in COUNTS or word in _VERBS


def _is_noun(word: str) -> bool:
    return (
        len(word) > 2
        and not word.endswith(("'s", "ly", "ed", "ing", "est"))
        and word not in _ADJECTIVES
        and not v.SIDE_WORDS & set(word.split("-"))
        and rough_stem(word) not in _NOT_NOUNS
    )


def concrete(text: str) -> tuple[str, ...]:
    """The topics that can be pointed at, e.g. a cup and not its position; all of them where none can."""
    found = topics(text)
    return tuple(t for t in found if rough_stem(t.split()[-1]) not in _ABSTRACT) or found


def is_plural(topic: str) -> bool:
    """Whether a topic takes a plural verb: a guess by its last letter."""
    last = plain_words(topic)[-1:] or ("",)
    return last[0].endswith("s") and not _SINGULAR.search(last[0])
