"""Rewording sentences without touching what they claim: words, clauses, order, frames."""

from __future__ import annotations

import re
from random import Random

from dfj_bootstrap.language.rough_vocabulary import HEDGED
from dfj_bootstrap.language.sentences import capitalised, sentences, uncapitalised
from dfj_bootstrap.roles.rules.synonyms import synonyms

_FRAMES = (
    "As can be seen, {s}",
    "On closer inspection, {s}",
    "Looking at the image, {s}",
    "It can be observed that {s}",
    "One can see that {s}",
    "It is visible that {s}",
    "Examined closely, {s}",
    "As the picture shows, {s}",
    "It should be noted that {s}",
    "Looking closer, {s}",
    "The viewer sees that {s}",
    "Judging by the image, {s}",
    "It is evident that {s}",
    "Anyone who looks can see that {s}",
    "What is more, {s}",
    "The image shows that {s}",
)
_LONGEST = 600  # characters of a sentence whose clauses are looked at
_STRIDE = 5  # from one frame to the next within a text
_FRAMEABLE = re.compile(
    r"^(?:The|A|An|Its|Their|Each|Both|There|Two|Three|Four|They|Some|Most|Nothing|Tiny|Certain|No"
    r"|All(?! in| of| this)) "
)
_OF = re.compile(
    r"\bthe ([a-z]{3,}) of the ([a-z]{3,}[a-rt-z])(?=[.,;:]| (?:is|are|has|have|and|does|do|in|on|at)\b)"
)
_WHILE = re.compile(r"^([^,;]{12,}?),? (while|although|whereas|even though) ([^,;]{12,})([.!])$")
_ADVERB = re.compile(r"^(In|At|On|To|Around|Across) ((?:the|a|this) [^,;]{3,40}), ([^,;]{10,})([.!])$")
_WITH = re.compile(r"^((?:The|A|An|In) [^,;:]{8,}), with ([^,;:]{8,})([.!])$")
_COMPOUND = re.compile(
    r"^([^;]{20,}?)(?:;|, and) ((?:the|a|an|it|its|each|their|all|some|there) [^;]{14,}[.!])$"
)
_FREE = re.compile(r"^(?:The|A|An|Tiny|Glass|All shadows|Some|Most|Certain|In the|Nothing|Highlights) ")
_ADJECTIVE = (
    r"bright|smooth|distorted|blurry|unclear|uneven|crisp|clean|regular|soft|thin|white|dark|narrow"
    r"|blotchy|pale|light|natural|normal|correct|sharp|consistent|realistic|convincing|implausible"
    r"|warped|inconsistent|smeared|artificial|unnatural|legible|detailed|accurate|specific"
)
_PAIR = re.compile(rf"\b({_ADJECTIVE}) and ({_ADJECTIVE})(?=[.,;]| (?:in|at|on|to|from|as)\b)")


def reword(text: str, rng: Random, strength: float) -> str:
    """Say a text in other words, and some of it in another order.

    Args:
        strength: share of the possible changes that are made, 0-1.
    """
    said = [part for s in sentences(text) for part in (_divided(s) if rng.random() < strength else [s])]
    turned = [_turned(sentence, rng, strength) for sentence in said]
    return synonyms(" ".join(_reordered(turned, rng, strength)), rng, strength)


def _divided(sentence: str) -> list[str]:
    """A compound sentence as two; a hedged one stays whole, as the hedge goes for all of it."""
    cut = None if HEDGED.search(sentence) else _COMPOUND.match(sentence)
    return [f"{cut.group(1)}.", capitalised(cut.group(2))] if cut else [sentence]


def _reordered(said: list[str], rng: Random, strength: float) -> list[str]:
    """Neighbours change places where neither refers back, nor anything to them."""
    order = list(said)
    place = 0
    while place + 1 < len(order) - 1:
        trio = order[place : place + 3]
        if all(_FREE.match(sentence) for sentence in trio) and rng.random() < strength:
            order[place], order[place + 1] = trio[1], trio[0]
            place += 1
        place += 1
    return order


def reword_sentence(sentence: str, rng: Random, strength: float) -> str:
    """Say one sentence in other words; see ``reword``."""
    return synonyms(_turned(sentence, rng, strength), rng, strength)


def _turned(sentence: str, rng: Random, strength: float) -> str:
    """The same words in another order."""
    if len(sentence) > _LONGEST:
        return sentence
    said = _OF.sub(r"the \2's \1", sentence) if rng.random() < strength else sentence
    said = _turn(said, rng) if rng.random() < strength else said
    return _PAIR.sub(r"\2 and \1", said) if rng.random() < strength else said


def _turn(sentence: str, rng: Random) -> str:
    """Put a subordinate clause, or a leading adverbial, to the sentence's other end."""
    clause = _WHILE.match(sentence)
    if clause:
        main, joint, side, end = clause.groups()
        return f"{capitalised(joint)} {uncapitalised(side)}, {uncapitalised(main)}{end}"
    trailing = _WITH.match(sentence)
    if trailing:
        main, side, end = trailing.groups()
        return f"With {side}, {uncapitalised(main)}{end}"
    adverbial = _ADVERB.match(sentence)
    if adverbial:
        preposition, where, main, end = adverbial.groups()
        return f"{capitalised(main)} {preposition.lower()} {where}{end}"
    return sentence


def framed(text: str, number: int, count: int) -> str:
    """Put some sentences of a text into neutral frames; the first frame differs for 16 numbers in a row."""
    said = list(sentences(text))
    fit = [i for i, sentence in enumerate(said) if _FRAMEABLE.match(sentence)]
    if not fit:
        bare = _FRAMES[number % len(_FRAMES)].removesuffix(" {s}").removesuffix(",").removesuffix(" that")
        return f"{bare}: {text}"
    for turn in range(min(count, len(fit))):
        place = fit.pop((number + turn * _STRIDE) % len(fit))
        frame = _FRAMES[(number + turn * _STRIDE) % len(_FRAMES)]
        said[place] = frame.replace("{s}", uncapitalised(said[place]), 1)
    return " ".join(said)
