"""A reply's text → its fields as they stand there, however they are wrapped.

Read are JSON objects (alone, in a code fence, or amid other text) and tagged text
(``<reasoning>…</reasoning>``). The answer is what is said last: thoughts are left out, and where what is said
holds two complete answers that differ, or one that is followed by the beginning of another, there is none.
Text inside a field is never searched for further fields, so braces, tags and marks of thinking in it stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dfj_bootstrap.prompting.thoughts import Span, said

_MAX_OBJECTS = 256
_MAX_PIECES = 64
_OBJECT = re.compile(r'\{\s*"')
_AROUND_AN_OBJECT = re.compile(r"\s*(?:```\w*)?\s*")


class Unreadable(Exception):
    """A reply that can't be used; ``str()`` says why, shortly, in words that the model may be told."""


def read_fields(
    text: str, names: Sequence[str], *, cut_off: bool = False, optional: Sequence[str] = ()
) -> dict[str, object]:
    """The named fields of a reply; further ones are left out.

    Args:
        optional: those of the names without which a reply will do.
        cut_off: the model ran into its token limit; then a field that isn't closed is no field.

    Raises:
        Unreadable: there is no answer, a field is missing, or different answers stand in one text.
    """
    if not text.strip():
        raise Unreadable("the reply was empty")
    needed = [name for name in names if name not in optional]
    stretches = said(text, _spans(text, names, needed))
    answers = [stretch for stretch in stretches if _begins(stretch, names)]
    if answers:
        return _agreed(list(_pieces(answers[-1], names, needed, cut_off)), answers[-1], names, needed)
    if not "".join(stretches).strip():
        raise Unreadable("the reply held only thoughts and no answer after them")
    raise _formless(needed)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A JSON object with all fields, or one tagged field; ``start`` and ``end`` are its place in the text."""

    start: int
    end: int
    values: dict[str, object]
    whole: bool


def _agreed(
    pieces: Sequence[_Piece], text: str, names: Sequence[str], needed: Sequence[str]
) -> dict[str, object]:
    """The one answer that all pieces give."""
    objects = [piece for piece in pieces if piece.whole]
    if not objects:
        return _together(pieces, needed)
    answer = objects[0]
    tagged = [piece for piece in pieces if not piece.whole]
    complete = {name for piece in tagged for name in piece.values} >= set(needed)
    rivals = [*objects, *(piece for piece in tagged if complete or piece.start > answer.start)]
    if any(not _same(piece.values, answer.values) for piece in rivals) or _begun(text, pieces[-1].end, names):
        raise Unreadable("the reply holds two different answers")
    return answer.values


def _together(tagged: Sequence[_Piece], needed: Sequence[str]) -> dict[str, object]:
    """The fields of tagged text, in any order."""
    fields: dict[str, object] = {}
    for name, value in (item for piece in tagged for item in piece.values.items()):
        if fields.setdefault(name, value) != value:
            raise Unreadable(f"the reply holds two different values of {name}")
    if not fields:
        raise _formless(needed)
    missing = [name for name in needed if name not in fields]
    if missing:
        raise Unreadable(f"the reply has no {' and no '.join(missing)}")
    return fields


def _formless(names: Sequence[str]) -> Unreadable:
    return Unreadable(f"the reply was not a JSON object with the fields {', '.join(names)}")


def _same(some: dict[str, object], values: dict[str, object]) -> bool:
    return all(str(value).strip() == str(values.get(name, value)).strip() for name, value in some.items())


def _pieces(text: str, names: Sequence[str], needed: Sequence[str], cut_off: bool) -> Iterator[_Piece]:
    """Objects and tagged fields, whichever begins first, without those that stand inside another."""
    objects = list(_objects(text, names, needed))
    opening = _opening(names)
    at = 0
    for _ in range(_MAX_PIECES):
        objects = [piece for piece in objects if piece.start >= at]
        tag = opening.search(text, at)
        if objects and (tag is None or objects[0].start < tag.start()):
            piece: _Piece | None = objects[0]
        elif tag:
            piece = _field(text, tag, names, objects[:1], cut_off)
        else:
            return
        at = piece.end if piece else tag.end() if tag else len(text)
        if piece:
            yield piece
    raise Unreadable("the reply holds far more fields than were asked for")


def _field(
    text: str, tag: re.Match[str], names: Sequence[str], objects: Sequence[_Piece], cut_off: bool
) -> _Piece | None:
    """What a tag holds, up to the next field if it isn't closed; ``None`` where it only wraps an object."""
    name, start = tag[1].lower(), tag.end()
    end, after = _content(text, name, start, names)
    for following in objects:
        if after is None or following.start < end < following.end or _wraps(text, start, end, following):
            return None
    if after is None and cut_off:
        raise Unreadable(f"the reply was cut off inside {name}")
    if _opening([name]).search(text, start, end):
        raise Unreadable(f"the reply opens {name} twice before it closes it")
    return _Piece(tag.start(), after or end, {name: text[start:end].strip()}, whole=False)


def _content(text: str, name: str, start: int, names: Sequence[str]) -> tuple[int, int | None]:
    """Where a field's text ends, and where its closing tag does, if it has one."""
    closing = re.compile(f"</{name}>", re.IGNORECASE).search(text, start)
    if closing:
        return closing.start(), closing.end()
    others = [other for other in names if other != name]
    following = _opening(others).search(text, start) if others else None
    return following.start() if following else len(text), None


def _wraps(text: str, start: int, end: int, piece: _Piece) -> bool:
    """Whether nothing but this object stands between ``start`` and ``end``."""
    before = _AROUND_AN_OBJECT.match(text, start, end)
    after = _AROUND_AN_OBJECT.match(text, piece.end, end)
    return bool(before and after and before.end() == piece.start and after.end() == end)


def _objects(text: str, names: Sequence[str], needed: Sequence[str]) -> Iterator[_Piece]:
    """The JSON objects that have all the needed fields, none inside another."""
    at = 0
    for brace in list(_OBJECT.finditer(text))[-_MAX_OBJECTS:]:
        if brace.start() < at:
            continue
        try:
            value, end = _DECODER.raw_decode(text, brace.start())
        except (ValueError, RecursionError):
            continue
        if all(name in value for name in needed):
            found = {name: value[name] for name in names if name in value}
            yield _Piece(brace.start(), end, found, whole=True)
            at = end


def _keyed(pairs: list[tuple[str, Any]]) -> dict[str, object]:
    """A JSON object; one that says two things of the same key is none."""
    found: dict[str, object] = {}
    for key, value in pairs:
        if found.setdefault(key.strip().lower(), value) != value:
            raise ValueError(key)
    return found


_DECODER = json.JSONDecoder(strict=False, object_pairs_hook=_keyed)


def _spans(text: str, names: Sequence[str], needed: Sequence[str]) -> list[Span]:
    """Where markers of thinking are a field's text: in whole objects and in closed fields without another."""
    objects = [(piece.start, piece.end) for piece in _objects(text, names, needed)]
    any_of = "|".join(names)
    closed = re.compile(f"<({any_of})>(?:(?!<(?:{any_of})>).)*?</\\1>", re.IGNORECASE | re.DOTALL)
    fields = [match.span() for match in closed.finditer(text)]
    return objects + [
        (start, end)
        for start, end in fields
        if not any(first < end < last or first <= start < last for first, last in objects)
    ]


def _begins(text: str, names: Sequence[str]) -> bool:
    return bool(_OBJECT.search(text) or _opening(names).search(text))


def _begun(text: str, at: int, names: Sequence[str]) -> bool:
    """Whether another answer begins behind the last piece, in whatever state it is."""
    any_of = "|".join(names)
    return bool(re.compile(rf'\{{\s*"\s*(?:{any_of})|<(?:{any_of})>', re.IGNORECASE).search(text, at))


def _opening(names: Sequence[str]) -> re.Pattern[str]:
    return re.compile(f"<({'|'.join(names)})>", re.IGNORECASE)
