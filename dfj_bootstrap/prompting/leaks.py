"""Feedback that speaks of what its reader never sees.

A judge is trained on the evaluator's feedback and sees image, class and rationale only. Feedback that
appeals to the reference or to the annotations would teach it to pretend. The patterns take the words that
stand for the reference, not ``gold`` or ``reference`` as such: pictures hold gold rings and reference points.
"""

from __future__ import annotations

import re

_WORDS = r"(?:rationale|reasoning|explanation|answer|standard|annotations?|description|account|critique)"
_SAYS = (
    r"(?:says|states|mentions|notes|identifies|describes|lists|explains|cites|shows|indicates|claims|tells|gives|"
    r"names|specifies|highlights|emphasi[sz]es|focuses|attributes|makes|does\s+not|doesn't|also|clearly|correctly)"
)
_GIVEN = r"(?:provided|given|supplied|attached)"
_LEAK = re.compile(
    rf"\b(?:gold(?:en)?|expert|human)[-\s]+{_WORDS}\b"
    rf"|\breference[-\s]+(?:{_WORDS}|text|label|version|evidence|response)\b"
    rf"|\b{_GIVEN}\s+(?:references?|labels?|box(?:es)?|bounding|regions?|notes?)\b"
    r"|\breference['’]s\b"
    r"|\bbounding\s+box(?:es)?\b"
    r"|\[\s*\d{1,4}(?:\s*,\s*\d{1,4}){3}\s*\]"
    r"|\bground[-\s]truth\b"
    rf"|\bthe\s+(?:gold|reference)\s+{_SAYS}\b"
    r"|\b(?:than|per|unlike|match|matches)\s+the\s+gold\s*(?:[.,;:)!?]|$)"
    r"|\b(?:in|by|with|to|from|than|per|like|unlike|of|match|matches)\s+the\s+reference\s*(?:[.,;:)!?]|$)"
    r"|\bannotat(?:ed|ion|ions|or|ors)\b"
    r"|\b(?:intended|target|requested)\s+(?:level|rating|score)\b",
    re.IGNORECASE,
)


def leak(text: str) -> str:
    """The first words that speak of the reference or the annotations; empty where there are none."""
    match = _LEAK.search(text)
    return match[0] if match else ""
