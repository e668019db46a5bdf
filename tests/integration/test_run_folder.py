"""Folders that aren't runs, and runs whose folder was damaged, as the command line meets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import refusal
from tests.support.model_server import Behaviour, server_process
from tests.support.runs import dfj, model_config, tree_digest, write_config
from tests.support.seeds import write_seed_rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with four seeds and a config for the rules."""
    write_seed_rows(tmp_path, 4)
    write_config(tmp_path)
    return tmp_path


# Folders that aren't runs


def downloaded(folder: Path) -> Path:
    """Somebody's dataset in the published layout."""
    made = folder / "downloads" / "dfj-meta"
    for name in ("README.md", "train/data.jsonl", "train/images/0123456789abcdef.png"):
        (made / "dfj-meta-pointwise" / name).parent.mkdir(parents=True, exist_ok=True)
        (made / "dfj-meta-pointwise" / name).write_text("theirs")
    return made


@pytest.mark.parametrize("command", ["generate", "check"])
@pytest.mark.parametrize("output", [".", "images", "downloads", "downloads/dfj-meta", "seeds.jsonl"])
def test_a_folder_that_holds_something_else_is_refused_and_left_as_it_was(
    folder: Path, command: str, output: str
) -> None:
    downloaded(folder)
    before = tree_digest(folder)
    said = refusal(dfj(command, folder / "config.yaml", "--set", f"output={output}"))
    assert str((folder / output).resolve()) in said
    assert "output folder" in said or "as output" in said
    assert tree_digest(folder) == before


def test_a_folder_of_the_previews_name_that_is_none_is_left_as_it_was(folder: Path) -> None:
    (folder / "run.preview").mkdir()
    (folder / "run.preview" / "mine.txt").write_text("mine")
    before = tree_digest(folder)
    assert "mine.txt" in refusal(dfj("preview", folder / "config.yaml"))
    assert tree_digest(folder) == before
    assert dfj("generate", folder / "config.yaml").returncode == 0
    assert (folder / "run.preview" / "mine.txt").read_text() == "mine"


def test_a_preview_of_another_making_gives_way_to_a_new_one(folder: Path) -> None:
    assert dfj("preview", folder / "config.yaml", "--n", "1").returncode == 0
    with server_process(Behaviour(), folder / "log") as base_url:
        other = write_config(folder, "other.yaml", **model_config(base_url))
        done = dfj("preview", other, "--n", "1")
    assert done.returncode == 0, done.stderr
    (folder / "run.preview" / "mine.txt").write_text("mine")
    said = refusal(dfj("preview", folder / "config.yaml", "--n", "1"))
    assert "mine.txt is not from there" in said
    assert (folder / "run.preview" / "mine.txt").exists()


def test_files_of_others_in_a_run_folder_outlive_every_start(folder: Path) -> None:
    assert dfj("generate", folder / "config.yaml", "--limit", "2").returncode == 0
    run = folder / "run"
    strays = [
        run / name
        for name in ("notes.txt", "plan/notes.txt", "tables/seeds/x.txt", "dfj-meta/LICENCE",
                     "dfj-meta/dfj-meta-pointwise/train/images/cat.png", "parts/x.txt", "journal/x.txt")
    ]  # fmt: skip
    for stray in strays:
        stray.parent.mkdir(parents=True, exist_ok=True)
        stray.write_text("mine")
    done = dfj("generate", folder / "config.yaml")
    assert done.returncode == 0, done.stderr
    assert [stray for stray in strays if not stray.exists()] == []


def test_a_run_folder_behind_a_link_is_taken_and_takes_over_its_preview(folder: Path) -> None:
    (folder / "disk").mkdir()
    (folder / "run").symlink_to("disk")
    assert dfj("preview", folder / "config.yaml", "--n", "1").returncode == 0
    done = dfj("generate", folder / "config.yaml")
    assert done.returncode == 0, done.stderr
    assert not (folder / "run.preview").exists()
    assert (folder / "disk" / "run.json").exists()
