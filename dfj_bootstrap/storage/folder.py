"""Which folders a run may take, and what in them is not ours.

Invariants:

- A folder that holds anything is taken only if it holds a run of this program; until that is known, nothing
  is written there, not even a lock.
- Whatever replaces an older tree of ours takes over the files that somebody else put into it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.storage.manifest import read_manifest

_NOBODYS = {".DS_Store", ".directory", "Thumbs.db", "desktop.ini", "lost+found"}
"""What file systems and file managers leave in a folder that is empty to its owner."""

_HALF_MADE = re.compile(r"run\.(lock|holder|spare)|\.run\.json\.[0-9a-f]{32}\.tmp")
"""What a start leaves that was killed before ``run.json`` stood."""

_OF_A_RUN = {"journal", "plan"}

_OF_A_PREVIEW = re.compile(
    r"run\.(json|lock|holder|spare)|refused\.jsonl|progress\.json|logs/(vllm|swift)-.*|swift/.*"
    r"|(journal|parts|tables|plan(\.new|\.old)?)/.*(part-|epoch-|summary|refused|notes).*"
    r"|(.*/)?\.[^/]+\.tmp"
)
"""What a run writes that assembles nothing."""

_SHOWN = 3


def check_run_folder(run: Path) -> None:
    """Whether a run may be kept in a folder: it isn't there, is empty, or holds a run. Writes nothing.

    Raises:
        RunFolderError: it holds something else, is no folder, or its run can't be read; says what to do.
    """
    names = _names(run)
    if "run.json" in names:
        read_manifest(run)
        return
    theirs = [name for name in names if name not in _NOBODYS and not _HALF_MADE.fullmatch(name)]
    if _OF_A_RUN.issubset(theirs):
        raise RunFolderError(
            f"{run}: run.json is gone, which says what this run was made from; put it back from a copy, "
            "or use a new output folder"
        )
    if theirs:
        raise RunFolderError(
            f"{run}: this folder is not empty and holds no run ({_listed(theirs)}); nothing was written "
            "there: name a new or an empty folder as output"
        )


def is_empty(folder: Path) -> bool:
    """Whether a folder is new or holds nothing of anybody's; ``False`` for what is there and is no folder."""
    try:
        return _NOBODYS.issuperset(entry.name for entry in folder.iterdir())
    except NotADirectoryError:
        return not folder.exists()  # below a file: whoever makes it is told
    except FileNotFoundError:
        return not folder.is_symlink()


def throw_away_preview(folder: Path) -> None:
    """Remove the folder of a preview, if that is all it holds.

    Raises:
        RunFolderError: it holds another run, or files that no preview writes; nothing was removed.
    """
    manifest = read_manifest(folder)
    if manifest is None or not manifest.get("preview"):
        raise RunFolderError(
            f"{folder}: the folder of the preview holds another run, made with something else; "
            "move it away or remove it"
        )
    theirs = (name for name in files_below(folder) if not _OF_A_PREVIEW.fullmatch(name))
    if (name := next(theirs, None)) is not None:
        raise RunFolderError(
            f"{folder}: made by a preview with something else, but {name} is not from there; "
            "move that away, then preview again"
        )
    shutil.rmtree(folder)


def _names(run: Path) -> list[str]:
    """What a folder holds, sorted; nothing where it isn't there yet."""
    try:
        return sorted(entry.name for entry in run.iterdir())
    except FileNotFoundError:
        if run.is_symlink():
            raise RunFolderError(f"{run}: a link to {run.readlink()}, which isn't there; make it") from None
    except NotADirectoryError:
        if run.exists():
            raise RunFolderError(f"{run}: a file, not a folder; name another output folder") from None
    except (OSError, ValueError) as error:
        raise RunFolderError(
            f"{run}: cannot read the run folder: {getattr(error, 'strerror', error)}"
        ) from None
    return []


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def files_below(folder: Path) -> Iterator[str]:
    """Every file below a folder, and every link, by its path from there; folder by folder, sorted."""
    for parent, folders, files in os.walk(folder):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        folders[:] = sorted(set(folders).difference(links))
        for name in sorted([*files, *links]):
            yield Path(parent, name).relative_to(folder).as_posix()


def empty_folders_below(folder: Path) -> Iterator[str]:
    """Every folder below a folder that holds nothing, by its path from there; links aren't followed."""
    for parent, folders, files in os.walk(folder):
        if not folders and not files and Path(parent) != folder:
            yield Path(parent).relative_to(folder).as_posix()


def retire(old: Path, new: Path, ours: re.Pattern[str]) -> None:
    """Remove a tree that ``new`` has replaced; files in it that aren't ours go over into ``new``.

    Args:
        ours: matches the paths from the tree's root that this program writes.
    """
    if old.is_symlink():
        old.unlink()  # what it leads to was put there by somebody
        return
    for name in files_below(old):
        if not ours.fullmatch(name):
            _take_over(old / name, new / name, new.with_name(f"{new.name}.kept") / name)
    shutil.rmtree(old, ignore_errors=True)


def _take_over(source: Path, target: Path, otherwise: Path) -> None:
    """Move a file to its place in the new tree, or to another one where a file of ours is in its way."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        target = otherwise
        target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
