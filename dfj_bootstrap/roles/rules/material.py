"""What the generator works on: a seed's claims with their places, its topics, and flags nobody marked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from dfj_bootstrap.domain.seed import Annotation, Seed
from dfj_bootstrap.language.sentences import capitalised, on_one_line, sentences
from dfj_bootstrap.language.word_tables import words_of
from dfj_bootstrap.language.words import plain_words, word_count
from dfj_bootstrap.roles.rules.claims import overlap, place, read_claim, split_conclusion
from dfj_bootstrap.roles.rules.remarks import FAULTS
from dfj_bootstrap.roles.rules.topics import concrete, topics

_MAX_CLAIMS = 14
_MAX_CLAIM_WORDS = 60
_SHORTEST, _LONGEST = 25, 320
_FALLBACK = ("the main subject", "the background", "the foreground")
_SIDES = words_of("left right upper lower top bottom middle centre center corner")
_SAME = 0.4  # shared stems from which a mark tells what a sentence of the gold tells
_DANGLING = re.compile(r"^(It|Its|They|Their|He|She|His|Her)\b")


@dataclass(frozen=True, slots=True)
class Material:
    """Attributes:

    claims: true sentences about the picture, in the gold's order.
    marks: the same as people marked it, by index of the claim that it tells again.
    flags: annotation categories that nobody used on this picture.
    words: length of the gold in words, within sane bounds.
    """

    claims: tuple[str, ...]
    marks: dict[int, str]
    topics: tuple[str, ...]
    flags: tuple[str, ...]
    words: int


@lru_cache(maxsize=32)
def material(seed: Seed, gold: str) -> Material:
    """Take a seed apart."""
    gold_claims = list(split_conclusion(gold)[0][:_MAX_CLAIMS])
    marks: dict[int, str] = {}
    for annotation in seed.annotations[:_MAX_CLAIMS]:
        mark = marked(annotation)
        if not mark or len(sentences(mark)) > 1:
            continue
        best = max(
            range(len(gold_claims)),
            key=lambda i: overlap(read_claim(mark), read_claim(gold_claims[i])),
            default=-1,
        )
        if best < 0:
            gold_claims.append(mark)
        elif overlap(read_claim(mark), read_claim(gold_claims[best])) >= _SAME:
            marks.setdefault(best, mark)
    claims = tuple(_shortened(_resolved(gold_claims, i)) for i in range(len(gold_claims)))
    used = {annotation.flag for annotation in seed.annotations}
    length = min(max(word_count(gold), _SHORTEST), _LONGEST)
    return Material(
        claims, marks, _all_topics(gold), tuple(flag for flag in FAULTS if flag not in used), length
    )


def marked(annotation: Annotation) -> str:
    """An annotation as a sentence, with its place in the picture where the text names none."""
    text = on_one_line(annotation.text).rstrip(" ,;")
    if not text:
        return ""
    text = text if text[-1] in ".!?。" else f"{text}."
    where = place(annotation.box)
    if not where or _SIDES & set(plain_words(text)):
        return capitalised(text)
    first = text[0].lower() + text[1:] if text[:2] != text[:2].upper() else text
    return f"In the {where} part of the picture, {first}"


def _resolved(told: list[str], index: int) -> str:
    """The sentence with a leading pronoun replaced by what the sentence before is about."""
    sentence = told[index]
    found = _DANGLING.match(sentence)
    subject = _subject(told[index - 1]) if index else ""
    if not found or not subject:
        return sentence
    named = capitalised(subject)
    possessive = named + ("'" if named.endswith("s") else "'s")
    return (possessive if found.group() in ("Its", "Their", "His", "Her") else named) + sentence[
        found.end() :
    ]


def _subject(sentence: str) -> str:
    """The topic that a sentence starts with, if it starts with one."""
    start = re.sub(r"^(?:a|an|the) ", "the ", sentence.lower())
    return next((topic for topic in topics(sentence) if start.startswith(f"{topic} ")), "")


def _shortened(sentence: str) -> str:
    words = sentence.split()
    return (
        sentence if len(words) <= _MAX_CLAIM_WORDS else " ".join(words[:_MAX_CLAIM_WORDS]).rstrip(".,;") + "."
    )


def _all_topics(gold: str) -> tuple[str, ...]:
    return (concrete(gold[:4000]) or _FALLBACK)[:24]
