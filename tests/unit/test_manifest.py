"""``run.json``: what may change between two starts of a run, and what may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.storage.manifest import close_manifest, open_manifest, read_manifest

IDENTITY = {"generator": {"model": "a", "temperature": 0.9}}


def test_a_second_start_keeps_the_runs_id_and_takes_the_new_config(tmp_path: Path) -> None:
    first = open_manifest(tmp_path, {"engine": "local"}, IDENTITY)
    close_manifest(tmp_path, first, state="interrupted", wall_s=1.5)
    second = open_manifest(tmp_path, {"engine": "ray"}, IDENTITY)
    assert second["run_id"] == first["run_id"]
    assert second["config"] == {"engine": "ray"}
    assert second["state"] == "running"
    assert second["wall_s"] == 1.5


@pytest.mark.parametrize(
    ("identity", "named"),
    [
        ({"generator": {"model": "b", "temperature": 0.9}}, r"generator\.model \(a, now b\)"),
        ({"generator": {"model": "a", "temperature": 0.1}}, r"generator\.temperature \(0\.9, now 0\.1\)"),
        ({"generator": {"model": "a"}}, r"generator\.temperature \(0\.9, now None\)"),
        (IDENTITY | {"writer": {"model": "c"}}, r"writer"),
    ],
)
def test_whatever_the_answers_depend_on_is_refused_by_name(
    tmp_path: Path, identity: dict[str, object], named: str
) -> None:
    open_manifest(tmp_path, {}, IDENTITY)
    with pytest.raises(RunFolderError, match=named):
        open_manifest(tmp_path, {}, identity)
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert manifest["identity"] == IDENTITY


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"format": 99}'])
def test_a_manifest_that_cannot_be_read_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(RunFolderError, match=r"run\.json"):
        read_manifest(tmp_path)


def test_a_folder_without_a_run_has_none(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
