"""Which corruptions make which level, and how strongly: a list of lines for each level.

``strength`` (0-1) is how far a text is pushed down: at either end of its range a level's recipe tends to
miss the level, which is what the refine loop is there for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from dfj_bootstrap.roles.rules import operations, remarks
from dfj_bootstrap.roles.rules.material import Material
from dfj_bootstrap.roles.rules.operations import Picker
from dfj_bootstrap.roles.rules.reword import reword_sentence

_REWORD = 0.3  # share of possible rewordings in a claim that is kept


@dataclass(frozen=True, slots=True)
class Order:
    """What a recipe is to do.

    Attributes:
        real: the image is a real one.
        avoid: operations that the last feedback named as overdone.
    """

    source: Material
    level: int
    strength: float
    real: bool
    avoid: frozenset[str]
    picker: Picker

    @property
    def right(self) -> bool:
        """Whether true claims of this picture praise it."""
        return self.real

    @property
    def rng(self) -> Random:
        return self.picker.rng

    def some_topic(self) -> str:
        return self.picker.pick(self.source.topics)


def body(order: Order) -> list[str]:
    """The sentences between opening and conclusion."""
    return _RECIPES[order.level](order)


def _kept(order: Order, index: int) -> str:
    """A true claim: as the gold tells it, or as it was marked, in slightly other words."""
    mark = order.source.marks.get(index)
    text = mark if mark and order.rng.random() < 0.25 else order.source.claims[index]
    return reword_sentence(text, order.rng, _REWORD)


def _level_4(order: Order) -> list[str]:
    """All claims, a few of them spoilt."""
    claims = order.source.claims
    spoilt = set(_some(order, round(order.strength * 0.55 * len(claims))))
    lines: list[str] = []
    for index in range(len(claims)):
        if index in spoilt:
            lines += _lapse(order, index)
        else:
            lines.append(_kept(order, index))
    return lines


def _level_3(order: Order) -> list[str]:
    """Some claims kept, some hedged or made general, some replaced."""
    count = len(order.source.claims)
    spoilt = set(_some(order, round((0.1 + 0.8 * order.strength) * count)))
    lines: list[str] = []
    for index in range(count):
        if index not in spoilt:
            lines.append(_kept(order, index))
            continue
        kind = order.rng.random()
        if kind < 0.3 and "hedge" not in order.avoid:
            lines.append(operations.hedge(_kept(order, index), order.picker))
        elif kind < 0.65 and "generalise" not in order.avoid:
            lines.append(_general(order, index, order.right))
        elif kind < 0.85:
            lines += _lapse(order, index)
        else:
            lines.append(operations.invent(order.source, order.right, order.picker))
    return lines


def _level_2(order: Order) -> list[str]:
    """A few true claims, hedged, among general and false remarks for the other side."""
    count = len(order.source.claims)
    valid = set(_some(order, round((0.8 - 0.8 * order.strength) * count)))
    hedges = round(2.6 - 2.4 * order.strength)
    lines: list[str] = []
    for index in range(count):
        if index in valid:
            text = _kept(order, index)
            lines.append(operations.hedge(text, order.picker) if hedges > 0 else text)
            hedges -= 1
        elif order.rng.random() < 0.5:
            lines.append(_general(order, index, not order.right))
        else:
            lines.append(operations.invent(order.source, not order.right, order.picker))
    return lines


def _level_1(order: Order) -> list[str]:
    """Nothing but the opposite of what is there; where the strength is low, a true remark slips in."""
    count = len(order.source.claims)
    valid = set(_some(order, round(2.4 - 5 * order.strength)))
    lines: list[str] = []
    for index in range(count):
        if index in valid:
            lines.append(operations.hedge(_kept(order, index), order.picker))
        elif order.rng.random() < 0.55:
            claim, topic = order.source.claims[index], order.some_topic()
            lines.append(operations.turn(claim, not order.right, topic, order.picker))
        else:
            lines.append(operations.invent(order.source, not order.right, order.picker))
    return lines


_RECIPES: dict[int, Callable[[Order], list[str]]] = {1: _level_1, 2: _level_2, 3: _level_3, 4: _level_4}


def _some(order: Order, wanted: int) -> list[int]:
    count = len(order.source.claims)
    return order.rng.sample(range(count), min(max(wanted, 0), count))


def _general(order: Order, index: int, good: bool) -> str:
    stock = remarks.VAGUE_GOOD if good else remarks.VAGUE_BAD
    return operations.generalise(order.source.claims[index], stock, order.some_topic(), order.picker)


def _lapse(order: Order, index: int) -> list[str]:
    """Spoil one claim by the first operation, in random order, that works on it; dropping always does."""
    claims, rng = order.source.claims, order.rng
    claim = _kept(order, index)
    ways: dict[str, Callable[[], str | None]] = {
        "move": lambda: operations.move(claim, rng),
        "miscount": lambda: operations.miscount(claim, rng),
        "swap": lambda: operations.swap(claim, claims, rng),
        "trim": lambda: operations.trim(claim),
        "invent": lambda: operations.invent(order.source, order.right, order.picker),
    }
    for name in rng.sample(sorted(ways), len(ways)):
        spoilt = None if name in order.avoid else ways[name]()
        if spoilt:
            return [spoilt]
    return []


def padding(order: Order) -> Sequence[str]:
    """Sentences that may bring a text of this level to its length."""
    if order.level == 4:
        return remarks.FILLERS
    stock = remarks.VAGUE_GOOD if order.right is (order.level == 3) else remarks.VAGUE_BAD
    vague = tuple(remarks.with_topic(template, order.some_topic()) for template in stock)
    if order.level == 3:
        return (*vague, *remarks.AFTERTHOUGHTS[True], *remarks.FILLERS)
    invented = tuple(operations.invent(order.source, not order.right, order.picker) for _ in range(6))
    if order.level == 1:
        doubts = remarks.AFTERTHOUGHTS[False] if order.strength < 0.45 else remarks.FILLERS[:3]
        return (*invented, *doubts)
    hedges = remarks.AFTERTHOUGHTS[False] if order.strength < 0.75 else ()
    return (*vague, *invented, *hedges)
