"""What a sentence claims, and which points of the known rationale and marks a text can be held against.

Everything here is a reading of text by general rules; it knows nothing of who wrote it or why.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from dfj_bootstrap.domain.seed import GRID, Annotation, Box
from dfj_bootstrap.language import rough_vocabulary as v
from dfj_bootstrap.language.sentences import capitalised, sentences
from dfj_bootstrap.language.stems import rough_stem
from dfj_bootstrap.language.vocabulary import COUNTS
from dfj_bootstrap.language.words import plain_words

MAX_SENTENCES = 100
"""So many sentences of a text are read: a rationale has a handful, and matching is quadratic."""

_SCOPE = 3  # words after a negation that it turns round
_SPLIT = re.compile(
    r", (?:so|which (?:supports|suggests|shows|indicates|is)|and so|therefore|hence) ", re.IGNORECASE
)
_REGION = re.compile(
    r"\b(upper|lower|top|bottom|left|right)(?:[ -](left|right))?"
    r" (?:part|corner|area|half|side|edge|region|third) of the (?:picture|image|frame|photo|scene)\b",
    re.IGNORECASE,
)
_CORRECT = re.compile(
    r"\bright (?:order|way|place|conclusion|class)\b|\b(?:looks?|seems?|quite|all) right\b|\bright about\b",
    re.IGNORECASE,
)
_VERTICAL = {"top": "upper", "bottom": "lower"}


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence, read.

    Attributes:
        stems: its specific content stems; ``order`` has them in the order of the text.
        polarity: > 0 praises, < 0 faults, 0 neither.
        region: sides of the picture it places itself in, e.g. ``{"upper", "left"}``.
    """

    text: str
    stems: frozenset[str]
    order: tuple[str, ...]
    sides: frozenset[str]
    numbers: frozenset[int]
    negations: int
    polarity: int
    hedged: bool
    concludes: bool
    region: frozenset[str]


@dataclass(frozen=True, slots=True)
class Point:
    """Something that a full rationale says: one claim in one or more wordings, and where it lies."""

    wordings: tuple[Claim, ...]
    region: frozenset[str]

    @property
    def text(self) -> str:
        return self.wordings[0].text


@lru_cache(maxsize=1024)
def read_claim(sentence: str) -> Claim:
    """Read one sentence."""
    words = plain_words(sentence)
    order = tuple(dict.fromkeys(_content(words)))
    return Claim(
        text=sentence,
        stems=frozenset(order),
        order=order,
        sides=frozenset(plain_words(_CORRECT.sub(" ", sentence))) & v.SIDE_WORDS,
        numbers=_numbers(words),
        negations=sum(word in v.NEGATIONS or word.endswith("n't") for word in words),
        polarity=_polarity(words),
        hedged=bool(v.HEDGED.search(sentence)),
        concludes=bool(v.CLASS_CUE.search(sentence)),
        region=_region(sentence),
    )


def read_text(text: str) -> tuple[Claim, ...]:
    """Read the first ``MAX_SENTENCES`` sentences of a text."""
    return tuple(read_claim(sentence) for sentence in sentences(text)[:MAX_SENTENCES])


def _content(words: Sequence[str]) -> list[str]:
    stems = (
        rough_stem(w)
        for w in words
        if w not in v.FUNCTION_WORDS and w not in v.SIDE_WORDS and w not in COUNTS
    )
    return [s for s in stems if s not in v.GENERIC_STEMS and not s.isdigit()]


def _numbers(words: Sequence[str]) -> frozenset[int]:
    spelt = {COUNTS[w] for w in words if w in COUNTS and w != "one"}  # ``one`` is too often a pronoun
    return frozenset(spelt | {int(w) for w in words if w.isdecimal() and len(w) < 7})


def _polarity(words: Sequence[str]) -> int:
    total, scope = 0, 0
    for word in words:
        if word in v.NEGATIONS or word.endswith("n't"):
            scope = _SCOPE + 1
        sign = (rough_stem(word) in v.GOOD_LOOKS) - (rough_stem(word) in v.BAD_LOOKS)
        total += -sign if scope else sign
        scope = max(0, scope - 1)
    return total


def _region(sentence: str) -> frozenset[str]:
    found = _REGION.search(sentence)
    words = (word.lower() for word in found.groups() if word) if found else ()
    return frozenset(_VERTICAL.get(word, word) for word in words)


def box_sides(box: Box | None) -> frozenset[str]:
    """The sides of the picture on which a box clearly lies; empty for the middle and for large boxes."""
    if box is None:
        return frozenset()
    third = GRID / 3
    x, y = (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2
    horizontal = "left" if x < third else "right" if x > 2 * third else ""
    vertical = "upper" if y < third else "lower" if y > 2 * third else ""
    return frozenset(side for side in (horizontal, vertical) if side)


def place(box: Box | None) -> str:
    """A box in words, e.g. ``upper right``; ``middle`` for its centre, empty without a box."""
    if box is None:
        return ""
    sides = box_sides(box)
    ordered = [side for side in ("upper", "lower", "left", "right") if side in sides]
    return " ".join(ordered) or "middle"


@lru_cache(maxsize=64)
def split_conclusion(text: str) -> tuple[tuple[str, ...], str]:
    """The claim sentences of a rationale, and the clause in which it concludes (empty if it doesn't)."""
    parts = _within(sentences(text))
    if not parts or not v.CLASS_CUE.search(parts[-1]):
        return parts, ""
    cut = _SPLIT.search(parts[-1])
    if cut and cut.start() > 0:
        claim, conclusion = parts[-1][: cut.start()] + ".", capitalised(parts[-1][cut.end() :])
        return (*parts[:-1], claim), conclusion
    return (parts[:-1], parts[-1]) if len(parts) > 1 else (parts, "")


def _within(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The last sentence, which may conclude, and as many others as are read."""
    return parts if len(parts) <= MAX_SENTENCES else (*parts[: MAX_SENTENCES - 1], parts[-1])


def points(gold: str, annotations: Sequence[Annotation]) -> tuple[Point, ...]:
    """What a full rationale says: the gold's claims, each with the annotations that tell the same.

    An annotation that no sentence of the gold resembles is a point of its own.
    """
    return _points(gold, tuple(annotations))


@lru_cache(maxsize=64)
def _points(gold: str, annotations: tuple[Annotation, ...]) -> tuple[Point, ...]:
    claims = [read_claim(sentence) for sentence in split_conclusion(gold)[0]]
    wordings = [[claim] for claim in claims if claim.stems]
    regions: list[frozenset[str]] = [frozenset() for _ in wordings]
    for annotation in annotations:
        for claim in read_text(annotation.text):
            best = max(range(len(wordings)), key=lambda i: overlap(claim, wordings[i][0]), default=-1)
            if best >= 0 and overlap(claim, wordings[best][0]) >= _ALIAS:
                wordings[best].append(claim)
                regions[best] = regions[best] or box_sides(annotation.box)
            elif claim.stems:
                wordings.append([claim])
                regions.append(box_sides(annotation.box))
    return tuple(Point(tuple(w), r) for w, r in zip(wordings, regions, strict=True))


_ALIAS = 0.25  # how much of the shorter text must be shared for an annotation to be a wording of a sentence


def overlap(a: Claim, b: Claim) -> float:
    """Shared specific stems as a share of the shorter claim's; one alone counts only for tiny claims."""
    shared = len(a.stems & b.stems)
    smaller = min(len(a.stems), len(b.stems))
    if shared == 0 or (shared == 1 and smaller > 2):
        return 0.0
    return shared / smaller
