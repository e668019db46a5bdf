"""Controlled corruption: each operation harms one claim in one way, or returns None where it can't."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random
from typing import TypeVar

from dfj_bootstrap.language.sentences import capitalised, uncapitalised
from dfj_bootstrap.roles.rules import remarks
from dfj_bootstrap.roles.rules.material import Material
from dfj_bootstrap.roles.rules.topics import concrete

_T = TypeVar("_T")


class Picker:
    """Random choice that avoids what it chose before, as long as there is something else."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self._used: set[object] = set()

    def pick(self, options: Sequence[_T]) -> _T:
        """One of the options, which must not be empty."""
        chosen = self.rng.choice([o for o in options if o not in self._used] or options)
        self._used.add(chosen)
        return chosen


_MIRROR = {
    "left": "right",
    "right": "left",
    "upper": "lower",
    "lower": "upper",
    "top": "bottom",
    "bottom": "top",
    "above": "below",
    "below": "above",
    "foreground": "background",
    "background": "foreground",
    "inside": "outside",
    "outside": "inside",
}
_SIDE = re.compile(r"\b(?:" + "|".join(_MIRROR) + r")\b(?! (?:order|way|place|conclusion|class))")
_NUMBER_WORDS = ("two", "three", "four", "five", "six", "seven", "eight")
_NUMBER = re.compile(r"\b(?:" + "|".join(_NUMBER_WORDS) + r")\b", re.IGNORECASE)
_SUBJECT = re.compile(
    r"^((?:The|A|An|Both|Each|Its|Two|Three|In the [^,]{,40}, the) [^,;]{2,60}?) "
    r"(is|are|has|have|does|do|looks?|appears?|stands?|lies?|shows?|fades?|covers?|holds?|stays?|turns?) "
    r"(.+)$"
)
_LEAST_CLAUSE = 5  # words
_TRAIL = re.compile(
    r"(?:[,;:] (?:and|with|which|so|where|as|while|although|but|even though|making|further|without|here) "
    r"| (?:while|although|whereas|even though) )[^,;:]*(?:,[^;:]*)?([.!])$"
)


def move(claim: str, rng: Random) -> str | None:
    """Name the opposite of one of its sides."""
    found = list(_SIDE.finditer(claim))
    if not found:
        return None
    # All occurrences of one pair are mirrored, else the sentence would name both sides and contradict itself.
    one = rng.choice(found).group()
    pair = {one, _MIRROR[one]}
    return _SIDE.sub(lambda m: _MIRROR[m.group()] if m.group() in pair else m.group(), claim)


def miscount(claim: str, rng: Random) -> str | None:
    """Give another number of things."""
    found = _NUMBER.search(claim)
    if not found:
        return None
    other = rng.choice([word for word in _NUMBER_WORDS if word != found.group().lower()])
    new = capitalised(other) if found.group()[0].isupper() else other
    return claim[: found.start()] + new + claim[found.end() :]


def swap(claim: str, others: Sequence[str], rng: Random) -> str | None:
    """Say of another claim's subject what is true of this one's."""
    mine = _SUBJECT.match(claim)
    subjects = [found.group(1) for other in others if other != claim and (found := _SUBJECT.match(other))]
    fit = [s for s in subjects if mine and s != mine.group(1) and _plural(s) == _plural(mine.group(1))]
    if not mine or not fit:
        return None
    return f"{rng.choice(fit)} {mine.group(2)} {mine.group(3)}"


def _plural(subject: str) -> bool:
    return subject.endswith("s") or subject.startswith(("Both", "Two", "Three"))


def trim(claim: str) -> str | None:
    """Leave out what follows the first clause."""
    cut = _TRAIL.sub(r"\1", claim, count=1)
    return cut if cut != claim and len(cut.split()) >= _LEAST_CLAUSE else None


def hedge(claim: str, picker: Picker) -> str:
    """Take the claim half back."""
    return picker.pick(remarks.TAKEN_BACK).replace("{s}", uncapitalised(claim), 1)


def generalise(claim: str, stock: Sequence[str], fallback: str, picker: Picker) -> str:
    """Keep what the claim is about, and nothing of what it says."""
    return remarks.with_topic(picker.pick(stock), picker.pick(concrete(claim)[:3] or (fallback,)))


def turn(claim: str, good: bool, fallback: str, picker: Picker) -> str:
    """Say the opposite of what the claim finds of its subject."""
    stock = remarks.TURNED_GOOD if good else remarks.TURNED_BAD
    return remarks.with_topic(picker.pick(stock), picker.pick(concrete(claim)[:3] or (fallback,)))


def invent(source: Material, good: bool, picker: Picker) -> str:
    """A remark of a flag that nobody marked, about something that is in the picture."""
    stock = remarks.PRAISES if good else remarks.FAULTS
    flag = picker.pick(source.flags or tuple(stock))
    return remarks.with_topic(picker.pick(stock[flag]), picker.pick(source.topics))
