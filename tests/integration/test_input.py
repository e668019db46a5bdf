"""Input as people have it, through the command: what is refused, what may be added, what old runs find."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dfj_bootstrap.storage.commits import Commit, read_commits
from tests.support.commands import refusal
from tests.support.model_server import Behaviour, read_log, server_process
from tests.support.runs import Paid, dfj, model_config, refused, status, tree_digest, write_config
from tests.support.seeds import seed_row, write_picture, write_rows, write_seed_rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with twelve seeds and a config for the rules."""
    write_seed_rows(tmp_path, 12)
    write_config(tmp_path)
    return tmp_path


def commits(run: Path) -> dict[int, Commit]:
    """The commits of a run, by partition."""
    return read_commits(run)


def test_a_check_of_rows_that_are_all_bad_points_at_nothing_that_is_gone(folder: Path) -> None:
    write_rows(folder / "seeds.jsonl", [seed_row(n, label="x") for n in range(3)])
    said = refusal(dfj("check", folder / "config.yaml"))
    assert "no good row: all 3 refused; the first: " in said
    assert "refused.jsonl" not in said
    said = refusal(dfj("generate", folder / "config.yaml"))
    assert f"(see {folder / 'run' / 'refused.jsonl'})" in said
    assert len(refused(folder / "run")) == 3


@pytest.mark.parametrize("output", ["s3://bucket/run", "$HOME/run"])
@pytest.mark.parametrize("way", ["config", "--set", "--output"])
def test_what_is_no_folder_name_is_refused_before_anything_is_made(
    folder: Path, output: str, way: str
) -> None:
    before = tree_digest(folder)
    if way == "config":
        before |= tree_digest(write_config(folder, "other.yaml", output=output).parent)
        more: list[str] = []
    else:
        more = ["--set", f"output='{output}'"] if way == "--set" else ["--output", output]
    config = folder / ("other.yaml" if way == "config" else "config.yaml")
    said = refusal(dfj("generate", config, *more, cwd=folder))
    assert ("`--output`: " if way == "--output" else "`output`: ") in said
    assert tree_digest(folder) == before


def test_a_row_in_front_is_worked_on_alone_and_the_dataset_is_that_of_a_fresh_run(folder: Path) -> None:
    config = folder / "config.yaml"
    assert dfj("generate", config).returncode == 0
    before = commits(folder / "run")
    rows = [seed_row(n) for n in range(12)]
    write_picture(folder / "images" / "00012.png", 12)
    write_rows(folder / "seeds.jsonl", [seed_row(12), *reversed(rows)])
    assert dfj("generate", config).returncode == 0
    after = commits(folder / "run")
    assert sum(after[name] != before[name] for name in before) == 1
    assert dfj("generate", config, "--output", folder / "fresh").returncode == 0
    assert tree_digest(folder / "run" / "dfj-meta") == tree_digest(folder / "fresh" / "dfj-meta")


def test_a_picture_under_two_labels_is_in_no_dataset(folder: Path) -> None:
    rows = [seed_row(n) for n in range(4)]
    twin = rows[1] | {"id": "twin", "label": "real", "annotations": [], "image": "./images/00001.png"}
    write_rows(folder / "seeds.jsonl", [*rows, twin])
    done = dfj("generate", folder / "config.yaml")
    assert done.returncode == 0, done.stderr
    assert "3 read" in done.stdout
    assert "2 rows refused" in done.stdout
    found = {(row["line"], row["id"], row["why"].split(" has")[0]) for row in refused(folder / "run")}
    assert found == {(5, "twin", "line 2"), (2, "seed-00001", "line 5")}
    assert status(folder / "run")["seeds"]["total"] == 3


def test_a_run_of_a_version_that_knew_less_goes_on_without_a_call(folder: Path) -> None:
    log = folder / "log"
    with server_process(Behaviour(), log) as base_url:
        config = write_config(folder, **model_config(base_url))
        assert dfj("generate", config).returncode == 0
        dataset, paid = tree_digest(folder / "run" / "dfj-meta"), Paid.of(read_log(log)).answers
        manifest = json.loads((folder / "run" / "run.json").read_text())
        del manifest["identity"]["writer"], manifest["identity"]["generator"]["rng_seed"]
        (folder / "run" / "run.json").write_text(json.dumps(manifest))
        for path in (folder / "run" / "parts").iterdir():
            path.write_text(json.dumps(json.loads(path.read_text()) | {"basis": "of other rules"}))
        again = dfj("generate", config)
        assert again.returncode == 0, again.stderr
        assert Paid.of(read_log(log)).answers == paid
        assert tree_digest(folder / "run" / "dfj-meta") == dataset
        assert status(folder / "run")["calls"]["replayed"] == paid
        said = refusal(dfj("generate", config, "--set", "generator.rng_seed=3"))
    assert "another generator.rng_seed (None, now 3)" in said
