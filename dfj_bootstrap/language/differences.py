"""What differs between two texts, as far as their words tell: sides, numbers, denials, classes, names.

Each function holds what was found in one text against what was found in another, and measures or says whether
something changed; how much may change is for who asks to know. Pure. What each can't see stands in
``docs/fidelity.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache

from dfj_bootstrap.language import vocabulary as v
from dfj_bootstrap.language.word_tables import kin_of
from dfj_bootstrap.language.wording import REALNESS, Poles, Wording

_KIN = kin_of(v.KIN)
_NO_POLES = Poles()


def sides_changed(before: Wording, after: Wording, margin: float) -> bool:
    """Whether a side became its contrary, was lost or added where none may be, or two things changed places.

    Args:
        margin: by how much the surroundings of two mentions must fit crosswise better than straight to
            count as swapped.
    """
    for axis in before.sides.keys() | after.sides.keys():
        old, new = before.sides.get(axis, _NO_POLES), after.sides.get(axis, _NO_POLES)
        if axis.endswith("!") and (bool(old.plus), bool(old.minus)) != (bool(new.plus), bool(new.minus)):
            return True
        if _flipped(old, new, margin):
            return True
    turned = {(place, second, first) for place, first, second in after.relations}
    return bool(turned & before.relations - after.relations)


def numbers_changed(before: Wording, after: Wording) -> bool:
    """Whether a count or an ordinal was lost, added, or given to another thing."""
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


def denials_changed(before: Wording, after: Wording, margin: float) -> bool:
    """Whether something said is now denied, or the other way round, or was turned into its contrary."""
    for claim, old in before.claims.items():
        new = after.claims.get(claim, old)
        if new is not old and claim != REALNESS and _flipped(old, new, margin):
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


def classes_changed(before: Wording, after: Wording, margin: float) -> bool:
    """Whether what was called real is called fake, or what was called generated is called edited."""
    swapped = bool(before.classes and after.classes) and not before.classes & after.classes
    old, new = before.claims.get(REALNESS, _NO_POLES), after.claims.get(REALNESS, _NO_POLES)
    return swapped or _flipped(old, new, margin)


def _flipped(old: Poles, new: Poles, margin: float) -> bool:
    """Whether mentions went from one end of an axis to the other: all, some, or two crosswise."""
    if not (old.plus or old.minus) or not (new.plus or new.minus):
        return False
    gone_plus, gone_minus = len(old.plus) - len(new.plus), len(old.minus) - len(new.minus)
    if gone_plus * gone_minus < 0 and not (old.unsure or new.unsure):
        return True
    both = old.plus and old.minus and new.plus and new.minus
    return bool(both) and _fit(old.plus, new.minus) + _fit(old.minus, new.plus) > (
        _fit(old.plus, new.plus) + _fit(old.minus, new.minus) + margin
    )


def _fit(old: Sequence[AbstractSet[str]], new: Sequence[AbstractSet[str]]) -> float:
    """How well the surroundings of two lots of mentions agree, in [0, 1]: Dice of their words."""
    a: AbstractSet[str] = frozenset().union(*old)
    b: AbstractSet[str] = frozenset().union(*new)
    return 2 * len(a & b) / (len(a) + len(b)) if a and b else 0.0


def names_lost(old: AbstractSet[str], new: AbstractSet[str]) -> frozenset[str]:
    """The names of the old that the new neither has nor has kin of: a kind, a whole or a part."""
    return frozenset(name for name in old - new if not _KIN.get(name, frozenset()) & new)


def shared_trigrams(source: tuple[str, ...], words: tuple[str, ...]) -> float:
    """The share of a text's trigrams that its source has too; 1 where the words are the same."""
    if source == words:
        return 1.0
    own = _trigrams(words)
    return len(own & _trigrams(source)) / len(own) if own else 0.0


@lru_cache(maxsize=2048)
def _trigrams(words: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    return frozenset(zip(words, words[1:], words[2:], strict=False))
