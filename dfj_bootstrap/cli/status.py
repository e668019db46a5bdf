"""``dfj status``."""

from __future__ import annotations

import time
from pathlib import Path

import orjson

from dfj_bootstrap.app.status import status_and_ledger
from dfj_bootstrap.cli.report import Report, book_lines
from dfj_bootstrap.cli.terminal import printable, write_lines

_LOOK_EVERY_S = 1.0
"""A watcher on another machine has nothing but the files to look at."""


def status_of(run: Path) -> Report:
    """The state and the books of a run."""
    ledger, status = status_and_ledger(run)
    tally = status.pop("tally")
    del status["dataset"]  # not what scripts were promised; run.json has it
    lines = [f"{run}: {status['state']} ({status['wall_s']} s of work)"]
    if "why" in status:
        lines.append(f"why          {status['why']}")
    lines += book_lines(ledger, status, tally)
    return Report(lines, status)


def watch_status(run: Path, *, as_json: bool) -> None:
    """Print the status at every change until the run is no longer running."""
    last: object = None
    while True:
        report = status_of(run)
        if report.data != last:
            last = report.data
            text = orjson.dumps(report.data).decode() if as_json else "\n".join([*report.lines, ""])
            write_lines(text if as_json else printable(text))
        if report.data["state"] != "running":
            return
        time.sleep(_LOOK_EVERY_S)
