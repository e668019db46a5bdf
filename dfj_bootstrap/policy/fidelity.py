"""Whether a paraphrase says the same as its original.

Similarity of embeddings can't see a flipped side, number or denial, so it comes last and is one signal of
several. A verdict is the first signal that fails, in this order: ``empty``, ``answer_changed``,
``length_changed``, ``side_changed``, ``number_changed``, ``negation_changed``, ``class_changed``,
``region_changed``, ``colour_changed``, ``hedging_changed``, ``copy``, ``repeats_another``, ``too_far``,
``too_close``. What each can't see stands in ``docs/fidelity.md``, with figures on labelled pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache

from dfj_bootstrap.domain.rationale import Rationale
from dfj_bootstrap.language import vocabulary
from dfj_bootstrap.language.wording import REALNESS, Poles, Wording, analyse

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
    if max(len(before.words), len(after.words)) < SHORT_TEXT:
        return False
    return (
        not MIN_LENGTH_RATIO * len(before.words) <= len(after.words) <= MAX_LENGTH_RATIO * len(before.words)
    )


def _side_changed(before: Wording, after: Wording) -> bool:
    for axis in before.sides.keys() | after.sides.keys():
        old, new = before.sides.get(axis, _NO_POLES), after.sides.get(axis, _NO_POLES)
        if axis.endswith("!") and (bool(old.plus), bool(old.minus)) != (bool(new.plus), bool(new.minus)):
            return True
        if _flipped(old, new):
            return True
    turned = {(place, second, first) for place, first, second in after.relations}
    return bool(turned & before.relations - after.relations)


def _number_changed(before: Wording, after: Wording) -> bool:
    if before.numbers.keys() - after.numbers.keys() - after.maybe_numbers:
        return True
    if after.numbers.keys() - before.numbers.keys() - before.maybe_numbers:
        return True
    return _recounted(before.numbers, after.numbers)


def _recounted(old: Mapping[float, AbstractSet[str]], new: Mapping[float, AbstractSet[str]]) -> bool:
    """Whether two numbers changed places between the things that they count."""
    shared = sorted(old.keys() & new.keys())
    for i, a in enumerate(shared):
        for b in shared[i + 1 :]:
            straight = len(old[a] & new[a]) + len(old[b] & new[b])
            if (old[a] & new[b] or old[b] & new[a]) and not straight:
                return True
    return False


def _negation_changed(before: Wording, after: Wording) -> bool:
    for claim, old in before.claims.items():
        new = after.claims.get(claim, old)
        if new is not old and claim != REALNESS and _flipped(old, new):
            return True
    return _affirmed(before, after) or _affirmed(after, before)


def _affirmed(denying: Wording, other: Wording) -> bool:
    """Whether a clause that is denied in one text is said in the other, all its words undenied."""
    return any(
        all(_only_said(other.claims.get(name), pole) for name, pole in clause) for clause in denying.denied
    )


def _only_said(poles: Poles | None, pole: int) -> bool:
    """Whether an axis is mentioned, at this end alone, and nothing about it is unsure."""
    return poles is not None and not poles.unsure and not (poles.minus if pole > 0 else poles.plus)


def _class_changed(before: Wording, after: Wording) -> bool:
    swapped = bool(before.classes and after.classes) and not before.classes & after.classes
    return swapped or _flipped(before.claims.get(REALNESS, _NO_POLES), after.claims.get(REALNESS, _NO_POLES))


def _flipped(old: Poles, new: Poles) -> bool:
    """Whether mentions went from one end of an axis to the other: all, some, or two crosswise."""
    if not (old.plus or old.minus) or not (new.plus or new.minus):
        return False
    gone_plus, gone_minus = len(old.plus) - len(new.plus), len(old.minus) - len(new.minus)
    if gone_plus * gone_minus < 0 and not (old.unsure or new.unsure):
        return True
    both = old.plus and old.minus and new.plus and new.minus
    return bool(both) and _fit(old.plus, new.minus) + _fit(old.minus, new.plus) > (
        _fit(old.plus, new.plus) + _fit(old.minus, new.minus) + SWAP_MARGIN
    )


def _fit(old: Sequence[AbstractSet[str]], new: Sequence[AbstractSet[str]]) -> float:
    """How well the surroundings of two lots of mentions agree, in [0, 1]: Dice of their words."""
    a: AbstractSet[str] = frozenset().union(*old)
    b: AbstractSet[str] = frozenset().union(*new)
    return 2 * len(a & b) / (len(a) + len(b)) if a and b else 0.0


def _region_changed(before: Wording, after: Wording) -> bool:
    return _named_otherwise(before.things, after.things, vocabulary.MILD_THINGS)


def _colour_changed(before: Wording, after: Wording) -> bool:
    return _named_otherwise(before.colours, after.colours, frozenset())


def _named_otherwise(old: AbstractSet[str], new: AbstractSet[str], mild: AbstractSet[str]) -> bool:
    lost = {name for name in old - new if not _KIN.get(name, frozenset()) & new}
    added = {name for name in new - old - mild if not _KIN.get(name, frozenset()) & old}
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
    return _shared_trigrams(before.words, after.words) >= COPY_OVERLAP


def _overlap(after: Wording, other: Rationale) -> float:
    return _shared_trigrams(analyse(other.reasoning).words, after.words)


def _shared_trigrams(source: tuple[str, ...], words: tuple[str, ...]) -> float:
    """The share of a text's trigrams that its source has too; 1 where the words are the same."""
    if source == words:
        return 1.0
    own = _trigrams(words)
    return len(own & _trigrams(source)) / len(own) if own else 0.0


@lru_cache(maxsize=2048)
def _trigrams(words: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    return frozenset(zip(words, words[1:], words[2:], strict=False))


def _kin() -> dict[str, frozenset[str]]:
    kin: dict[str, set[str]] = {}
    for line in vocabulary.KIN.strip().splitlines():
        whole, _, parts = line.partition(":")
        for part in parts.split():
            kin.setdefault(whole, set()).add(part)
            kin.setdefault(part, set()).add(whole)
    return {name: frozenset(names) for name, names in kin.items()}


_KIN = _kin()
_NO_POLES = Poles()

_SIGNALS: tuple[tuple[str, Callable[[Wording, Wording], bool]], ...] = (
    (LENGTH_CHANGED, _length_changed),
    (SIDE_CHANGED, _side_changed),
    (NUMBER_CHANGED, _number_changed),
    (NEGATION_CHANGED, _negation_changed),
    (CLASS_CHANGED, _class_changed),
    (REGION_CHANGED, _region_changed),
    (COLOUR_CHANGED, _colour_changed),
    (HEDGING_CHANGED, _hedging_changed),
    (COPY, _copied),
)
