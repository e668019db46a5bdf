"""How each family of models is told how large a picture may be. Pure.

The published judges saw pictures of 3,136 to 1,003,520 pixels. Qwen2-VL and Qwen2.5-VL take that in pixels,
by environment; Qwen3-VL and its successors in tokens of 32 × 32 pixels, under other names; for all others
ms-swift has a flag of its own, which shrinks pictures before the model's own rule.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dfj_bootstrap.domain.resizing import FACTOR, PixelLimits

PUBLISHED = PixelLimits()
"""What the published judges were shown."""

_TOKEN_SIDE = 32
"""Pixels of a token's side in Qwen3-VL."""

_LEAST_TOKENS = 4
"""What Qwen3-VL itself has as its least."""


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """Variables and flags that limit a model's pictures to the published sizes."""

    env: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)


Limits = Callable[[PixelLimits], PictureLimits]
"""How a family is told them."""


def _in_pixels(limits: PixelLimits) -> PictureLimits:
    names = {"MAX_PIXELS": limits.most, "MIN_PIXELS": limits.least, "IMAGE_FACTOR": FACTOR}
    return PictureLimits({name: str(value) for name, value in names.items()})


def _in_tokens(limits: PixelLimits) -> PictureLimits:
    least = max(limits.least // _TOKEN_SIDE**2, _LEAST_TOKENS)
    most = max(limits.most // _TOKEN_SIDE**2, least)
    return PictureLimits({"IMAGE_MAX_TOKEN_NUM": str(most), "IMAGE_MIN_TOKEN_NUM": str(least)})


def _by_flag(limits: PixelLimits) -> PictureLimits:
    return PictureLimits(flags={"max_pixels": str(limits.most)})


_FAMILIES: Mapping[str, Limits] = {
    "qwen2vl": _in_pixels,
    "qwen25vl": _in_pixels,
    "qwen25omni": _in_pixels,
    "qwen3vl": _in_tokens,
    "qwen3omni": _in_tokens,
    "qwen35": _in_tokens,
    "qwen36": _in_tokens,
}
"""Letters and digits that a model's name, or its ``model_type``, begins with → its limits."""


def picture_limits(model: str, limits: PixelLimits = PUBLISHED) -> PictureLimits:
    """The limits for a model, by its ``config.json`` where it is a folder, else by its name."""
    for name in (str(model_config(model).get("model_type", "")), model.rstrip("/").rsplit("/", 1)[-1]):
        known = [told for start, told in _FAMILIES.items() if _letters(name).startswith(start)]
        if known:
            return known[0](limits)
    return _by_flag(limits)


def model_config(model: str) -> dict[str, Any]:
    """What stands in the ``config.json`` of a model's folder; empty where that can't be read."""
    try:
        found = json.loads((Path(model) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
