"""Files that ship with the package: prompts, configs, example seeds."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def shipped(kind: str) -> Path:
    """The folder of shipped ``prompts``, ``configs`` or ``examples``: of the wheel or the source tree."""
    packed = _PACKAGE / "_shipped" / kind
    return packed if packed.is_dir() else _PACKAGE.parent / kind
