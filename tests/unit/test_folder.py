"""Which folders a run takes, and what it leaves to their owners."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.storage.folder import check_run_folder, is_empty, retire, throw_away_preview
from dfj_bootstrap.storage.lock import run_lock
from dfj_bootstrap.storage.manifest import Origin, close_manifest, open_manifest
from tests.support.runs import tree_digest


def nothing(run: Path) -> None:
    """It isn't there."""


def empty(run: Path) -> None:
    run.mkdir()


def of_a_file_manager(run: Path) -> None:
    run.mkdir()
    (run / ".DS_Store").write_bytes(b"\0")
    (run / "lost+found").mkdir()


def killed_before_run_json(run: Path) -> None:
    run.mkdir()
    for name in ("run.lock", "run.holder", "run.spare", f".run.json.{'0' * 32}.tmp"):
        (run / name).touch()


def begun(run: Path) -> None:
    run.mkdir()
    open_manifest(run, Origin({}, {}))


def link_to_empty(run: Path) -> None:
    run.with_name("elsewhere").mkdir()
    run.symlink_to("elsewhere")


@pytest.mark.parametrize(
    "make", [nothing, empty, of_a_file_manager, killed_before_run_json, begun, link_to_empty]
)
def test_a_new_an_empty_and_a_folder_of_ours_are_taken(tmp_path: Path, make: Callable[[Path], None]) -> None:
    run = tmp_path / "run"
    make(run)
    check_run_folder(run)
    with run_lock(run):
        manifest = open_manifest(run, Origin({}, {}))
        close_manifest(run, manifest, state="interrupted", wall_s=0.0)
    check_run_folder(run)


def downloaded(run: Path) -> None:
    (run / "dfj-meta-pointwise" / "data").mkdir(parents=True)
    (run / "dfj-meta-pointwise" / "data" / "train-00000-of-00001.parquet").write_bytes(b"theirs")


def above_downloaded(run: Path) -> None:
    downloaded(run / "dfj-meta")


def of_the_seeds(run: Path) -> None:
    run.mkdir()
    (run / "seeds.jsonl").write_text("{}\n")


def with_an_empty_folder(run: Path) -> None:
    (run / "photos").mkdir(parents=True)


def of_hidden_files(run: Path) -> None:
    (run / ".git").mkdir(parents=True)


def with_our_lock_and_more(run: Path) -> None:
    killed_before_run_json(run)
    (run / "notes.txt").write_text("mine")


def of_another_program(run: Path) -> None:
    run.mkdir()
    (run / "run.json").write_bytes(orjson.dumps({"name": "something else", "format": 1}))


def of_a_list(run: Path) -> None:
    run.mkdir()
    (run / "run.json").write_bytes(b"[1, 2]")


def cut_off(run: Path) -> None:
    begun(run)
    (run / "run.json").write_bytes((run / "run.json").read_bytes()[:40])


def without_its_identity(run: Path) -> None:
    begun(run)
    found = orjson.loads((run / "run.json").read_bytes())
    del found["identity"]
    (run / "run.json").write_bytes(orjson.dumps(found))


def without_run_json(run: Path) -> None:
    begun(run)
    (run / "journal" / "part-0000").mkdir(parents=True)
    (run / "plan").mkdir()
    (run / "run.json").unlink()


def with_a_name_of_ours(run: Path) -> None:
    (run / "plan").mkdir(parents=True)
    (run / "todo.txt").touch()


def file(run: Path) -> None:
    run.write_text("mine")


def dangling_link(run: Path) -> None:
    run.symlink_to("nowhere")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (downloaded, "not empty and holds no run .dfj-meta-pointwise."),
        (above_downloaded, "not empty and holds no run .dfj-meta."),
        (of_the_seeds, "seeds.jsonl"),
        (with_an_empty_folder, "photos"),
        (of_hidden_files, ".git"),
        (with_our_lock_and_more, "notes.txt"),
        (of_another_program, "run.json: not written by this program"),
        (of_a_list, "run.json: not written by this program"),
        (cut_off, "run.json: damaged"),
        (without_its_identity, "damaged, for it has no good `identity`"),
        (without_run_json, "run.json is gone"),
        (with_a_name_of_ours, "holds no run .plan, todo.txt."),
        (file, "a file, not a folder"),
        (dangling_link, "a link to nowhere, which isn't there"),
    ],
)
def test_what_holds_anything_else_is_refused_before_anything_is_written(
    tmp_path: Path, make: Callable[[Path], None], said: str
) -> None:
    run = tmp_path / "run"
    make(run)
    before = tree_digest(tmp_path)
    with pytest.raises(RunFolderError, match=said), run_lock(run):
        raise AssertionError("it was taken")
    assert tree_digest(tmp_path) == before


def test_many_files_are_not_all_listed(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}.txt").touch()
    with pytest.raises(RunFolderError, match=re.escape("(0.txt, 1.txt, 2.txt and 7 more)")):
        check_run_folder(tmp_path)


def test_empty_is_what_is_new_or_holds_nothing_of_anybodys(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "empty").mkdir()
    assert is_empty(tmp_path / "new")
    assert is_empty(tmp_path / "empty")
    (tmp_path / "empty" / ".DS_Store").touch()
    assert is_empty(tmp_path / "empty")
    assert not any(is_empty(tmp_path / name) for name in (".", "file", "link"))


# Trees that are replaced


def test_what_others_put_into_a_tree_goes_over_into_the_one_that_replaces_it(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for name in ("data/1.jsonl", "data/notes.txt", "deep/er/photo.png", "7.jsonl/inside.txt"):
        (old / name).parent.mkdir(parents=True, exist_ok=True)
        (old / name).write_text(name)
    (old / "shared").symlink_to(tmp_path)
    (new / "data").mkdir(parents=True)
    (new / "data" / "1.jsonl").write_text("new")
    (new / "7.jsonl").write_text("new")
    retire(old, new, re.compile(r"(data/)?\d\.jsonl"))
    assert not old.exists()
    kept = {p.relative_to(tmp_path).as_posix(): p.read_text() for p in tmp_path.rglob("*") if p.is_file()}
    assert kept == {
        "new/7.jsonl": "new",
        "new/data/1.jsonl": "new",
        "new/data/notes.txt": "data/notes.txt",
        "new/deep/er/photo.png": "deep/er/photo.png",
        "new.kept/7.jsonl/inside.txt": "7.jsonl/inside.txt",
    }
    assert (new / "shared").is_symlink()


def test_a_tree_that_is_a_link_costs_only_the_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "1.jsonl").write_text("there")
    (tmp_path / "old").symlink_to("disk")
    retire(tmp_path / "old", tmp_path / "new", re.compile(r"\d\.jsonl"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk"]
    assert (tmp_path / "disk" / "1.jsonl").exists()


# Previews


def preview(folder: Path, *, preview: bool = True) -> None:
    folder.mkdir()
    manifest = open_manifest(folder, Origin({}, {}), preview=preview)
    close_manifest(folder, manifest, state="interrupted", wall_s=0.0)
    for name in (
        "journal/part-0001/epoch-000001.jsonl",
        "plan/summary.json",
        "tables/seeds/part-0001-e0001.parquet",
        "logs/vllm-m-0.log",
        "logs/swift-m.log",
        "swift/m/chunk-000001/rows.jsonl",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_preview_is_thrown_away_whole(tmp_path: Path) -> None:
    preview(tmp_path / "run.preview")
    throw_away_preview(tmp_path / "run.preview")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("stray", ["notes.txt", "dfj-meta/dfj-meta-pointwise/README.md", "plan/mine.txt"])
def test_a_preview_with_something_else_in_it_stays(tmp_path: Path, stray: str) -> None:
    folder = tmp_path / "run.preview"
    preview(folder)
    (folder / stray).parent.mkdir(parents=True, exist_ok=True)
    (folder / stray).touch()
    before = tree_digest(folder)
    with pytest.raises(RunFolderError, match=re.escape(stray)):
        throw_away_preview(folder)
    assert tree_digest(folder) == before


def test_a_run_that_only_has_the_name_of_a_preview_stays(tmp_path: Path) -> None:
    preview(tmp_path / "run.preview", preview=False)
    before = tree_digest(tmp_path)
    with pytest.raises(RunFolderError, match="holds another run"):
        throw_away_preview(tmp_path / "run.preview")
    assert tree_digest(tmp_path) == before
