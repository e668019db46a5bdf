"""What a server's headers ask to wait: ``Retry-After``, and ``x-ratelimit-*`` before any 429."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_KINDS = ("requests", "tokens")
_DURATION = re.compile(
    r"(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m(?!s))?(?:(?P<s>\d+(?:\.\d+)?)s)?(?:(?P<ms>\d+(?:\.\d+)?)ms)?"
)
_BARE = re.compile(r"\d+(?:\.\d+)?")
_NOTHING = re.compile(r"0+")
_LONGEST_BARE_S = 86400.0
"""A bare number above this is a moment (epoch seconds or milliseconds), not a duration."""

_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that a server asks to wait, from ``Retry-After`` as seconds or as an HTTP date.

    Args:
        headers: with keys of any case that the mapping understands.
        now: seconds since the epoch.
    """
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except (ValueError, OverflowError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def pause_asked(headers: Mapping[str, str]) -> float:
    """Seconds to send nothing, since no request or no token is left; 0 where some are, or nothing is said.

    Args:
        headers: with keys of any case that the mapping understands.
    """
    return max(_pause(headers, kind) for kind in _KINDS)


def _pause(headers: Mapping[str, str], kind: str) -> float:
    remaining = headers.get(f"x-ratelimit-remaining-{kind}")
    if remaining is None or not _NOTHING.fullmatch(remaining.strip()):
        return 0.0
    return duration(headers.get(f"x-ratelimit-reset-{kind}", "")) or 0.0


def duration(text: str) -> float | None:
    """Seconds in ``1h2m3.5s``, ``20ms``, ``6m0s`` or a bare ``1.5``; ``None`` where it is none of these."""
    text = text.strip()
    if _BARE.fullmatch(text):
        seconds = float(text)
        return seconds if seconds <= _LONGEST_BARE_S else None
    found = _DURATION.fullmatch(text)
    if not found or not any(found.groups()):
        return None
    return sum(float(value) * _SECONDS[unit] for unit, value in found.groupdict().items() if value)
