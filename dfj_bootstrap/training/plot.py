"""The loss over the steps as an SVG: one line as it was logged, one smoothed. Pure.

A writer of our own: a plotting library would be 40 MB for two lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import floor, log10

_WIDTH, _HEIGHT = 640, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 32, 40
_TICKS = 5
_SMOOTH = 0.9
_MOST_POINTS = 600

Point = tuple[float, float]


def loss_plot(points: Sequence[Point], title: str) -> str:
    """Draw (step, loss) points, at least one."""
    thin = points[:: -(-len(points) // _MOST_POINTS)]
    (low_x, high_x), (low_y, high_y) = _range([x for x, _ in thin]), _range([y for _, y in thin])

    def place(point: Point) -> str:
        x = _LEFT + (point[0] - low_x) / (high_x - low_x) * (_WIDTH - _LEFT - _RIGHT)
        y = _HEIGHT - _BOTTOM - (point[1] - low_y) / (high_y - low_y) * (_HEIGHT - _TOP - _BOTTOM)
        return f"{x:.1f},{y:.1f}"

    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif">',
        f"<title>{escape(title)}</title><desc>Training loss by step, logged and smoothed.</desc>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="20" font-size="13">{escape(title)}</text>',
        *(_tick(place((low_x, y)), f"{y:.4g}", "end", -6, 4) for y in _ticks(low_y, high_y)),
        *(_tick(place((x, low_y)), f"{x:.10g}", "middle", 0, 16) for x in _ticks(low_x, high_x)),
        _line(" ".join(map(place, thin)), "#9bb8d8", 1),
        _line(" ".join(map(place, _smoothed(thin))), "#1f5fa8", 2),
        f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 6}" font-size="11" text-anchor="end">step</text></svg>',
    ]
    return "\n".join(body) + "\n"


def _smoothed(points: Sequence[Point]) -> list[Point]:
    """A running mean that forgets, begun without a bias towards zero."""
    total = weight = 0.0
    smooth = []
    for x, y in points:
        total, weight = total * _SMOOTH + y, weight * _SMOOTH + 1
        smooth.append((x, total / weight))
    return smooth


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _ticks(low: float, high: float) -> list[float]:
    """Round values within a range."""
    raw = (high - low) / _TICKS
    power = 10.0 ** floor(log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    first = -int(-low // step)
    return [n * step for n in range(first, int(high // step) + 1)]


def _tick(place: str, text: str, anchor: str, dx: int, dy: int) -> str:
    x, y = map(float, place.split(","))
    return f'<text x="{x + dx:.1f}" y="{y + dy:.1f}" font-size="11" text-anchor="{anchor}">{text}</text>'


def _line(points: str, colour: str, width: int) -> str:
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
