"""How many tokens the rows have, against ``--max_length``: measured if the model is at hand, else estimated.

The published rule, for estimates: a token for four characters of English, and for pictures the one of
``domain/image_tokens.py``. Tokenisers differ by some 20 % either way, so an estimate never decides what is
left out; it warns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dfj_bootstrap.domain.image_tokens import image_tokens
from dfj_bootstrap.domain.resizing import MAX_PIXELS, MIN_PIXELS, PixelLimits
from dfj_bootstrap.training.rows import Row

_CHARACTERS_PER_TOKEN = 4
_FRAME = 20
"""Tokens of a conversation around its texts: the roles, and the default system turn."""

_BUCKETS = 8
_ROWS_AT_ONCE = 64
_SHOWN = 20
_BAR = 40

Sizes = Sequence[tuple[int, int]]


class Ruler(Protocol):
    """Knows the tokens of rows."""

    def lengths(self, rows: Sequence[Mapping[str, Any]]) -> list[int]: ...


class Estimate:
    """The published rule, for a model that isn't at hand."""

    def __init__(self, model: str, env: Mapping[str, str]) -> None:
        self._model = model
        self._limits = PixelLimits(
            _number(env, "MIN_PIXELS", MIN_PIXELS), _number(env, "MAX_PIXELS", MAX_PIXELS)
        )

    def lengths(self, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """The tokens of rows, about."""
        return [self._length(row) for row in rows]

    def _length(self, row: Mapping[str, Any]) -> int:
        text = sum(len(message["content"]) for message in row["messages"])
        pictures = sum(
            image_tokens(self._model, width, height, self._limits) for width, height in row["sizes"]
        )
        return _FRAME + text // _CHARACTERS_PER_TOKEN + pictures


def _number(env: Mapping[str, str], name: str, otherwise: int) -> int:
    text = env.get(name, "")
    return int(text) if text.isdigit() else otherwise


@dataclass(slots=True)
class Lengths:
    """The lengths of all rows, as they are measured.

    Attributes:
        how: ``measured`` or ``estimated``.
        by: in words, for the report.
        over: line → (row's id, tokens) of rows that are too long.
    """

    ruler: Ruler
    max_length: int
    how: str
    by: str
    over: dict[int, tuple[str, int]] = field(default_factory=dict)
    longest: int = 0
    _counts: Counter[int] = field(default_factory=Counter)
    _waiting: list[tuple[Row, Sizes]] = field(default_factory=list)

    def add(self, row: Row, sizes: Sizes) -> None:
        """Measure one more row, some at a time."""
        self._waiting.append((row, sizes))
        if len(self._waiting) == _ROWS_AT_ONCE:
            self.finish()

    def finish(self) -> None:
        """Measure those that wait."""
        rows = [{"messages": list(row.messages), "sizes": [*sizes]} for row, sizes in self._waiting]
        for (row, _), tokens in zip(self._waiting, self.ruler.lengths(rows) if rows else (), strict=True):
            self._counts[min((tokens - 1) * _BUCKETS // self.max_length, _BUCKETS)] += 1
            self.longest = max(self.longest, tokens)
            if tokens > self.max_length:
                self.over[row.line] = (row.id, tokens)
        self._waiting.clear()

    def as_data(self) -> dict[str, Any]:
        """For ``--json``: a bucket is ``[above, up to, rows]``."""
        return {
            "max_length": self.max_length,
            "how": self.how,
            "by": self.by,
            "longest": self.longest,
            "buckets": [[*self._edges(bucket), self._counts[bucket]] for bucket in range(_BUCKETS)],
            "over": len(self.over),
        }

    def lines(self) -> list[str]:
        """A histogram for people."""
        most = max(self._counts.values(), default=1)
        shown = [
            f"  {low + 1:>6}–{high:<6} {'█' * (_BAR * n // most) or ('▏' if n else ''):<{_BAR}} {n}"
            for low, high, n in self.as_data()["buckets"]
        ]
        return [*shown, f"  {'over':>13} {'':<{_BAR}} {len(self.over)}"]

    def _edges(self, bucket: int) -> tuple[int, int]:
        low, high = (-(-self.max_length * edge // _BUCKETS) for edge in (bucket, bucket + 1))
        return low, high
