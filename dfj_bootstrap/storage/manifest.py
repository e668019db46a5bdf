"""``run.json``: what a run is made from, how it stands, and what may not change between two starts."""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import orjson

from dfj_bootstrap import __version__
from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.storage.atomic import write_atomically

FORMAT = 1
"""Of the run folder; a newer one is refused rather than misread."""

FIRST_TASK = "generate"
"""The job of runs that were begun when there was no other."""

_HOLDS: dict[str, type | tuple[type, ...]] = {
    "state": str,
    "config": dict,
    "identity": dict,
    "wall_s": (int, float),
}
"""What every manifest says, and whatever goes on with a run relies on."""

_SPARE = "run.spare"
_SPARE_BYTES = 1 << 16
"""Far more than ``run.json`` takes."""

_PUT_BACK = "put it back from a copy, or use a new output folder"

_VERSIONED = ("ray", "openai", "sentence-transformers", "torch", "pyarrow", "pillow", "genai-prices")


def read_manifest(run: Path) -> dict[str, Any] | None:
    """The run's manifest, ``None`` where the folder holds no run.

    Raises:
        RunFolderError: it can't be read, is damaged, or was written by another program or version.
    """
    path = run / "run.json"
    try:
        manifest = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise RunFolderError(f"{run}: a file, not a run folder") from None
    except orjson.JSONDecodeError:
        raise RunFolderError(f"{path}: damaged; {_PUT_BACK}") from None
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be read: {error.strerror}") from None
    return _checked(path, manifest)


def _checked(path: Path, found: Any) -> dict[str, Any]:
    """What was read, if it is a manifest of ours."""
    if not isinstance(found, dict) or not isinstance(found.get("run_id"), str):
        raise RunFolderError(f"{path}: not written by this program; name another folder, or {_PUT_BACK}")
    if found.get("format") != FORMAT:
        raise RunFolderError(f"{path}: written by another version of this program; use that, or a new folder")
    for name, kind in _HOLDS.items():
        if not isinstance(found.get(name), kind):
            raise RunFolderError(f"{path}: damaged, for it has no good `{name}`; {_PUT_BACK}")
    return found


def task_name(manifest: Mapping[str, Any]) -> str:
    """The name of the job that a run is of."""
    return str(manifest.get("task", FIRST_TASK))


def write_manifest(run: Path, manifest: Mapping[str, Any]) -> None:
    """Replace ``run.json`` in one rename."""
    write_atomically(run / "run.json", orjson.dumps(manifest, option=orjson.OPT_INDENT_2) + b"\n")


@dataclass(frozen=True, slots=True)
class Origin:
    """What a run is made from and by.

    Attributes:
        config: the resolved configuration, without secrets.
        identity: what the paid answers depend on; must be what it was at the first start.
        defaults: the identity where nothing is configured that needn't be.
        task: the job's name; a folder is gone on with by the job that began it.
        ledger: what the job's books are about, for whoever doesn't know it.
    """

    config: Mapping[str, Any]
    identity: Mapping[str, Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    task: str = FIRST_TASK
    ledger: Mapping[str, Any] | None = None


def open_manifest(
    run: Path, origin: Origin, prices: Mapping[str, Any] | None = None, *, preview: bool = False
) -> dict[str, Any]:
    """Start or go on with a run: state ``running``, with the config of this start.

    Args:
        prices: what this start counts costs by, and where that comes from.
        preview: this start only looks; where a later one is made with something else, its folder may go.

    Raises:
        RunFolderError: the folder holds a run that was made with something else; names it.
    """
    manifest = read_manifest(run) or _new()
    _check_origin(run, manifest, origin)
    manifest |= {
        "state": "running",
        "task": origin.task,
        "ledger": origin.ledger,
        "config": origin.config,
        "identity": origin.identity,
        "prices": prices or {},
        "preview": preview and not manifest.get("dataset"),
        "versions": _versions(),
        "started_at": _now(),
        "ended_at": None,
        "why": None,
    }
    write_manifest(run, manifest)
    _keep_room(run)
    return manifest


def _check_origin(run: Path, manifest: Mapping[str, Any], origin: Origin) -> None:
    """Whether the run in the folder, if there is one, may be gone on with."""
    begun_by = task_name(manifest) if "config" in manifest else origin.task
    if begun_by != origin.task:
        raise RunFolderError(f"{run}: holds a run of another kind ({begun_by}); name another output folder")
    changed = difference(manifest.get("identity", origin.identity), origin.identity, origin.defaults)
    if changed:
        raise RunFolderError(
            f"{run}: this run was started with another {changed}; its answers would not fit together. "
            "Undo the change, or regenerate with it in a new output folder (`dfj regenerate`, --output)"
        )


def close_manifest(run: Path, manifest: dict[str, Any], **results: Any) -> None:
    """Record how a start ended; where the disk is full, into the room that was kept for that.

    Raises:
        OSError: not even that could be had.
    """
    ended = manifest | results | {"ended_at": _now()}
    (run / _SPARE).unlink(missing_ok=True)
    try:
        write_manifest(run, ended)
    except OSError:
        write_atomically(run / "run.json", orjson.dumps(ended))  # without white space, a third shorter


def _keep_room(run: Path) -> None:
    """Keep room for the last word, to be given back when it is written."""
    with suppress(OSError), (run / _SPARE).open("wb") as spare:
        os.posix_fallocate(spare.fileno(), 0, _SPARE_BYTES)


def _new() -> dict[str, Any]:
    return {"format": FORMAT, "run_id": secrets.token_hex(8), "created_at": _now(), "wall_s": 0.0}


def difference(
    old: Mapping[str, Any], new: Mapping[str, Any], defaults: Mapping[str, Any], path: str = ""
) -> str:
    """The first field that differs, as ``generator.temperature (0.7, now 0.9)``; empty where none does.

    Args:
        old: of the run, maybe by another version: what only that one knows can't be compared.
        defaults: what a run was made with where ``old`` doesn't know a field; a section that is new is free.
    """
    for key, now in new.items():
        was, usual = old.get(key, defaults.get(key, now)), defaults.get(key, {})
        if isinstance(now, Mapping) and isinstance(was, Mapping):
            inner = difference(was, now, usual, f"{path}{key}.") if key in old else ""
            if inner:
                return inner
        elif was != now:
            return f"{path}{key} ({was}, now {now})"
    return ""


def _versions() -> dict[str, str]:
    found = {"dfj-bootstrap": __version__, "python": platform.python_version()}
    for name in _VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
