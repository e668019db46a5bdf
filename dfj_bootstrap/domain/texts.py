"""What a text from outside may hold: something to read, and nothing that is more than text.

Texts of people and models are put between tags, into prompts and into the dataset's rows, and rows go through
the chat templates and tokenizers of many model families. So whatever could be read as a tag or as one of
their special tokens is *defused*: its brackets become brackets of another kind, one for one, so that a person
still reads the same and nothing else does. ``_HARMFUL`` is the only list of such things.

Invariants:

- Defusing is final: what is defused is left alone by another defusing.
- Only brackets change, each into one other bracket; a text without such tags stays as it is, byte for byte.
"""

from __future__ import annotations

import re
import unicodedata

_NAME = r"[^\W\d][\w.:-]{0,63}"
_UNSEEN = "\u00ad\u200b-\u200f\u2060-\u2064\ufeff"
_GAP = rf"[\s{_UNSEEN}]*"
_KNOWN = (
    "reasoning|answer|score|feedback|rationale|reference|annotations?|previous|refused|candidate"
    "|image|picture|img|video|audio|think|thinking|thought"
)
_SQUARE = (
    "INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|CALL_ID|ARGS|MODEL_SETTINGS"
    "|IMG|IMG_BREAK|IMG_END|AUDIO|BEGIN_AUDIO|THINK|PREFIX|MIDDLE|SUFFIX"
    "|BOS|EOS|PAD|UNK|CLS|SEP|MASK|gMASK|sMASK|sop|eop"
)

_HARMFUL = re.compile(
    "|".join(
        (
            rf"<</?{_NAME}>>|<<{_GAP}/?{_GAP}(?i:sys){_GAP}>>",  # <<SYS>>
            r"<[|\uff5c][^<>]{1,64}[|\uff5c]>",  # <|im_start|>, <|image_pad|>
            rf"<[|\uff5c]{_NAME}>|<{_NAME}[|\uff5c]>",  # <|turn> … <turn|>
            r"<\[[^<>\[\]]{1,64}\]>",  # <[end of sentence]>
            rf"<{_GAP}/{_GAP}{_NAME}(?:[\s/{_UNSEEN}][^<>]{{0,200}})?>",  # </reasoning>, < / s >
            rf"<{_NAME}\s*/?>",  # <image>, <start_of_turn>, <br/>
            rf"<{_NAME}\s+[\w:-]+\s*=[^<>]{{0,200}}>",  # <rationale id="1">
            rf"<(?i:{_KNOWN})[\s/{_UNSEEN}][^<>]{{0,200}}>|<{_GAP}(?i:{_KNOWN}){_GAP}/?>",  # < Rationale >
            r"<0x[0-9A-Fa-f]{2}>",
            rf"\[/?(?:{_SQUARE})\]",  # [INST]
            r"\[\|(?:system|user|assistant|tool|endofturn)\|\]",
            r"\]~!?b[\[\]]|\[e~\[",
            r"\u25c1/?[\w|]{1,64}\u25b7",  # ◁think▷
        )
    )
)
_BRACKETS = "<[]\u25c1"
_FROM_SQUARE = str.maketrans("[]", "()")
_TO_SQUARE = str.maketrans("<>\u25c1\u25b7", "[][]")
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_UNDRAWN = frozenset("\u115f\u1160\u3164\uffa0\u2800")
"""Letters and signs by their category that no font draws: the fillers of Hangul, the blank of Braille."""


def without_controls(text: str) -> str:
    """Remove control characters (not newline, tab), bidi overrides and lone surrogates; strip the ends."""
    return _UNWANTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def defuse(text: str) -> str:
    """Make tags and special tokens harmless and leave them readable.

    ``<x>`` becomes ``[x]``; where square brackets are special themselves they become round: ``(INST)``.
    """
    if not any(bracket in text for bracket in _BRACKETS):  # most texts, and quicker than a search
        return text
    while (harmless := _HARMFUL.sub(_in_other_brackets, text)) != text:
        text = harmless
    return text


def _in_other_brackets(match: re.Match[str]) -> str:
    found = match[0]
    return found.translate(_FROM_SQUARE if found[0] in "[]" else _TO_SQUARE)


def says_something(text: str) -> bool:
    """Whether a reader sees at least one letter or digit, of whatever script."""
    return any(character.isalnum() and character not in _UNDRAWN for character in text)


def is_blank(text: str) -> bool:
    """Whether a reader sees nothing at all: no more than spaces, controls, and marks that have no letter."""
    return all(unicodedata.category(each)[0] in "CMZ" or each in _UNDRAWN for each in text)
