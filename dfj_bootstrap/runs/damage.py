"""What is lost or damaged in a run folder, found by a look at names, sizes and ends of files.

What can be made again from the journal has its commit taken back, so that its partition is worked on again;
what can't is an error that says so. Nothing that was paid for is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dfj_bootstrap.errors import DamagedPart, RunFolderError
from dfj_bootstrap.runs.commits import PartRecord, part_record_paths, read_part_records, read_record
from dfj_bootstrap.runs.planned import plan_folder
from dfj_bootstrap.runs.table_rows import TABLES
from dfj_bootstrap.runs.tables import Slice, part_path

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
    records = ((f"part-{p:04d}", record) for p, record in read_part_records(run).items())
    lost = (name for name, record in records if name not in kept and record.tally.get("calls.answered"))
    name = next(lost, None if kept or not answered else "")
    if name is not None:
        raise RunFolderError(
            f"{run / 'journal' / name}: the recorded answers are gone, which were paid for; {_COPY}"
        )


def withdraw_damaged(run: Path, partitions: int, *, finished: bool) -> str:
    """Take back the commit of every partition whose record or tables aren't whole.

    Args:
        finished: the run was finished before, so that each partition has a commit.

    Returns:
        What was found, in a sentence; empty where all is well.
    """
    paths, records = part_record_paths(run), read_part_records(run)
    found = []
    for partition in range(partitions):
        own = paths.get(partition, [])
        damage = _damage(run, partition, own, records.get(partition), finished)
        if damage:
            _withdraw(own)
            found.append(damage)
    if not found:
        return ""
    more = f", and {len(found) - 1} more partitions are not whole" if len(found) > 1 else ""
    return f"{found[0]}{more}: made again from the journal"


def withdraw_unreadable(run: Path) -> None:
    """Take back the commit of every partition of which a table can't be read, however whole it looks."""
    paths = part_record_paths(run)
    for partition, record in read_part_records(run).items():
        try:
            for table in TABLES:
                Slice(run, partition, record.epoch).rows(table)
        except DamagedPart:
            _withdraw(paths[partition])


def _withdraw(records: Sequence[Path]) -> None:
    for path in records:
        path.unlink()


def _damage(
    run: Path, partition: int, paths: Sequence[Path], record: PartRecord | None, finished: bool
) -> str:
    """What is wrong with a partition, by the name of a file; empty where nothing."""
    damaged = next((path for path in paths if read_record(path) is None), None)
    if damaged:
        return f"{damaged} is damaged"
    if record is None:
        return f"the record of partition {partition} in {run / 'parts'} is missing" if finished else ""
    for table in TABLES:
        path = part_path(run, table, partition, record.epoch)
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
