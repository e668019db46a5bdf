"""What a text says, as far as words alone can tell: sides, numbers, denials, classes, things, hedges.

Pure text analysis in English, by tables and neighbourhood; no model and no grammar. It never raises,
whatever the text is, and the same text always gives the same ``Wording``. Analyses are cached.

Invariants: a word has at most one meaning per table; every mention of an axis keeps the content words
around it, so that two mentions that changed places can be told from two that didn't.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from dfj_bootstrap.language import vocabulary as v
from dfj_bootstrap.language.denials import (
    BREAKS,
    CLAUSE_STARTS,
    DENIED,
    OPEN,
    content_places,
    denials,
    is_content,
    pole_of,
)
from dfj_bootstrap.language.stems import stem
from dfj_bootstrap.language.word_tables import names_of, poles_of
from dfj_bootstrap.language.words import tokens

REACH = 3
"""Content words on each side of a mention that are its surroundings."""

REALNESS = "=realness"
"""The axis on which the picture, or something in it, is called real or not."""

_SIDES = poles_of(v.SIDES)
_CLASSES = {word: name for name, words in v.CLASSES.items() for word in words.split()}
_THINGS = names_of(re.split(r"[|\n]", v.THINGS))
_COLOURS = names_of(v.COLOURS.splitlines())
_CLAUSE_BOUNDS = BREAKS | CLAUSE_STARTS
_NUMERALS = frozenset(v.NUMBER_WORDS) | frozenset(v.ORDINAL_WORDS)
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)")


@dataclass(frozen=True, slots=True)
class Poles:
    """The mentions of one axis, each as the set of content words around it (empty unless both ends occur).

    Attributes:
        plus, minus: mentions of either end.
        unsure: mentions within a denied clause, of which it is open whether they are denied.
    """

    plus: tuple[frozenset[str], ...] = ()
    minus: tuple[frozenset[str], ...] = ()
    unsure: int = 0


@dataclass(frozen=True, slots=True)
class Wording:
    """What was found in a text.

    Attributes:
        words: all words in order, normalised, without punctuation.
        sides: axis of place → its mentions.
        relations: (word of place, thing before it, thing after it).
        claims: stem or pair of opposites → said (plus) or denied (minus); ``REALNESS`` is one of them.
        denied: the statements (axis, pole) of each clause that is denied as a whole.
        classes: which of ``fake`` and ``edited`` is said.
        numbers: value → the words that are counted; ordinals are negative.
        maybe_numbers: values that some vague word can stand for.
        things, colours: canonical names.
        hedges, soft_hedges, boosters: counts.
    """

    words: tuple[str, ...]
    sides: Mapping[str, Poles]
    relations: frozenset[tuple[str, str, str]]
    claims: Mapping[str, Poles]
    denied: frozenset[frozenset[tuple[str, int]]]
    classes: frozenset[str]
    numbers: Mapping[float, frozenset[str]]
    maybe_numbers: frozenset[float]
    things: frozenset[str]
    colours: frozenset[str]
    hedges: int
    soft_hedges: int
    boosters: int


@lru_cache(maxsize=2048)  # some 10 kB each
def analyse(text: str) -> Wording:
    """Find out what a text says; linear in its length."""
    return _Finder(tokens(text)).wording()


class _Mentions:
    """Collects the places where axes are mentioned."""

    def __init__(self) -> None:
        self._said: dict[str, list[tuple[int, int]]] = defaultdict(list)

    def add(self, axis: str, pole: int, place: int) -> None:
        self._said[axis].append((pole, place))

    def poles(self, around: Callable[[int], frozenset[str]]) -> dict[str, Poles]:
        """All axes; surroundings only where both ends are mentioned, since only those can change places."""
        found = {}
        for axis, said in self._said.items():
            poles = [pole for pole, _ in said]
            count = (poles.count(1), poles.count(-1), poles.count(0))
            if count[0] and count[1]:
                plus, minus = (tuple(around(at) for pole, at in said if pole == end) for end in (1, -1))
                found[axis] = Poles(plus, minus, count[2])
            else:
                found[axis] = _one_ended(*count)
        return found


@lru_cache(maxsize=64)
def _one_ended(plus: int, minus: int, unsure: int) -> Poles:
    """One object for all alike: most axes are mentioned once."""
    return Poles((frozenset(),) * plus, (frozenset(),) * minus, unsure)


class _Finder:
    """One walk over the tokens for each kind of finding."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = tokens
        self.present = frozenset(tokens)
        self.stems = list(map(stem, tokens))
        self.state = denials(tokens, self.stems)
        self.clause = _clauses(tokens)
        self.content = content_places(tokens)
        self.sided = [(i, *_SIDES[token]) for i, token in enumerate(tokens) if token in _SIDES]

    def wording(self) -> Wording:
        """All that is found in the text, as a value."""
        present = self.present
        return Wording(
            words=tuple([token for token in self.tokens if token not in BREAKS]),
            sides=self._sides(),
            relations=self._relations(),
            claims=self._claims(),
            denied=self._denied(),
            classes=self._classes(),
            numbers=self._numbers(),
            maybe_numbers=self._maybe_numbers(),
            things=frozenset(map(_thing, present)) - {""},
            colours=frozenset([_COLOURS[token] for token in present if token in _COLOURS]),
            hedges=self._count(v.HEDGES),
            soft_hedges=self._count(v.SOFT_HEDGES),
            boosters=self._count(v.BOOSTERS),
        )

    def _count(self, words: frozenset[str]) -> int:
        return sum(map(self.tokens.count, self.present & words))

    def _around(self, at: int) -> frozenset[str]:
        """The stems of the content words nearest to a token, within its clause."""
        place = bisect_left(self.content, at)
        after = place + (self.content[place : place + 1] == [at])
        near = self.content[max(place - REACH, 0) : place] + self.content[after : after + REACH]
        return frozenset(self.stems[i] for i in near if self.clause[i] == self.clause[at])

    def _sides(self) -> dict[str, Poles]:
        found = _Mentions()
        for i, axis, pole in self.sided:
            found.add(axis, pole, i)
        return found.poles(self._around)

    def _relations(self) -> frozenset[tuple[str, str, str]]:
        """Things on both sides of a word of place, within its sentence."""
        found = set()
        for i, axis, pole in self.sided:
            if axis in ("order", "height", "lateral", "within", "reach"):
                before, after = self._next_thing(i, -1), self._next_thing(i, 1)
                if before and after and before != after:
                    found.add((f"{axis}{pole}", before, after))
        return frozenset(found)

    def _next_thing(self, at: int, step: int) -> str | None:
        i = at + step
        while 0 <= i < len(self.tokens) and self.tokens[i] not in BREAKS and abs(i - at) <= 6:
            thing = _thing(self.tokens[i])
            if thing:
                return thing
            i += step
        return None

    def _claims(self) -> dict[str, Poles]:
        found = _Mentions()
        for i in self.content:
            axis, pole = _statement(self.tokens[i])
            found.add(axis, pole * self.state[i], i)
        return found.poles(self._around)

    def _classes(self) -> frozenset[str]:
        named = [i for i in self.content if self.tokens[i] in _CLASSES and self.state[i] != DENIED]
        return frozenset([_CLASSES[self.tokens[i]] for i in named]) - {"real"}

    def _denied(self) -> frozenset[frozenset[tuple[str, int]]]:
        """The statements of each clause that is denied without saying which of its words is."""
        if OPEN not in self.state:
            return frozenset()
        clauses: dict[int, set[tuple[str, int]]] = defaultdict(set)
        for i in self.content:
            if self.state[i] == OPEN:
                clauses[self.clause[i]].add(_statement(self.tokens[i]))
        for i in self.content:
            if self.state[i] == DENIED:
                clauses.pop(self.clause[i], None)
        return frozenset(frozenset(words) for words in clauses.values())

    def _numbers(self) -> dict[float, frozenset[str]]:
        found: dict[float, set[str]] = defaultdict(set)
        end = 0
        for i in [i for i, t in enumerate(self.tokens) if t in _NUMERALS or t[0].isdecimal()]:
            if i < end:
                continue
            value, used = _number_at(self.tokens, i)
            end = i + used
            if value is not None and value not in (0, 1):
                found[value].update(self._counted(end))
        return {value: frozenset(words) for value, words in found.items()}

    def _maybe_numbers(self) -> frozenset[float]:
        maybe = frozenset([v.MAYBE_NUMBERS[token] for token in self.present if token in v.MAYBE_NUMBERS])
        return maybe if v.MAYBE_SECOND.isdisjoint(self.present) else maybe | {-2.0}

    def _counted(self, start: int) -> list[str]:
        """What a number that ends before ``start`` counts: the content words among the next three."""
        places = range(start, min(start + 3, len(self.tokens)))
        return [
            self.stems[i]
            for i in places
            if is_content(self.tokens[i]) and self.tokens[i] not in v.NUMBER_WORDS
        ]


@lru_cache(maxsize=8192)
def _thing(token: str) -> str:
    """The thing that a word names, empty for none."""
    return _THINGS.get(token) or _THINGS.get(stem(token), "")


@lru_cache(maxsize=8192)
def _statement(token: str) -> tuple[str, int]:
    """The axis on which a content word says something, and to which end."""
    named = _CLASSES.get(token)
    if named:
        return REALNESS, 1 if named == "real" else -1
    return pole_of(token, stem(token)) or (stem(token), 1)


def _clauses(tokens: Sequence[str]) -> list[int]:
    """For each token the number of its clause."""
    return list(accumulate([int(token in _CLAUSE_BOUNDS) for token in tokens]))


def _number_at(tokens: Sequence[str], i: int) -> tuple[float | None, int]:
    """The number that starts at a token (ordinals negative) and how many tokens it takes."""
    token = tokens[i]
    if token[0].isdecimal():
        ordinal = _ORDINAL.fullmatch(token)
        return (-float(ordinal.group(1)) if ordinal else _figure(token)), 1
    if token in v.ORDINAL_WORDS:
        return -float(v.ORDINAL_WORDS[token]), 1
    value = v.NUMBER_WORDS.get(token)
    if value is None:
        return None, 1
    following = tokens[i + 1] if i + 1 < len(tokens) else ""
    unit = v.NUMBER_WORDS.get(following, 0)
    if value >= 20 and 0 < unit < 10:
        return float(value + unit), 2
    scale = {"hundred": 100, "thousand": 1000, "dozen": 12}.get(following)
    return (float(value * scale), 2) if scale else (float(value), 1)


def _figure(token: str) -> float | None:
    """Figures as a number: ``1,000`` has a group mark, ``2.5`` and ``2,5`` a decimal one."""
    grouped = re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", token)
    plain = token.replace(",", "") if grouped else token.replace(",", ".")
    return float(plain) if plain.count(".") <= 1 and len(plain) < 30 else None
