"""Whether a text is a model's refusal, said in words.

Not every server has a field for a refusal: many models just say that they are sorry, bare or inside the very
form that was asked for. Read as a rationale, that would be a level 1 that a judge learns from. Only how a
text begins counts, and only with the verbs of declining: "I cannot see a seam" is an observation.
"""

from __future__ import annotations

import re

_CANT = r"(?:can(?:not|'t| not)|won't|will not|(?: am|'m) (?:not able|unable) to)"
_DO = (
    r"(?:assist|comply|continue|create|discuss|do (?:that|this)|engage|fulfil+|generate|help(?! but)|"
    r"participate|process|produce|proceed|provide|rate|rewrite|rephrase|support|write|"
    r"identify (?:\w+ ){0,3}(?:people|persons?|individuals?|faces?))"
)
_OPENING = re.compile(
    rf"(?:i(?:'m| am) (?:\w+ )?sorry|sorry|i apologi[sz]e|i regret)\b.{{0,60}}?\b(?:i|we) ?{_CANT}\b"
    rf"|(?:unfortunately,? )?i ?{_CANT} (?:\w+ )?{_DO}\b"
    r"|i (?:must|have to) decline\b"
    r"|as an ai\b.{0,80}?\b(?:i|we) ?(?:can(?:not|'t| not)|won't|(?: am|'m) (?:not able|unable))\b"
)
_LEAD = re.compile(r"[\s\"'`*#>-]*(?:json\s*)?(?:\{\s*\"\w+\"\s*:\s*\"\s*|<\w+>\s*)?")
_QUOTES = str.maketrans({"\u2019": "'", "\u2018": "'"})
_LONGEST_OPENING = 400


def is_refusal(text: str) -> bool:
    """Whether a reply, as it came, begins by declining to do what was asked."""
    start = _LEAD.match(text)
    begin = start.end() if start else 0
    opening = " ".join(text[begin : begin + _LONGEST_OPENING].translate(_QUOTES).lower().split())
    return _OPENING.match(opening) is not None
