"""``dfj init``."""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson

from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.resources import shipped
from dfj_bootstrap.storage.folder import is_empty

_SEEDS = 6
"""Example seeds that a new folder gets: enough to see every label."""

_CONFIG = """\
seeds: seeds.jsonl          # one JSON object per line; see the example rows
output: runs/first
generator: {model: rules}   # embedded rules, free; add `models:` to use a real one
evaluator: {model: rules}
engine: {kind: local}
"""


def write_starter(directory: Path) -> list[str]:
    """Write a config and a few example seeds with their pictures.

    Raises:
        RunFolderError: the folder has something in it.
    """
    if not is_empty(directory):
        raise RunFolderError(f"{directory}: not an empty folder; name a new one")
    examples = shipped("examples")
    rows = [orjson.loads(line) for line in (examples / "seeds.jsonl").read_bytes().splitlines()]
    chosen = _some_of_each_label(rows)
    (directory / "images").mkdir(parents=True)
    for row in chosen:
        shutil.copy(examples / row["image"], directory / "images")
    (directory / "seeds.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in chosen))
    (directory / "config.yaml").write_text(_CONFIG, encoding="utf-8")
    return [
        f"{directory}/config.yaml and {len(chosen)} example seeds are ready. Next:",
        f"  dfj check {directory}/config.yaml",
        f"  dfj generate {directory}/config.yaml",
    ]


def _some_of_each_label(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    by_label: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_label.setdefault(row["label"], []).append(row)
    each = _SEEDS // len(by_label)
    return [row for label in sorted(by_label) for row in by_label[label][:each]]
