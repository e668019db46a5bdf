"""How a run stands, read from its folder by anyone, while it runs or long after."""

from __future__ import annotations

import asyncio
import logging
import time
from asyncio import Future
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from shutil import disk_usage
from typing import Any

import orjson

from dfj_bootstrap.storage.atomic import write_atomically
from dfj_bootstrap.storage.journal import read_sums
from dfj_bootstrap.storage.ledger import Books, Ledger, Tally
from dfj_bootstrap.storage.lock import is_held
from dfj_bootstrap.storage.reader import RunReader, open_run
from dfj_bootstrap.storage.spent import SCALE, paid_figures

_LOG = logging.getLogger(__name__)

_FULL_BYTES = 1 << 20
"""A disk with less room than that is called full."""


class Snapshot:
    """Leaves the books on the disk now and then, for ``dfj status`` from another process.

    It is for onlookers: a disk that can't take it is told once, and stops the run where the journal meets it.
    """

    _EVERY_S = 2.0

    def __init__(self, run: Path, books: Books, started: float) -> None:
        """``started``: of the monotonic clock, as if all work so far had been done since then."""
        self._run = run
        self._books = books
        self._started = started
        self._last = float("-inf")
        self._writing: Future[None] | None = None
        self._failed = False

    def changed(self) -> None:
        """The books have changed; they are written if it is time, by a thread."""
        due = time.monotonic() - self._last >= self._EVERY_S
        if due and (self._writing is None or self._writing.done()):
            loop = asyncio.get_running_loop()
            self._writing = loop.run_in_executor(None, self._write, self._taken())

    def write(self) -> None:
        """Write the books as they are now; not for an event loop's thread."""
        self._write(self._taken())

    def _taken(self) -> bytes:
        self._last = time.monotonic()
        wall_s = round(self._last - self._started, 1)
        progress = {"books": self._books.figures(), "tally": self._books.tally, "wall_s": wall_s}
        return orjson.dumps(progress)

    def _write(self, progress: bytes) -> None:
        try:
            write_atomically(self._run / "progress.json", progress)
        except OSError as error:
            if not self._failed:
                _LOG.warning("%s: cannot write the progress: %s", error.filename, error.strerror)
            self._failed = True


def worked_s(run: Path, manifest: Mapping[str, Any]) -> float:
    """Seconds of work over the run's whole life; a killed start could not write them into ``run.json``."""
    left = _left(run).get("wall_s")
    return max(float(manifest["wall_s"]), float(left) if isinstance(left, int | float) else 0.0)


def read_status(run: Path, ledger: Ledger) -> dict[str, Any]:
    """The state and the books of a run, in the form that ``dfj status --json`` prints.

    Args:
        ledger: of the run's job.

    Raises:
        RunFolderError: the folder holds no run.
    """
    reader = open_run(run)
    manifest = reader.manifest
    running = is_held(run)
    state = "stopped" if manifest["state"] == "running" and not running else manifest["state"]
    figures = (_figures(manifest, ledger) if state == "complete" else None) or _progress(run, ledger)
    why = _why(run, state, manifest)
    status = {"state": state, **why, **figures["books"], "wall_s": worked_s(run, manifest)}
    if not running and state != "complete":
        status |= _spent(reader, status["calls"])
    return status | {"tally": figures["tally"], "dataset": manifest.get("dataset") or {}}


def _why(run: Path, state: str, manifest: Mapping[str, Any]) -> dict[str, str]:
    """Why the last start ended, as far as that is known."""
    if state != "stopped":
        return {"why": manifest["why"]} if manifest.get("why") else {}
    free = disk_usage(run).free
    full = f"; the disk is full: {free} bytes are free" if free < _FULL_BYTES else ""
    return {"why": f"the process ended without a word, as by kill -9 or with its machine{full}"}


def _left(run: Path) -> dict[str, Any]:
    """What was left on the disk last; nothing where nothing was, or it is damaged."""
    try:
        left = orjson.loads((run / "progress.json").read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}
    return left if isinstance(left, dict) else {}


def _progress(run: Path, ledger: Ledger) -> dict[str, Any]:
    """The books as they were left last; empty ones where there are none or they are damaged."""
    empty = {"books": ledger.figures({}, 0, 0), "tally": {}, "wall_s": 0.0}
    return _figures(_left(run), ledger) or empty


def _figures(found: Mapping[str, Any], ledger: Ledger) -> dict[str, Any] | None:
    """What was written down as books, tally and seconds; ``None`` where it isn't that."""
    if not isinstance(found.get("wall_s"), int | float):
        return None
    said, tally, wanted = found.get("books"), found.get("tally"), ledger.figures({}, 0, 0)
    if not isinstance(said, dict) or not isinstance(tally, dict):
        return None
    whole = wanted | said  # another version's books may lack a figure
    same = all(type(whole[name]) is type(value) for name, value in wanted.items())
    return {"books": whole, "tally": tally, "wall_s": found["wall_s"]} if same else None


def journalled(run: Path, partitions: Iterable[int]) -> Tally:
    """What the answers of some partitions add up to over the whole life of a run, by their journals."""
    tally: Tally = Counter()
    for partition in partitions:
        tally.update(read_sums(run / "journal" / f"part-{partition:04d}", SCALE))
    return tally


def _spent(reader: RunReader, calls: Mapping[str, int]) -> dict[str, Any]:
    """What the journals hold: a killed process could not say what it had been answered last."""
    spent = paid_figures(reader.sums(SCALE))
    return spent | {"calls": {**calls, "answered": spent["calls"]["answered"]}}
