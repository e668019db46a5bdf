"""``dfj verify``."""

from __future__ import annotations

import os
from pathlib import Path

from dfj_bootstrap.cli.report import Report
from dfj_bootstrap.dataset.checksums import CHANGED, EXTRA, MISSING, differences, read_checksums
from dfj_bootstrap.errors import RunFolderError

_SHOWN = 100
"""Files that are listed for people; the rest is counted. ``--json`` has all."""

_FIX = (
    "remove what is changed, then run `dfj generate` with the run's config: it writes the dataset again; "
    "what is extra was put there by somebody"
)


def verify_run(run: Path) -> Report:
    """Read every file of the dataset and compare it with its checksum; exit code 1 where one differs.

    Raises:
        RunFolderError: there is no dataset, or no whole list of checksums.
    """
    if not (run / "dfj-meta").is_dir() and not (run / "checksums.jsonl").exists():
        raise RunFolderError(f"{run}: no dataset here; give the output folder of `dfj generate`")
    found: dict[str, list[str]] = {CHANGED: [], MISSING: [], EXTRA: []}
    for what, path in differences(run, thorough=True):
        found[what].append(os.fsencode(path).decode("utf-8", "backslashreplace"))
    files = size = 0
    for entry in read_checksums(run):
        files, size = files + 1, size + entry.size
    return Report(
        _lines(run, found, files, size), {"files": files, "bytes": size, **found}, int(any(found.values()))
    )


def _lines(run: Path, found: dict[str, list[str]], files: int, size: int) -> list[str]:
    named = [
        f"{what:<8} {run}/dfj-meta/{_in_a_line(path)}" for what, paths in found.items() for path in paths
    ]
    if not named:
        return [f"{run}/dfj-meta is as it was written: {files} files, {size:,} bytes"]
    more = [f"… and {len(named) - _SHOWN} more"] if len(named) > _SHOWN else []
    counts = ", ".join(f"{len(paths)} {what}" for what, paths in found.items() if paths)
    return [*named[:_SHOWN], *more, f"{run}/dfj-meta: {counts}, of {files} files", _FIX]


def _in_a_line(path: str) -> str:
    """A path that can't pass for a line of its own."""
    return path.replace("\n", "\\n")
