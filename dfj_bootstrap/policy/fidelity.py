"""Whether a paraphrase says the same as its original.

Similarity of embeddings can't see a flipped side, number or denial, so it comes last and is one signal of
several. What differs between two texts, ``language.differences`` finds; how much may, is decided here. A
verdict is the first signal that fails, in this order: ``empty``, ``answer_changed``, ``length_changed``,
``side_changed``, ``number_changed``, ``negation_changed``, ``class_changed``,
``region_changed``, ``colour_changed``, ``hedging_changed``, ``copy``, ``repeats_another``, ``too_far``,
``too_close``. What each can't see stands in ``docs/fidelity.md``, with figures on labelled pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial

from dfj_bootstrap.domain.rationale import Rationale
from dfj_bootstrap.language import differences, vocabulary
from dfj_bootstrap.language.wording import Wording, analyse

EMPTY = "empty"
"""The reworded text holds no word."""

ANSWER_CHANGED = "answer_changed"
"""It answers another class than its original."""

LENGTH_CHANGED = "length_changed"
"""It is so much shorter or longer that claims must have been dropped or added."""

SIDE_CHANGED = "side_changed"
"""Left became right, upper lower, behind in front, inside outside …, or two things changed places."""

NUMBER_CHANGED = "number_changed"
"""A count or an ordinal was lost, added, or given to another thing."""

NEGATION_CHANGED = "negation_changed"
"""Something said is now denied, or the other way round, or was turned into its contrary."""

CLASS_CHANGED = "class_changed"
"""The text calls real what was called fake, or generated what was called edited; the answer may be right."""

REGION_CHANGED = "region_changed"
"""A named region, object or body part was replaced by another, or many were lost or added."""

COLOUR_CHANGED = "colour_changed"
"""A named colour was replaced by another."""

HEDGING_CHANGED = "hedging_changed"
"""A hedged text became plain, or a plain one hedged: hedging is part of the level."""

COPY = "copy"
"""Nearly the same words in the same order as the original."""

REPEATS_ANOTHER = "repeats_another"
"""Nearly the same words in the same order as an earlier accepted paraphrase."""

TOO_FAR = "too_far"
"""Cosine similarity below the window."""

TOO_CLOSE = "too_close"
"""Cosine similarity above the window."""

MIN_LENGTH_RATIO, MAX_LENGTH_RATIO = 0.5, 2.0
"""Bounds of the words of the paraphrase over those of the original, inclusive."""

SHORT_TEXT = 8
"""Below so many words in both texts the length ratio says nothing."""

COPY_OVERLAP = 0.85
"""From this share of trigrams found in the original up, a text is a copy."""

REPEAT_OVERLAP = 0.90
"""From this share of trigrams found in an earlier paraphrase up, a text repeats it."""

SWAP_MARGIN = 0.5
"""By how much two mentions' surroundings must fit crosswise better than straight to count as swapped."""

LOST_SHARE = 0.34
"""The largest share of named things that may be lost, or added, where none was replaced."""

HEDGES_FOR_ONE = 3
"""So many hedges may shrink to one; more than that count as hedging lost."""


@dataclass(frozen=True, slots=True)
class Window:
    """Inclusive bounds of the cosine similarity to the original."""

    low: float
    high: float


def verdict(
    original: Rationale,
    reworded: Rationale,
    similarity: float | None,
    earlier: Sequence[Rationale],
    window: Window,
) -> str:
    """The name of the first signal that failed, empty where the paraphrase is faithful.

    Args:
        similarity: cosine to the original; ``None`` leaves the window out.
        earlier: paraphrases of the same original that were accepted before this one.
        window: where the similarity has to lie.
    """
    before, after = analyse(original.reasoning), analyse(reworded.reasoning)
    if not after.words:
        return EMPTY
    if original.answer is not reworded.answer:
        return ANSWER_CHANGED
    for reason, changed in _SIGNALS:
        if changed(before, after):
            return reason
    if any(_overlap(after, other) >= REPEAT_OVERLAP for other in earlier):
        return REPEATS_ANOTHER
    return _outside(similarity, window)


def _outside(similarity: float | None, window: Window) -> str:
    if similarity is None:
        return ""
    if similarity < window.low:
        return TOO_FAR
    return TOO_CLOSE if similarity > window.high else ""


def _length_changed(before: Wording, after: Wording) -> bool:
    old, new = len(before.words), len(after.words)
    if max(old, new) < SHORT_TEXT:
        return False
    return not MIN_LENGTH_RATIO * old <= new <= MAX_LENGTH_RATIO * old


def _region_changed(before: Wording, after: Wording) -> bool:
    return _named_otherwise(before.things, after.things, vocabulary.MILD_THINGS)


def _colour_changed(before: Wording, after: Wording) -> bool:
    return _named_otherwise(before.colours, after.colours, frozenset())


def _named_otherwise(old: AbstractSet[str], new: AbstractSet[str], mild: AbstractSet[str]) -> bool:
    lost, added = differences.names_lost(old, new), differences.names_lost(new, old) - mild
    if lost and added:
        return True
    return len(lost) > LOST_SHARE * len(old) or len(added) > max(1.0, LOST_SHARE * len(old))


def _hedging_changed(before: Wording, after: Wording) -> bool:
    if before.hedges and after.boosters > before.boosters and after.hedges < before.hedges:
        return True
    return _hedges_lost(before, after) or _hedges_lost(after, before)


def _hedges_lost(one: Wording, other: Wording) -> bool:
    return (other.hedges + other.soft_hedges) * HEDGES_FOR_ONE < one.hedges


def _copied(before: Wording, after: Wording) -> bool:
    return differences.shared_trigrams(before.words, after.words) >= COPY_OVERLAP


def _overlap(after: Wording, other: Rationale) -> float:
    return differences.shared_trigrams(analyse(other.reasoning).words, after.words)


_SIGNALS: tuple[tuple[str, Callable[[Wording, Wording], bool]], ...] = (
    (LENGTH_CHANGED, _length_changed),
    (SIDE_CHANGED, partial(differences.sides_changed, margin=SWAP_MARGIN)),
    (NUMBER_CHANGED, differences.numbers_changed),
    (NEGATION_CHANGED, partial(differences.denials_changed, margin=SWAP_MARGIN)),
    (CLASS_CHANGED, partial(differences.classes_changed, margin=SWAP_MARGIN)),
    (REGION_CHANGED, _region_changed),
    (COLOUR_CHANGED, _colour_changed),
    (HEDGING_CHANGED, _hedging_changed),
    (COPY, _copied),
)
