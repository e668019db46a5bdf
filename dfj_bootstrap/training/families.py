"""How each family of models is told how large a picture may be. Pure.

The published judges saw pictures of 3,136 to 1,003,520 pixels. Qwen2-VL and Qwen2.5-VL take that in pixels,
by environment; Qwen3-VL and its successors in tokens of 32 × 32 pixels, under other names; for all others
ms-swift has a flag of its own, which shrinks pictures before the model's own rule.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dfj_bootstrap.domain.resizing import FACTOR, MAX_PIXELS, MIN_PIXELS

_TOKEN_SIDE = 32
"""Pixels of a token's side in Qwen3-VL."""

_LEAST_TOKENS = 4
"""What Qwen3-VL itself has as its least."""


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """Variables and flags that limit a model's pictures to the published sizes."""

    env: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)


_PIXELS = PictureLimits(
    {"MAX_PIXELS": str(MAX_PIXELS), "MIN_PIXELS": str(MIN_PIXELS), "IMAGE_FACTOR": str(FACTOR)}
)
_TOKENS = PictureLimits(
    {
        "IMAGE_MAX_TOKEN_NUM": str(MAX_PIXELS // _TOKEN_SIDE**2),
        "IMAGE_MIN_TOKEN_NUM": str(max(MIN_PIXELS // _TOKEN_SIDE**2, _LEAST_TOKENS)),
    }
)
_OTHERS = PictureLimits(flags={"max_pixels": str(MAX_PIXELS)})

_FAMILIES = {
    "qwen2vl": _PIXELS,
    "qwen25vl": _PIXELS,
    "qwen25omni": _PIXELS,
    "qwen3vl": _TOKENS,
    "qwen3omni": _TOKENS,
    "qwen35": _TOKENS,
    "qwen36": _TOKENS,
}
"""Letters and digits that a model's name, or its ``model_type``, begins with → its limits."""


def picture_limits(model: str) -> PictureLimits:
    """The limits for a model, by its ``config.json`` where it is a folder, else by its name."""
    for name in (str(model_config(model).get("model_type", "")), model.rstrip("/").rsplit("/", 1)[-1]):
        known = [limits for start, limits in _FAMILIES.items() if _letters(name).startswith(start)]
        if known:
            return known[0]
    return _OTHERS


def model_config(model: str) -> dict[str, Any]:
    """What stands in the ``config.json`` of a model's folder; empty where that can't be read."""
    try:
        found = json.loads((Path(model) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
