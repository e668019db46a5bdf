"""Which of its words a text denies: by tables and neighbourhood, no grammar.

A word of a denied clause is said, denied or *open*: where it is not sure what a ``not`` belongs to, nothing
is claimed. Pure, English, never raises.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from dfj_bootstrap.language import vocabulary as v
from dfj_bootstrap.language.stems import stem
from dfj_bootstrap.language.word_tables import poles_of

BREAKS = frozenset(".;:!?,()")
"""Tokens at which a denial ends."""

CLAUSE_STARTS = frozenset({"but", "while", "whereas", "although", "though", "yet", "than", "because"})
"""Words at which another clause begins."""

SAID, OPEN, DENIED = 1, 0, -1
"""What a denial somewhere before it leaves of a word."""

_OPPOSITES = poles_of(v.OPPOSITES)
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
