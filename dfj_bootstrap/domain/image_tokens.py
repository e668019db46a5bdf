"""How many input tokens a picture costs, by the published rules of each family of models.

A family is told from the model's name alone; an unknown one is counted in 28 × 28 patches, as Qwen2.5-VL
and most servers of one's own do. Sources: the "images and vision" pages of OpenAI, Google and Anthropic,
Google's page on "media resolution" (Gemini 3), the preprocessing of Qwen2.5-VL and Qwen3-VL, whose patches
have 16 pixels, merged 2 × 2. GPT-6 goes by what was published as billed: 1,229 tokens for 1024 × 1024.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from dfj_bootstrap.domain.resizing import FACTOR, MAX_PIXELS, PixelLimits, shown_size

Rule: TypeAlias = Callable[[int, int], float]


def image_tokens(model: str, width: int, height: int, limits: PixelLimits | None = None) -> int:
    """Tokens of one picture of ``width`` × ``height`` pixels, as it is shown to a model.

    Args:
        model: its name, with or without a vendor before a slash.
        limits: pixels that a picture is brought into first; default: the published ones.
    """
    return math.ceil(_rule(model)(*shown_size(width, height, limits or PixelLimits())))


def family(model: str) -> str:
    """The start of a model's name that tells its family; empty where no rule is known for it."""
    name = model.rsplit("/", 1)[-1].lower()
    return max((prefix for prefix in _FAMILIES if name.startswith(prefix)), key=len, default="")


def _rule(model: str) -> Rule:
    return _FAMILIES.get(family(model), _PATCHES)


def _patches(width: int, height: int, *, side: int, factor: float, most: float = math.inf) -> float:
    return min(math.ceil(width / side) * math.ceil(height / side), most) * factor


def _openai_tiles(width: int, height: int, *, base: int, each: int) -> float:
    """512-pixel tiles, once the picture fits 2048 × 2048 and its shorter side 768; never scaled up."""
    scale = min(1.0, 2048 / max(width, height))
    scale = min(scale, 768 / min(width, height))
    return base + each * math.ceil(width * scale / 512) * math.ceil(height * scale / 512)


def _gemini_tiles(width: int, height: int) -> float:
    if max(width, height) <= 384:
        return 258
    return 258 * math.ceil(width / 768) * math.ceil(height / 768)


def _gemini_at_once(width: int, height: int) -> float:
    return 1120


def _claude_pixels(width: int, height: int) -> float:
    return width * height / 750


_PATCHES: Rule = partial(_patches, side=FACTOR, factor=1.0, most=MAX_PIXELS // FACTOR**2)
_GPT_4O: Rule = partial(_openai_tiles, base=85, each=170)
_MINI: Rule = partial(_patches, side=32, factor=1.62, most=1536)
_NANO: Rule = partial(_patches, side=32, factor=2.46, most=1536)

_FAMILIES: dict[str, Rule] = {
    "gpt-4o": _GPT_4O,
    "chatgpt-4o": _GPT_4O,
    "gpt-4.1": _GPT_4O,
    "gpt-4-turbo": _GPT_4O,
    "gpt-4o-mini": partial(_openai_tiles, base=2833, each=5667),
    "gpt-4.1-mini": _MINI,
    "gpt-4.1-nano": _NANO,
    "gpt-5": partial(_openai_tiles, base=70, each=140),
    "gpt-5-mini": _MINI,
    "gpt-5-nano": _NANO,
    "gpt-6": partial(_patches, side=32, factor=1.2),
    "o1": partial(_openai_tiles, base=75, each=150),
    "o3": partial(_openai_tiles, base=75, each=150),
    "o4-mini": partial(_patches, side=32, factor=1.72, most=1536),
    "gemini": _gemini_at_once,
    "gemini-1": _gemini_tiles,
    "gemini-2": _gemini_tiles,
    "qwen2-vl": _PATCHES,
    "qwen2.5-vl": _PATCHES,
    "qwen3-vl": partial(_patches, side=32, factor=1.0),
    "claude": _claude_pixels,
}
"""The start of a model's name → its rule; the longest start that fits counts."""
