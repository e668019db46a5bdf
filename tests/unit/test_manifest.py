"""``run.json``: what may change between two starts of a run, and what may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.storage.manifest import Origin, close_manifest, open_manifest, read_manifest

IDENTITY = {"generator": {"model": "a", "temperature": 0.9}}


def test_a_second_start_keeps_the_runs_id_and_takes_the_new_config(tmp_path: Path) -> None:
    first = open_manifest(tmp_path, Origin({"engine": "local"}, IDENTITY))
    close_manifest(tmp_path, first, state="interrupted", wall_s=1.5)
    second = open_manifest(tmp_path, Origin({"engine": "ray"}, IDENTITY))
    assert second["run_id"] == first["run_id"]
    assert second["config"] == {"engine": "ray"}
    assert second["state"] == "running"
    assert second["wall_s"] == 1.5


@pytest.mark.parametrize(
    ("identity", "named"),
    [
        ({"generator": {"model": "b", "temperature": 0.9}}, r"generator\.model \(a, now b\)"),
        ({"generator": {"model": "a", "temperature": 0.1}}, r"generator\.temperature \(0\.9, now 0\.1\)"),
        ({"generator": {"model": "a", "temperature": None}}, r"generator\.temperature \(0\.9, now None\)"),
        ({"generator": {"temperature": 0.9, "model": "b"}}, r"generator\.model \(a, now b\)"),
    ],
)
def test_whatever_the_answers_depend_on_is_refused_by_name(
    tmp_path: Path, identity: dict[str, object], named: str
) -> None:
    open_manifest(tmp_path, Origin({}, IDENTITY))
    with pytest.raises(RunFolderError, match=named):
        open_manifest(tmp_path, Origin({}, identity))
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert manifest["identity"] == IDENTITY


@pytest.mark.parametrize(
    "identity",
    [
        IDENTITY | {"judge": {"model": "c", "temperature": 0.0}},
        {"generator": IDENTITY["generator"] | {"top_p": 1.0}},
        {"generator": {"model": "a"}},
        {},
    ],
)
def test_a_role_or_a_field_that_only_one_version_knows_locks_nobody_out(
    tmp_path: Path, identity: dict[str, object]
) -> None:
    defaults = {"generator": {"model": "a", "temperature": 0.9, "top_p": 1.0}, "judge": {"temperature": 0.7}}
    open_manifest(tmp_path, Origin({}, IDENTITY))
    assert open_manifest(tmp_path, Origin({}, identity, defaults))["identity"] == identity


def test_a_field_that_the_runs_version_did_not_know_must_be_at_its_default(tmp_path: Path) -> None:
    open_manifest(tmp_path, Origin({}, IDENTITY))
    set_now = {"generator": IDENTITY["generator"] | {"top_p": 0.5}}
    with pytest.raises(RunFolderError, match=r"generator\.top_p \(1\.0, now 0\.5\)"):
        open_manifest(tmp_path, Origin({}, set_now, {"generator": {"top_p": 1.0}}))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"format": 99}'])
def test_a_manifest_that_cannot_be_read_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(RunFolderError, match=r"run\.json"):
        read_manifest(tmp_path)


def test_a_folder_without_a_run_has_none(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
