"""Which stretches of a reply are thoughts, and which are said.

Servers that part a model's thinking from its answer don't reach here; this is for those that don't. A thought
that was begun is ended by its own closing marker. A closing marker without an opening one ends a thought that
began with the reply, since many chat templates put the opening marker into the prompt; the markers by which
some models begin their answer (``<|channel|>final<|message|>``) do the same. A thought that isn't ended goes
on to the end of the reply.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]
"""Where something begins and ends in a text, as in a slice."""

_THOUGHT = (
    "think(?:ing)?|thoughts?|reflect(?:ion)?s?|analysis|scratch_?pad|(?:inner|internal)_?monologue"
    "|thought_process|chain_of_thought|cot|deliberation"
)
_BEGIN, _END = "begin_of_|start_of_|begin_|start_", "end_of_|end_"
_OPENS = (
    rf"<\s*(?:[\w-]+:)?({_THOUGHT})(?:\s[^<>]*)?(?<!/)>",
    rf"<[|\uff5c]\s*(?:{_BEGIN})?({_THOUGHT})(?:_start|_begin)?\s*[|\uff5c]>",
    r"\[(think(?:ing)?)\]",
    rf"\u25c1({_THOUGHT})\u25b7",
    r"<(unused)94>",
    r"<\|(channel)\|?>\s*(?:analysis|commentary|thought)",
    r"\A\s*Here(?: is|['’]s) (my) thought process:",
    r"\A\s*(?-i:(analysis)(?=[A-Z]))",  # harmony without its special tokens
)
_CLOSES = (
    rf"<\s*/\s*(?:[\w-]+:)?({_THOUGHT})\s*>",
    rf"<[|\uff5c]\s*(?:/|{_END})({_THOUGHT})\s*[|\uff5c]>|<[|\uff5c]\s*({_THOUGHT})_end\s*[|\uff5c]>",
    r"\[/(think(?:ing)?)\]",
    rf"\u25c1/({_THOUGHT})\u25b7",
    r"<(unused)95>",
    r"<(channel)\|>",
)
_ANSWERS = (
    r"<\|channel\|>\s*final.{0,80}?<\|message\|>",
    r"<\|(?:begin_of_solution|begin_of_answer|START_RESPONSE)\|>",
    r"^[ \t]*Here(?: is|['’]s) my response:",
    r"assistantfinal(?=\s*[{<`])",
)
_MARKER = re.compile(
    "|".join(f"(?P<{kind}>{'|'.join(patterns)})" for kind, patterns in (
        ("answers", _ANSWERS), ("closes", _CLOSES), ("opens", _OPENS)
    )),
    re.IGNORECASE | re.DOTALL | re.MULTILINE,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Marker:
    """Attributes: ``opens``: else it ends a thought; ``kind``: what has to be equal in both."""

    opens: bool
    kind: str
    start: int
    end: int


def said(text: str, fields: Sequence[Span] = ()) -> list[str]:
    """The stretches between thoughts, in order; the answer is the last that holds one.

    Args:
        fields: where the reply's fields stand: a marker within one is part of its text.
    """
    stretches: list[str] = []
    start, open_kinds = 0, list[str]()
    for marker in _markers(text, fields):
        if marker.opens:
            if not open_kinds:
                stretches.append(text[start : marker.start])
            open_kinds.append(marker.kind)
            continue
        if marker.kind in open_kinds:
            del open_kinds[open_kinds.index(marker.kind) :]
        else:  # whatever came before was a thought
            stretches, open_kinds = [], []
        start = marker.end
    return stretches if open_kinds else [*stretches, text[start:]]


def _markers(text: str, fields: Sequence[Span]) -> Iterator[_Marker]:
    for match in _MARKER.finditer(text):
        if not any(start <= match.start() < end for start, end in fields):
            kind = next((group.lower() for group in match.groups()[1:] if group and group != match[0]), "")
            yield _Marker(match.lastgroup == "opens", kind, match.start(), match.end())
