"""What is lost or damaged in a run folder, found by a look at names, sizes and ends of files.

What can be made again from the journal has its commit taken back, so that its partition is worked on again;
what can't is an error that says so. Nothing that was paid for is touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from dfj_bootstrap.errors import DamagedPart, RunFolderError
from dfj_bootstrap.storage.commits import Commit, commit_paths, read_commit_file, read_commits
from dfj_bootstrap.storage.planned import plan_folder
from dfj_bootstrap.storage.tables import Schema, Slice, part_path

_MAGIC = b"PAR1"
_COPY = "put it back from a copy, or use a new output folder (`dfj regenerate`)"


def check_plan_is_there(run: Path) -> None:
    """A run that has worked has a plan: made anew, it might lay the seeds elsewhere than their answers lie.

    Raises:
        RunFolderError: it is gone.
    """
    begun = any((run / "journal").glob("part-*")) or any((run / "parts").glob("part-*"))
    if begun and not any(
        (folder / "summary.json").exists() for folder in (plan_folder(run), run / "plan.old")
    ):
        raise RunFolderError(f"{plan_folder(run)}: missing or damaged; {_COPY}")


def check_answers(run: Path, answered: float) -> None:
    """Whatever was paid for still has its journal.

    Args:
        answered: calls that the run had answered when it was last finished, by ``run.json``.

    Raises:
        RunFolderError: the journal of a partition is gone, or all of it.
    """
    kept = {path.parent.name for path in (run / "journal").glob("part-*/*") if path.stat().st_size}
    commits = ((f"part-{p:04d}", commit) for p, commit in read_commits(run).items())
    lost = (name for name, commit in commits if name not in kept and commit.tally.get("calls.answered"))
    name = next(lost, None if kept or not answered else "")
    if name is not None:
        raise RunFolderError(
            f"{run / 'journal' / name}: the recorded answers are gone, which were paid for; {_COPY}"
        )


def withdraw_damaged(run: Path, partitions: int, tables: Mapping[str, Schema], *, finished: bool) -> str:
    """Take back the commit of every partition whose record or tables aren't whole.

    Args:
        tables: those that each commit has a part of.
        finished: the run was finished before, so that each partition has a commit.

    Returns:
        What was found, in a sentence; empty where all is well.
    """
    paths, commits = commit_paths(run), read_commits(run)
    found = []
    for partition in range(partitions):
        own = paths.get(partition, [])
        damage = _damage(run, partition, own, commits.get(partition), tables, finished)
        if damage:
            _withdraw(own)
            found.append(damage)
    if not found:
        return ""
    more = f", and {len(found) - 1} more partitions are not whole" if len(found) > 1 else ""
    return f"{found[0]}{more}: made again from the journal"


def withdraw_unreadable(run: Path, tables: Mapping[str, Schema]) -> None:
    """Take back the commit of every partition of which a table can't be read, however whole it looks."""
    paths = commit_paths(run)
    for partition, commit in read_commits(run).items():
        try:
            for table in tables:
                Slice(run, partition, commit.epoch, schemas=tables).rows(table)
        except DamagedPart:
            _withdraw(paths[partition])


def _withdraw(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink()


def _damage(
    run: Path,
    partition: int,
    paths: Sequence[Path],
    commit: Commit | None,
    tables: Iterable[str],
    finished: bool,
) -> str:
    """What is wrong with a partition, by the name of a file; empty where nothing."""
    damaged = next((path for path in paths if read_commit_file(path) is None), None)
    if damaged:
        return f"{damaged} is damaged"
    if commit is None:
        return f"the record of partition {partition} in {run / 'parts'} is missing" if finished else ""
    for table in tables:
        path = part_path(run, table, partition, commit.epoch)
        if not path.exists():
            return f"{path} is missing"
        if not _is_whole(path):
            return f"{path} is damaged"
    return ""


def _is_whole(path: Path) -> bool:
    """Whether a Parquet file has its beginning and its end; a bit in between may still have changed."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size < 12 or file.read(4) != _MAGIC:
            return False
        file.seek(-8, 2)
        footer = int.from_bytes(file.read(4), "little")
        return file.read(4) == _MAGIC and footer <= size - 12
