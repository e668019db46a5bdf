"""Making text from outside harmless without changing what it says."""

from __future__ import annotations

import re

_CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_BIDI_OVERRIDES = "\u202a-\u202e\u2066-\u2069"
_SURROGATES = "\ud800-\udfff"
_UNWANTED = re.compile(f"[{_CONTROLS}{_BIDI_OVERRIDES}{_SURROGATES}]")


def clean(text: str) -> str:
    """Remove control characters (not newline, tab), bidi overrides and lone surrogates; strip the ends."""
    return _UNWANTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
