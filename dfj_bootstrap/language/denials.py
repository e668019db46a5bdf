"""Words, their stems, and which of them a text denies: by tables and neighbourhood, no grammar.

A word of a denied clause is said, denied or *open*: where it is not sure what a ``not`` belongs to, nothing
is claimed. Pure, English, never raises.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from dfj_bootstrap.language import vocabulary as v
from dfj_bootstrap.language.alternation import any_of
from dfj_bootstrap.language.set_phrases import IRREGULAR, PHRASES

BREAKS = frozenset(".;:!?,()")
"""Tokens at which a denial ends."""

CLAUSE_STARTS = frozenset({"but", "while", "whereas", "although", "though", "yet", "than", "because"})
"""Words at which another clause begins."""

SAID, OPEN, DENIED = 1, 0, -1
"""What a denial somewhere before it leaves of a word."""

_PHRASE = re.compile(rf"\b({any_of(PHRASES)})\b")
_CANT = re.compile(r"\bcan't\b|\bcannot\b")
_CONTRACTED = re.compile(r"n't\b")
_TOKEN = re.compile(r"\d+(?:st|nd|rd|th)\b|\d+(?:[.,]\d+)*|[^\W\d]+|[.;:!?,()]")
_QUOTES = str.maketrans(
    {c: "-" for c in "\u2010\u2011\u2012\u2013\u2014\u2212"} | {"\u2019": "'", "\u2018": "'"}
)


CACHED_TEXTS = 128
"""Texts whose tokens are kept: a text is looked at several times within a short time."""


@lru_cache(maxsize=CACHED_TEXTS)
def tokens_of(text: str) -> tuple[str, ...]:
    """Words, numbers and marks in one case, with contractions and set phrases undone."""
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES).lower()
    text = _CONTRACTED.sub(" not", _CANT.sub("can not", text))
    text = _PHRASE.sub(lambda match: PHRASES[match.group(1)], " ".join(text.split()))
    return tuple(_TOKEN.findall(text))


@lru_cache(maxsize=16384)
def stem(word: str) -> str:
    """A crude stem: plural, -ed, -ing, -ly and a final e are taken off, known irregular forms undone."""
    word = IRREGULAR.get(word, word)
    if len(word) < 4 or word.endswith("ss"):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith("es") and word[:-2].endswith(("s", "x", "z", "ch", "sh")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("us", "is")):
        word = word[:-1]
    for ending in ("edly", "ingly", "ing", "ed", "ly"):
        base = word[: -len(ending)]
        if word.endswith(ending) and len(base) >= 3 and re.search("[aeiouy]", base):
            word = base[:-1] if len(base) > 3 and base[-1] == base[-2] and base[-1] not in "lsz" else base
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def table_of(lines: str) -> dict[str, tuple[str, int]]:
    """``name: plus words | minus words`` → word and stem → (name, pole); the first line wins."""
    table: dict[str, tuple[str, int]] = {}
    for line in re.sub(r"\n\s+\|", " |", lines.strip()).splitlines():
        name, _, words = line.partition(":")
        for pole, side in zip((1, -1), words.split("|"), strict=True):
            for word in side.split():
                table.setdefault(word, (name, pole))
    for word, entry in list(table.items()):
        table.setdefault(stem(word), entry)
    return table


def names_of(groups: Iterable[str]) -> dict[str, str]:
    """Groups of names → name and stem → the first of its group."""
    table: dict[str, str] = {}
    for names in (group.split() for group in groups if group.strip()):
        for name in names:
            table.setdefault(name, names[0])
            table.setdefault(stem(name), names[0])
    return table


_OPPOSITES = table_of(v.OPPOSITES)
_WITHOUT_CONTENT = v.NOT_CONTENT | BREAKS | v.DENIALS
_TRIGGERS = v.DENIALS | v.WEAK_DENIALS | v.BLANKET_DENIALS | v.ABSENCES
_NEGATIVE_UN = re.compile(r"(?:un(?!der|til|if|iq|ion|ivers|ite|to\b)|non)(?=[a-z]{4})")
_NOUN_DENIALS = frozenset({"no", "without", "lack", "lacks", "lacking", "lacked", "nor"})


def is_content(token: str) -> bool:
    """Whether a token can carry a statement of its own."""
    return token not in _WITHOUT_CONTENT


def content_places(tokens: Sequence[str]) -> list[int]:
    """The places of the tokens of which ``is_content`` holds."""
    return [i for i, token in enumerate(tokens) if token not in _WITHOUT_CONTENT]


def denials(tokens: Sequence[str], stems: Sequence[str]) -> list[int]:
    """For each token whether it is said, denied, or stands in a clause of which that is open."""
    state = [SAID] * len(tokens)
    for i, token in [place for place in enumerate(tokens) if place[1] in _TRIGGERS]:
        if token in v.DENIALS:
            _deny_forward(tokens, stems, state, i)
        elif token in v.WEAK_DENIALS and not (i and tokens[i - 1] == "a"):
            _leave_open(tokens, state, i)
        elif token in v.BLANKET_DENIALS:
            _open_clause(tokens, state, i + 1)
        elif token in v.ABSENCES:
            _deny_absent(tokens, state, i)
    return state


def _leave_open(tokens: Sequence[str], state: list[int], at: int) -> None:
    for i in range(at + 1, min(at + 4, len(tokens))):
        if is_content(tokens[i]) and state[i] == SAID:
            state[i] = OPEN
            return


def _leave_all_open(tokens: Sequence[str], state: list[int], places: range) -> None:
    for i in reversed(places):
        if tokens[i] in BREAKS or tokens[i] in CLAUSE_STARTS:
            return
        state[i] = min(state[i], OPEN)


def _open_clause(tokens: Sequence[str], state: list[int], start: int) -> None:
    for i in range(start, len(tokens)):
        if tokens[i] in BREAKS or tokens[i] in CLAUSE_STARTS:
            return
        if state[i] == SAID:
            state[i] = OPEN


def _deny_forward(tokens: Sequence[str], stems: Sequence[str], state: list[int], at: int) -> None:
    """Deny the first content word, or for ``no`` and its like the noun; the rest of the clause is open.

    A comparison (``not so large``) denies nothing.
    """
    if _compares(tokens, at):
        return
    _open_clause(tokens, state, at + 1)
    first = at == 0 or tokens[at - 1] in BREAKS or tokens[at - 1] in ("and", "but", "that", "so", "while")
    if tokens[at] == "no" and first:
        return
    span: list[int] = []
    for i in range(at + 1, min(at + 8, len(tokens))):
        if tokens[i] in BREAKS or (span and tokens[i] in v.SCOPE_ENDS):
            break
        if is_content(tokens[i]) and not tokens[i].endswith("ly"):
            span.append(i)
    if not span:
        return
    if tokens[at] in _NOUN_DENIALS:
        described = [i for i in span[:-1] if pole_of(tokens[i], stems[i])]
        state[described[0] if described else span[-1]] = DENIED
    else:
        state[span[0]] = DENIED


def _compares(tokens: Sequence[str], at: int) -> bool:
    for token in tokens[at + 1 : at + 4]:
        if token in BREAKS:
            return False
        if token in ("so", "as"):
            return True
    return False


def _deny_absent(tokens: Sequence[str], state: list[int], at: int) -> None:
    """``the missing handle`` denies what follows, ``the handle is missing`` what stands before."""
    before = at > 0 and tokens[at - 1] in ("a", "an", "the", "its", "some", "with")
    if not before and "of" in tokens[max(at - 6, 0) : at]:
        _leave_all_open(tokens, state, range(max(at - 6, 0), at))
        return
    steps = range(at + 1, min(at + 3, len(tokens))) if before else range(at - 1, max(at - 7, -1), -1)
    for i in steps:
        if tokens[i] in BREAKS:
            return
        if is_content(tokens[i]) and not tokens[i].endswith("ly"):
            state[i] = DENIED if state[i] == SAID else OPEN
            return


@lru_cache(maxsize=16384)
def pole_of(token: str, word: str) -> tuple[str, int] | None:
    """The pair of opposites that a word belongs to and its end: listed, or by a denying prefix."""
    entry = _OPPOSITES.get(token) or _OPPOSITES.get(word)
    if entry:
        return entry
    prefix = _NEGATIVE_UN.match(word)
    return (stem(word[prefix.end() :]), -1) if prefix else None
