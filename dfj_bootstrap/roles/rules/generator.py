"""The generator: corrupts what is known of an image to the level asked for, and reacts to feedback.

Every level is brought to about the gold's own number of words, so that length tells nothing of the level.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from dfj_bootstrap.domain.rationale import Label, Rationale, answer_of_level
from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.domain.trajectory import Brief, Candidate, Provenance, Round
from dfj_bootstrap.language.sentences import uncapitalised
from dfj_bootstrap.language.words import word_count
from dfj_bootstrap.policy.ordering import hash64
from dfj_bootstrap.roles.rules import operations, remarks
from dfj_bootstrap.roles.rules.material import material
from dfj_bootstrap.roles.rules.recipes import Order, body, padding

_DRAWS = 12  # drafts before a text that says the same again is let through with a filler more
_FIRST = {1: (0.1, 1.0), 2: (0.15, 1.0), 3: (0.0, 0.9), 4: (0.05, 1.0)}
_STEP = {1: (0.04, 0.2), 2: (0.04, 0.2), 3: (0.03, 0.2), 4: (0.15, 0.4)}
_OVERDONE = {
    "invent": re.compile(r"unsupported|invent|not (?:visible|there|supported)", re.IGNORECASE),
    "move": re.compile(r"misplace|wrong side|location", re.IGNORECASE),
    "miscount": re.compile(r"miscount|number", re.IGNORECASE),
    "swap": re.compile(r"misplace|mix(?:es|ed) up", re.IGNORECASE),
    "trim": re.compile(r"leaves out|missing|omits|only part", re.IGNORECASE),
    "hedge": re.compile(r"hedg|hesitat|uncertain|unsure", re.IGNORECASE),
    "generalise": re.compile(r"vague|general|unspecific", re.IGNORECASE),
}
_STARTERS = ("The ", "A ", "An ", "Each ", "Both ", "There ")


class RulesGenerator:
    """Writes candidates of levels 1-4 by controlled corruption.

    Args:
        rng_seed: moves every choice; the same inputs always give the same text.
    """

    def __init__(self, rng_seed: int = 0) -> None:
        self._rng_seed = rng_seed

    async def generate(self, seed: Seed, gold: Rationale, brief: Brief, rounds: Sequence[Round]) -> Candidate:
        """Write a candidate for the brief; it differs in text from those of all earlier rounds."""
        key = (seed.id, brief.level, brief.sample, self._rng_seed)
        strength = _strength(key, brief.level, rounds)
        answer = answer_of_level(seed.label, brief.level)
        told = {turn.candidate.rationale.reasoning for turn in rounds}
        text = ""
        for draw in range(_DRAWS):
            rng = Random(hash64("generate", *key, len(rounds), draw))
            order = Order(
                source=material(seed, gold.reasoning),
                level=brief.level,
                strength=strength,
                real=seed.label is Label.REAL,
                avoid=_avoid(brief.level, rounds),
                picker=operations.Picker(rng),
            )
            text = _write(order, answer)
            if text not in told:
                break
        return Candidate(Rationale(text, answer), Provenance(model="rules"))


def _strength(key: tuple[str | int, ...], level: int, rounds: Sequence[Round]) -> float:
    """How far down to push, 0-1: a first guess, moved by every rating that came back."""
    strength = Random(hash64("strength", *key)).uniform(*_FIRST[level])
    for turn in rounds:
        if turn.evaluation is None:
            continue
        step = Random(hash64("step", *key, turn.index)).uniform(*_STEP[level])
        off = turn.evaluation.rating - level
        strength += step if off > 0 else -step if off < 0 else 0.0
        strength = min(1.0, max(0.0, strength))
    return strength


def _avoid(level: int, rounds: Sequence[Round]) -> frozenset[str]:
    """Operations that the feedback on the last round complains of, where it was rated too low."""
    last = rounds[-1].evaluation if rounds else None
    if last is None or last.rating >= level:
        return frozenset()
    return frozenset(name for name, cue in _OVERDONE.items() if cue.search(last.feedback))


def _write(order: Order, answer: Label) -> str:
    """Body, conclusion, then the right length."""
    rng = order.rng
    lines = body(order)
    conclusion = rng.choice(remarks.CONCLUSIONS[answer][_tone(order)])
    target = round(order.source.words * rng.uniform(0.93, 1.04)) - word_count(conclusion)
    lines = _lengthened(_shortened(lines, target), target, order)
    if lines and rng.random() < 0.3 and lines[0].startswith(_STARTERS):
        opening = rng.choice(remarks.OPENINGS)
        lines[0] = opening.replace("{s}", uncapitalised(lines[0]), 1)
    return " ".join([*lines, conclusion])


def _tone(order: Order) -> str:
    chance = order.rng.random()
    if order.level == 4:
        return "plain"
    if order.level == 3:
        return "hedged" if chance < 0.5 else "plain"
    if order.level == 2:
        return "hedged" if chance < 1.2 - order.strength else "plain"
    return "hedged" if chance > 0.5 + order.strength else "firm" if chance < 0.6 else "plain"


def _shortened(lines: list[str], target: int) -> list[str]:
    """Cut trailing clauses of the longest lines until the text is not much too long."""
    said = list(lines)
    for _ in range(len(said)):
        if sum(word_count(line) for line in said) <= target + 5:
            break
        cuts = [(word_count(line), i, cut) for i, line in enumerate(said) if (cut := operations.trim(line))]
        if not cuts:
            break
        _, place, cut = max(cuts)
        said[place] = cut
    return said


def _lengthened(lines: list[str], target: int, order: Order) -> list[str]:
    """Add padding until no sentence of it fits any more."""
    said = list(lines)
    used = set(said)
    pool = [text for text in dict.fromkeys(padding(order)) if text not in used]
    while True:
        gap = target - sum(word_count(line) for line in said)
        fit = [text for text in pool if word_count(text) <= gap + 1]
        if gap < 4 or not fit:
            return said
        text = order.rng.choice(fit)
        pool.remove(text)
        said.insert(order.rng.randint(min(1, len(said)), len(said)), text)
