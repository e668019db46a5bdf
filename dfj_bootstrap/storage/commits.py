"""A partition's commit: it says which epoch's tables count, and for what they were made.

Written last, in one rename, under the epoch's own name: a worker that was given up and wakes writes beside a
newer commit, never over it. The newest counts. A partition without a commit, or whose commit doesn't fit
what is asked for now (seeds added, another threshold), is worked on again; the journal answers what was paid.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from dfj_bootstrap.storage.atomic import make_folder, write_atomically

_NAME = re.compile(r"part-(\d{4,})(?:-e\d{4,})?\.json")
"""A commit; the first versions of this program wrote one per partition, without an epoch in its name."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What was done in a partition.

    Attributes:
        epoch: of the journal and of the table parts that belong together.
        basis: digest of the seeds and options that it was made from.
        tally: the books of these seeds; answers and their cost over the run's whole life.
    """

    epoch: int
    basis: str
    tally: Mapping[str, float]


def write_commit(run: Path, partition: int, commit: Commit) -> None:
    """Commit a partition; its commits of older epochs are removed."""
    folder = run / "parts"
    make_folder(folder)
    write_atomically(folder / f"part-{partition:04d}-e{commit.epoch:04d}.json", orjson.dumps(asdict(commit)))
    for path in _paths(run, partition):
        older = read_commit_file(path)
        if older is not None and older.epoch < commit.epoch:
            path.unlink(missing_ok=True)


def read_commit(run: Path, partition: int) -> Commit | None:
    """The newest commit of a partition, if there was one."""
    return _newest(_paths(run, partition))


def read_commits(run: Path) -> dict[int, Commit]:
    """Partition → its newest commit."""
    newest = ((partition, _newest(paths)) for partition, paths in commit_paths(run).items())
    return {partition: commit for partition, commit in newest if commit is not None}


def commit_paths(run: Path) -> dict[int, list[Path]]:
    """Partition → all that lies there as its commit."""
    paths: dict[int, list[Path]] = {}
    for path in sorted((run / "parts").glob("part-*.json")):
        if match := _NAME.fullmatch(path.name):
            paths.setdefault(int(match[1]), []).append(path)
    return paths


def read_commit_file(path: Path) -> Commit | None:
    """A commit; ``None`` where it has gone, or is none: then its partition is worked on again."""
    try:
        found = Commit(**orjson.loads(path.read_bytes()))
    except (FileNotFoundError, TypeError, orjson.JSONDecodeError):
        return None
    tally = isinstance(found.tally, dict) and all(isinstance(n, int | float) for n in found.tally.values())
    return found if tally and isinstance(found.epoch, int) and isinstance(found.basis, str) else None


def _paths(run: Path, partition: int) -> list[Path]:
    stem = f"part-{partition:04d}"
    return [run / "parts" / f"{stem}.json", *(run / "parts").glob(f"{stem}-e*.json")]


def _newest(paths: Iterable[Path]) -> Commit | None:
    return max(filter(None, map(read_commit_file, paths)), key=lambda commit: commit.epoch, default=None)
