"""What a model is called in what is published: a path tells of somebody's machine."""

from __future__ import annotations

import re

_PATH = re.compile(r"[/\\~.]|[A-Za-z]:[/\\]|[A-Za-z][A-Za-z0-9+.-]*:/|.*\\")
"""How paths and file addresses begin, as opposed to ``org/model`` of a hub."""


def public_name(model: str) -> str:
    """The last part of a path or address; any other name as it is."""
    if not _PATH.match(model):
        return model
    parts = [part for part in re.split(r"[/\\]+", model) if part not in ("", ".", "..", "~")]
    return parts[-1] if parts else "a local model"
