"""A figure: a value with its 95 % interval, or the reason why there is none.

Invariants:

- No figure is NaN or infinite: what can't be had is null, and says why.
- An interval holds its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a table.

    Attributes:
        n: rows, or pairs of them, that the value is over.
        why: why the value, or else its interval, can't be had.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    why: str = ""

    def as_json(self) -> dict[str, Any]:
        """The form in which every command prints a metric."""
        told = {"why": self.why} if self.why else {}
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n, **told}


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """``{"a.b": x}`` as ``{"a": {"b": x}}``: names of figures have a level per dot."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *outer, last = name.split(".")
        place = tree
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = value.as_json() if isinstance(value, Figure) else value
    return tree
