"""Folders that aren't runs, and runs whose folder was damaged, as the command line meets them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dfj_bootstrap.cli.calls import Wanted, show_calls
from dfj_bootstrap.cli.status import status_of
from dfj_bootstrap.cli.verify import verify_run
from dfj_bootstrap.errors import RunFolderError
from tests.support.commands import refusal
from tests.support.model_server import Behaviour, read_log, server_process
from tests.support.runs import dfj, model_config, status, tree_digest, write_config
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


# Damaged runs


@dataclass(frozen=True)
class Finished:
    """A finished run, and how it looked."""

    config: Path
    run: Path
    dataset: dict[str, str]

    def generate(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return dfj("generate", self.config, "--output", self.run, *arguments)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("made")
    write_seed_rows(folder, 8)
    config = write_config(folder, dataset={"test_fraction": 0.5})
    done = dfj("generate", config)
    assert done.returncode == 0, done.stderr
    return Finished(config, folder / "run", tree_digest(folder / "run" / "dfj-meta"))


@pytest.fixture
def finished(made: Finished, tmp_path: Path) -> Finished:
    """A copy of the finished run, to be damaged."""
    shutil.copytree(made.run, tmp_path / "run")
    return replace(made, run=tmp_path / "run")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path, place: float = 0.5) -> None:
    """Change one bit."""
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 4
    path.write_bytes(data)


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def alien(path: Path) -> None:
    path.write_bytes(b'{"name": "of another program"}')


def alien_list(path: Path) -> None:
    path.write_bytes(b"[1, 2]")


def alien_parquet(path: Path) -> None:
    pq.write_table(pa.table({"x": [1, 2]}), path)


Damage = Callable[[Path], None]

_MADE_AGAIN: list[tuple[str, Damage]] = [
    ("dfj-meta", remove),
    ("dfj-meta/dfj-meta-pointwise/train/data.jsonl", remove),
    ("dfj-meta/dfj-meta-pointwise/test/data.jsonl", cut),
    ("dfj-meta/dfj-meta-pairwise/data/train-*.parquet", cut),
    ("dfj-meta/dfj-meta-pairwise/train/images/*", remove),
    ("checksums.jsonl", remove),
    ("checksums.jsonl", cut),
    ("checksums.jsonl", alien),
    ("tables", remove),
    ("tables/rounds", remove),
    ("tables/rounds/*.parquet", cut),
    ("tables/paraphrases/*.parquet", alien),
    ("parts", remove),
    ("parts/*.json", remove),
    ("parts/*.json", cut),
    ("parts/*.json", alien),
    ("parts/*.json", alien_list),
]


@pytest.mark.parametrize(("name", "damage"), _MADE_AGAIN, ids=lambda v: getattr(v, "__name__", v))
def test_what_the_journal_can_make_again_is_made_again_and_said(
    finished: Finished, name: str, damage: Damage
) -> None:
    damage(next(finished.run.glob(name)))
    done = finished.generate()
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "nothing to do" not in done.stdout
    assert re.search(r"made again from the journal|the dataset is written again", done.stderr)
    assert tree_digest(finished.run / "dfj-meta") == finished.dataset
    assert not any(verify_run(finished.run).data[what] for what in ("changed", "missing", "extra"))


def test_a_run_that_was_mended_has_nothing_to_do(finished: Finished) -> None:
    for name in ("parts", "tables", "dfj-meta", "checksums.jsonl", "progress.json"):
        remove(finished.run / name)
    assert finished.generate().returncode == 0
    again = finished.generate()
    assert "complete already: nothing to do" in again.stdout
    assert again.stderr == "planning: reading seeds\n"


@pytest.mark.parametrize("damage", [remove, cut, alien, alien_list])
@pytest.mark.parametrize("name", ["progress.json", "refused.jsonl"])
def test_what_is_only_for_looking_at_costs_nothing(finished: Finished, name: str, damage: Damage) -> None:
    (finished.run / "refused.jsonl").write_text("{}\n")
    damage(finished.run / name)
    assert status(finished.run)["seeds"]["complete"] > 0
    done = finished.generate()
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("dfj: ") == 0
    assert (finished.run / "refused.jsonl").read_bytes() == (
        finished.run / "plan" / "refused.jsonl"
    ).read_bytes()


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("run.json", remove),
        ("run.json", cut),
        ("run.json", alien),
        ("run.json", alien_list),
        ("plan", remove),
        ("plan/summary.json", remove),
        ("plan/summary.json", cut),
        ("plan/summary.json", alien),
        ("plan/part-0003.jsonl", remove),
        ("plan/part-*.jsonl", flip),
        ("plan/part-*.jsonl", alien_list),
        ("plan/refused.jsonl", remove),
    ],
    ids=lambda v: getattr(v, "__name__", v),
)
def test_what_nothing_can_make_again_is_named_with_what_to_do(
    finished: Finished, name: str, damage: Damage
) -> None:
    damage(max(finished.run.glob(name), key=lambda path: path.stat().st_size))
    said = refusal(finished.generate())
    assert str(finished.run) in said
    assert "put it back from a copy, or use a new output folder" in said
    assert tree_digest(finished.run / "dfj-meta") == finished.dataset


@pytest.mark.parametrize("damage", [remove, cut, alien, alien_list])
@pytest.mark.parametrize(
    "name", ["run.json", "progress.json", "plan", "plan/summary.json", "parts", "tables", "journal"]
)
def test_looking_at_a_damaged_run_gives_what_it_can_or_one_sentence(
    finished: Finished, name: str, damage: Damage
) -> None:
    target = finished.run / name
    if target.is_dir() and damage is not remove:
        target = next(path for path in sorted(target.rglob("*")) if path.is_file())
    damage(target)
    for look in (status_of, lambda run: show_calls(run, Wanted(), as_json=False), verify_run):
        with suppress(RunFolderError):
            look(finished.run)


@pytest.mark.parametrize("table", ["seeds", "rounds", "trajectories", "paraphrases"])
def test_a_table_that_turns_out_to_be_damaged_is_made_again(finished: Finished, table: str) -> None:
    remove(finished.run / "dfj-meta")
    largest = max((finished.run / "tables" / table).iterdir(), key=lambda path: path.stat().st_size)
    flip(largest, 0.2)
    flip(largest, 0.4)
    other = next(path for path in (finished.run / "tables" / table).iterdir() if path != largest)
    alien_parquet(other)
    done = finished.generate()
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr
    assert tree_digest(finished.run / "dfj-meta") == finished.dataset


# Verify


def test_verify_says_that_all_is_as_it_was_written(finished: Finished) -> None:
    done = dfj("verify", finished.run)
    assert done.returncode == 0, done.stdout
    assert f"is as it was written: {len(finished.dataset)} files" in done.stdout
    told = json.loads(dfj("verify", finished.run, "--json").stdout)
    size = sum(path.stat().st_size for path in (finished.run / "dfj-meta").rglob("*") if path.is_file())
    assert told == {"files": len(finished.dataset), "bytes": size, "changed": [], "missing": [], "extra": []}


@pytest.mark.parametrize(
    ("name", "damage", "what"),
    [
        ("dfj-meta-pointwise/data/train-*.parquet", flip, "changed"),
        ("dfj-meta-pairwise/test/images/*", flip, "changed"),
        ("dfj-meta-pointwise/README.md", flip, "changed"),
        ("dfj-meta-pairwise/train/data.jsonl", cut, "changed"),
        ("dfj-meta-pairwise/train/data.jsonl", remove, "missing"),
    ],
)
def test_verify_names_what_is_changed_or_missing_and_how_it_comes_back(
    finished: Finished, name: str, damage: Damage, what: str
) -> None:
    path = next((finished.run / "dfj-meta").glob(name))
    damage(path)
    done = dfj("verify", finished.run)
    assert done.returncode == 1, done.stderr
    assert f"{what:<8} {path}" in done.stdout
    told = json.loads(dfj("verify", finished.run, "--json").stdout)
    assert told[what] == [path.relative_to(finished.run / "dfj-meta").as_posix()]
    path.unlink(missing_ok=True)
    assert finished.generate().returncode == 0
    assert dfj("verify", finished.run).returncode == 0


def test_verify_names_what_is_extra_and_a_start_leaves_it_there(finished: Finished) -> None:
    (finished.run / "dfj-meta" / "notes.txt").write_text("mine")
    (finished.run / "dfj-meta" / "shared").symlink_to("/")
    told = json.loads(dfj("verify", finished.run, "--json").stdout)
    assert told["extra"] == ["notes.txt", "shared"]
    assert "nothing to do" in finished.generate().stdout
    (finished.run / "checksums.jsonl").unlink()
    assert finished.generate().returncode == 0
    assert (finished.run / "dfj-meta" / "notes.txt").read_text() == "mine"
    assert dfj("verify", finished.run).returncode == 1


def test_verify_without_a_dataset_or_its_checksums_says_what_to_do(
    finished: Finished, tmp_path: Path
) -> None:
    assert "no dataset here" in refusal(dfj("verify", tmp_path))
    (finished.run / "checksums.jsonl").unlink()
    assert "`dfj generate` writes the dataset again" in refusal(dfj("verify", finished.run))


def test_a_card_that_was_edited_by_hand_is_kept(finished: Finished) -> None:
    card = finished.run / "dfj-meta" / "dfj-meta-pointwise" / "README.md"
    card.write_text("Edited by hand.")
    done = finished.generate()
    assert done.returncode == 0, done.stderr
    assert "was edited" in done.stderr
    (kept,) = (finished.run / "dfj-meta.kept" / "dfj-meta-pointwise").iterdir()
    assert kept.read_text() == "Edited by hand."
    assert dfj("verify", finished.run).returncode == 0


# With answers that were paid for


def test_a_paid_run_is_mended_without_a_call_and_refuses_to_pay_again(folder: Path) -> None:
    log = folder / "log"
    with server_process(Behaviour(), log) as base_url:
        config = write_config(folder, **model_config(base_url))
        assert dfj("generate", config).returncode == 0
        run, paid = folder / "run", len(read_log(log))
        before = tree_digest(run / "dfj-meta")
        for name in ("parts", "tables", "dfj-meta", "checksums.jsonl", "progress.json"):
            remove(run / name)
        done = dfj("generate", config)
        assert done.returncode == 0, done.stderr
        assert tree_digest(run / "dfj-meta") == before
        remove(run / "journal")
        for name in ("", "dfj-meta", "tables", "parts", "progress.json"):
            if name:
                remove(run / name)
            said = refusal(dfj("generate", config))
            assert "the recorded answers are gone" in said
        assert len(read_log(log)) == paid
