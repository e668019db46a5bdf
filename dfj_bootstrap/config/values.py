"""Values that no key of a configuration can mean: YAML made them of something else, or they can't be seen."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any, get_args

_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Unicode's categories of what has no shape of its own."""

_QUOTES = ("Pi", "Pf")
"""Those of typographic quotes, which YAML takes for a part of the text."""

_LARGEST = 2**63 - 1
"""What fits into a file."""


def trouble_with(value: Any, annotation: Any) -> str:
    """Why a value can't be meant, to be said after its name; empty where it can.

    Args:
        annotation: the type that is wanted.
    """
    kinds = {annotation, *get_args(annotation)}
    if isinstance(
        value, bool
    ):  # YAML reads `yes` and `on` as true, which pydantic would take for the number 1
        return "" if bool in kinds else f"must not be {str(value).lower()}{_quoted(str in kinds)}"
    if isinstance(value, int) and abs(value) > _LARGEST:
        return "must have fewer digits"
    if isinstance(value, int | float) and str in kinds:
        return f"must be text, not {value}{_quoted(True)}"
    if isinstance(value, str):
        return _of_path(value) if Path in kinds else _of_text(value)
    return ""


def _quoted(text: bool) -> str:
    return "; put it in quotes" if text else ""


def _of_path(text: str) -> str:
    return "must not hold a null character" if "\0" in text else ""


def _of_text(text: str) -> str:
    if "\0" in text:
        return "must not hold a null character"
    if not text.strip():
        return "must not be blank"
    if text != text.strip():
        return f"must not begin or end with a blank ({text!r})"
    if any(unicodedata.category(c) in _QUOTES for c in (text[0], text[-1])):
        return f"must not stand in typographic quotes ({text!r}); use plain ones"
    odd = next((c for c in text if unicodedata.category(c) in _UNSEEN or (c.isspace() and c != " ")), "")
    return f"must not hold a character that can't be seen (U+{ord(odd):04X})" if odd else ""
