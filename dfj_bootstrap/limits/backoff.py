"""Waits that grow from time to time."""

from __future__ import annotations

_MOST_DOUBLINGS = 16  # so that no float overflows, however often something fails


def growing(first_s: float, time: int, longest_s: float) -> float:
    """``first_s`` at the first time, twice as much at each further one, ``longest_s`` at the most."""
    return min(first_s * 2.0 ** min(time - 1, _MOST_DOUBLINGS), longest_s)
