"""Digests of what something is made from: where one changes, it is made again."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import orjson

from dfj_bootstrap.engine.task import AnyTask


def basis_of(task: AnyTask, identity: Mapping[str, Any]) -> str:
    """Digest of all that decides what becomes of an item: models, prompts, thresholds, but not the engine."""
    return digest_of([identity, *task.decides])


def digest_of(value: Any) -> str:
    """Of a JSON value."""
    return blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
