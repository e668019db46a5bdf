"""Similarity of wording without torch: a cosine over content-word stems and letter groups.

Invariants: symmetric, 1 for texts of the same words, 0 for texts that share none, in [0, 1], the same on
every machine, four digits. It measures shared wording and not meaning: a flipped side costs next to nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

from dfj_bootstrap.language.denials import content_places
from dfj_bootstrap.language.stems import stem
from dfj_bootstrap.language.words import tokens

LETTERS = 4
"""Letters in a group: enough to tell roots apart, few enough to tie their forms together."""

STRETCH = 0.2
"""Exponent that brings the raw cosine (about .5 for a paraphrase) onto the scale of embeddings."""


class LexicalSimilarity:
    """Cosine of the wording of two texts, half from content-word stems and half from letter groups.

    The raw cosine r is given as r ** ``STRETCH``, which changes no order and keeps 0 and 1, so that the
    default window (0.80 to 0.99) passes what shares about a third of its wording and isn't a copy.
    """

    async def similarity(self, a: str, b: str) -> float:
        """Similarity in [0, 1], rounded to 4 digits; 0 where a text has no content word."""
        return lexical_similarity(a, b)


class NoSimilarity:
    """Similarity turned off: the window isn't applied."""

    async def similarity(self, a: str, b: str) -> None:
        """Always ``None``."""


def lexical_similarity(a: str, b: str) -> float:
    """The value of ``LexicalSimilarity``, for use without a loop."""
    (stems_a, letters_a), (stems_b, letters_b) = _vectors(a), _vectors(b)
    raw = (_dot(stems_a, stems_b) + _dot(letters_a, letters_b)) / 2
    return min(1.0, round(math.pow(raw, STRETCH), 4))


@lru_cache(maxsize=1024)  # some 20 kB each
def _vectors(text: str) -> tuple[Mapping[str, float], Mapping[str, float]]:
    said = tokens(text)
    words = [stem(said[i]) for i in content_places(said)]
    return _unit(words), _unit([group for word in words for group in _groups(word)])


@lru_cache(maxsize=8192)
def _groups(word: str) -> tuple[str, ...]:
    padded = f" {word} "
    return tuple(padded[i : i + LETTERS] for i in range(max(len(padded) - LETTERS + 1, 1)))


def _unit(features: list[str]) -> Mapping[str, float]:
    """Counts, damped by a square root and scaled to length 1."""
    counts = Counter(features)
    length = math.sqrt(len(features))
    weights = {count: math.sqrt(count) / length for count in set(counts.values())}
    return {feature: weights[count] for feature, count in counts.items()}


def _dot(a: Mapping[str, float], b: Mapping[str, float]) -> float:
    return math.fsum([weight * b[feature] for feature, weight in a.items() if feature in b])
