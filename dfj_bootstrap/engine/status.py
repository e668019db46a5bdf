"""How a run stands, read from its folder by anyone, while it runs or long after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from dfj_bootstrap.endpoints.journalled import count_journalled, spent_usd
from dfj_bootstrap.engine.tally import Tally, books
from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.storage.atomic import write_atomically
from dfj_bootstrap.storage.journal import read_journal
from dfj_bootstrap.storage.lock import is_held
from dfj_bootstrap.storage.manifest import read_manifest


def write_progress(run: Path, books: Mapping[str, Any], tally: Mapping[str, float], wall_s: float) -> None:
    """Leave the books, and the seconds of work so far, where ``read_status`` finds them."""
    progress = {"books": books, "tally": tally, "wall_s": wall_s}
    write_atomically(run / "progress.json", orjson.dumps(progress))


def worked_s(run: Path, manifest: Mapping[str, Any]) -> float:
    """Seconds of work over the run's whole life; a killed start could not write them into ``run.json``."""
    return max(float(manifest["wall_s"]), float(_progress(run)["wall_s"]))


def read_status(run: Path) -> dict[str, Any]:
    """The state and the books of a run, in the form that ``dfj status --json`` prints.

    Raises:
        RunFolderError: the folder holds no run.
    """
    manifest = read_manifest(run)
    if manifest is None:
        raise RunFolderError(f"{run}: no run here (no run.json); give the output folder of `dfj generate`")
    running = is_held(run)
    state = "stopped" if manifest["state"] == "running" and not running else manifest["state"]
    figures = manifest if state == "complete" else _progress(run)
    why = {"why": manifest["why"]} if manifest.get("why") else {}
    status = {"state": state, **why, **figures["books"], "wall_s": worked_s(run, manifest)}
    if not running and state != "complete":
        status |= _spent(run, status["calls"])
    return status | {"tally": figures["tally"], "dataset": manifest.get("dataset", {})}


def _progress(run: Path) -> dict[str, Any]:
    try:
        progress: dict[str, Any] = orjson.loads((run / "progress.json").read_bytes())
    except FileNotFoundError:
        return {"books": books(Counter(), 0, 0), "tally": {}, "wall_s": 0.0}
    return progress


def journalled_usd(run: Path, partitions: Iterable[int]) -> float:
    """What some partitions have cost over the whole life of a run, or may have, by their journals."""
    folders = (run / "journal" / f"part-{partition:04d}" for partition in partitions)
    return sum(spent_usd(record) for folder in folders for record in read_journal(folder))


def _spent(run: Path, calls: Mapping[str, int]) -> dict[str, Any]:
    """What the journals hold: a killed process could not say what it had been answered last."""
    tally: Tally = Counter()

    def count(name: str, amount: float) -> None:
        tally.update({name: amount})

    for folder in sorted((run / "journal").glob("part-*")):
        for record in read_journal(folder):
            count_journalled(record, count)
    spent = books(tally, 0, 0)
    return {
        "calls": {**calls, "answered": spent["calls"]["answered"]},
        "tokens": spent["tokens"],
        "cost_usd": spent["cost_usd"],
        "maybe_usd": spent["maybe_usd"],
        "estimated": spent["estimated"],
        "costs": spent["costs"],
        "refusals": spent["refusals"],
    }
