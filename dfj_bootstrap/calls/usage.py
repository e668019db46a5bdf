"""What a server says that an answer took, beside the answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from dfj_bootstrap.calls.call import Reply


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer; ``None`` where the server doesn't say. ``cached`` is part of ``input``."""

    input: int | None = None
    output: int | None = None
    cached: int = 0

    @property
    def is_told(self) -> bool:
        """Whether anything was counted, so that something was paid for."""
        return bool(self.input or self.output)


@dataclass(frozen=True, slots=True)
class Metered:
    """A reply as a server gave it, with what it says of its usage; not yet priced."""

    reply: Reply
    usage: Usage

    @classmethod
    def of(cls, reply: Reply, usage: Usage) -> Self:
        """With the usage entered in the reply, as far as it is told."""
        counts = {
            "input_tokens": usage.input or 0,
            "output_tokens": usage.output or 0,
            "cached_tokens": usage.cached,
        }
        return cls(replace(reply, **counts), usage)  # type: ignore[arg-type]
