"""How large a picture is shown to a model: the resizing that Qwen2-VL and its successors publish.

Sides are multiples of a factor (28 = a patch of 14 pixels × a merge of 2), and the area lies within limits;
the proportions change only by the rounding. Boxes stand on a grid of their own, so nothing else changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, sqrt

FACTOR = 28
"""What both sides of a resized picture are multiples of."""

MIN_PIXELS = 3_136
"""4 × 28 × 28: the published lower limit of the area."""

MAX_PIXELS = 1_003_520
"""1280 × 28 × 28: the published upper limit of the area."""

MAX_RATIO = 200
"""Longer side ÷ shorter side: above it Qwen2-VL's preprocessing refuses a picture, and so does training."""


@dataclass(frozen=True, slots=True)
class PixelLimits:
    """The least and most pixels, width × height, that a model is shown; at least ``FACTOR`` squared."""

    least: int = MIN_PIXELS
    most: int = MAX_PIXELS


def shown_size(width: int, height: int, limits: PixelLimits) -> tuple[int, int]:
    """The width and height at which a picture is shown; its own where they are within the limits.

    As ``smart_resize`` of Qwen2-VL's published preprocessing, but that a picture whose rounded sides are
    within the limits is left as it is, since the model's own preprocessing rounds in the same way, and that
    extreme proportions, which that refuses, give way to the upper limit.
    """
    rounded = _rounded(width) * _rounded(height)
    if rounded > limits.most:
        shrink = sqrt(width * height / limits.most)
        sides = (floor(side / shrink / FACTOR) * FACTOR for side in (width, height))
    elif rounded < limits.least:
        grow = sqrt(limits.least / (width * height))
        sides = (ceil(side * grow / FACTOR) * FACTOR for side in (width, height))
    else:
        return width, height
    wide, high = (max(FACTOR, side) for side in sides)
    if wide >= high:  # the longer side gives way first
        wide = _capped(wide, high, limits)
        return wide, _capped(high, wide, limits)
    high = _capped(high, wide, limits)
    return _capped(wide, high, limits), high


def _rounded(side: int) -> int:
    return max(1, round(side / FACTOR)) * FACTOR


def _capped(side: int, other: int, limits: PixelLimits) -> int:
    """A side, cut to what the upper limit leaves it beside the other one."""
    return max(FACTOR, min(side, limits.most // other // FACTOR * FACTOR))
