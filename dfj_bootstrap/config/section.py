"""What every part of the configuration has in common, and hints at the key that was meant.

A docstring below a field is its line in ``docs/configuration.md``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from dfj_bootstrap.config.values import trouble_with


class Section(BaseModel):
    """A part of the tree: unknown keys are errors, values don't change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _plain_values(cls, data: Any) -> Any:
        """What no key can mean is refused before pydantic makes something of it."""
        for name, value in data.items() if isinstance(data, dict) else ():
            field = cls.model_fields.get(str(name))
            why = trouble_with(value, field.annotation) if field else ""
            if why:
                raise ValueError(f"`{name}` {why}")
        return data

    @model_validator(mode="after")
    def _can_be_stored(self) -> Self:
        """A number of many digits may have come as a text."""
        for name, value in self:
            why = trouble_with(value, int) if type(value) is int else ""
            if why:
                raise ValueError(f"`{name}` {why}")
        return self


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at the known name that was meant, else at all of them."""
    names = sorted(known)
    match = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"; did you mean `{match[0]}`?" if match else f"; known: {', '.join(names)}"
