"""``dfj show``: one ladder as the tables have it, and nothing in it that is more than text."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from dfj_bootstrap.cli.show import print_ladder, read_ladder
from dfj_bootstrap.dataset.ladder_tables import TABLES
from dfj_bootstrap.domain.rationale import Label, Rationale
from dfj_bootstrap.domain.trajectory import (
    Accepted,
    Brief,
    Candidate,
    Evaluation,
    Failed,
    Ladder,
    Paraphrase,
    Rejected,
    Round,
    Trajectory,
)
from dfj_bootstrap.policy.ordering import partition_of
from dfj_bootstrap.storage.manifest import FORMAT, write_manifest
from dfj_bootstrap.storage.reader import open_run
from tests.support.commands import ESCAPES, refusal
from tests.support.hostile import PIECES
from tests.support.ladders import make_picture, make_seed, write_plan, write_run
from tests.support.runs import ROOT, dfj, write_config
from tests.support.seeds import write_seed_rows

SEED = "seed-00002"
ROLES = ("writer", "generator", "evaluator", "paraphraser")
MANIFEST = {
    "format": FORMAT, "run_id": "x", "state": "stopped", "config": {}, "identity": {}, "wall_s": 0.0,
}  # fmt: skip
_STYLES = re.compile(r"\x1b\[[0-9;]*m")
HOSTILE = st.sampled_from((*PIECES, "\x1b[2J", "[bold]", ":cup:", "\u202e", "a" * 99, " " * 60))
TEXTS = st.text(max_size=30) | st.lists(HOSTILE).map("".join)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run in ``run`` and a preview of another in ``other.preview``; the rules play all roles."""
    folder = tmp_path_factory.mktemp("show")
    write_seed_rows(folder, 6)
    assert dfj("generate", write_config(folder)).returncode == 0
    assert dfj("preview", write_config(folder, "other.yaml", output="other"), "--n", "2").returncode == 0
    return folder


def shown(run: Path, seed_id: str) -> dict[str, Any]:
    done = dfj("show", run, seed_id, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def text_of(ladder: dict[str, Any], width: int = 80, **terminal: Any) -> str:
    console = Console(file=io.StringIO(), width=width, **terminal)
    print_ladder(ladder, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_json_is_what_the_tables_hold_of_the_seed(folder: Path) -> None:
    found, run = shown(folder / "run", SEED), open_run(folder / "run")
    rows = {table: [row for row in run.rows(table) if row["seed_id"] == SEED] for table in TABLES}
    assert list(found) == ["seed", "levels"]
    assert [found["seed"]] == rows["seeds"]
    assert [level["level"] for level in found["levels"]] == [5, 4, 3, 2, 1]
    for row, level in zip(rows["trajectories"], reversed(found["levels"]), strict=True):
        assert len(level["rounds"]) == row["rounds"]
        assert {**level, "rounds": row["rounds"]} == {**row, "paraphrases": level["paraphrases"]}
    for table in ("rounds", "paraphrases"):
        assert [row for level in reversed(found["levels"]) for row in level[table]] == rows[table]
        assert rows[table]


def test_people_see_every_round_and_every_paraphrase(folder: Path) -> None:
    done = dfj("show", folder / "run", SEED)
    assert done.returncode == 0, done.stderr
    assert not ESCAPES.search(done.stdout)
    found = shown(folder / "run", SEED)
    words = " ".join(done.stdout.split())
    heads = re.findall(r"^level (\d)  (\w+)", done.stdout, re.MULTILINE)
    assert heads == [(str(level["level"]), level["outcome"]) for level in found["levels"]]
    for level in found["levels"]:
        for tried in level["paraphrases"]:
            verdict = "kept" if tried["outcome"] == "accepted" else f"refused: {tried['reason']}"
            assert f"similarity {tried['similarity']:.2f} · {verdict}" in words
            assert " ".join(tried["text"].split()) in words
        for round_ in level["rounds"]:
            assert f"round {round_['round']} · {round_['answer']} · rated {round_['rating']}" in words
            assert " ".join(round_["feedback"].split()) in words


def test_a_preview_can_be_looked_into(folder: Path) -> None:
    preview = folder / "other.preview"
    seed_id = next(open_run(preview).rows("seeds"))["seed_id"]
    assert shown(preview, seed_id)["seed"]["seed_id"] == seed_id


def test_levels_that_were_started_over_are_shown_as_they_came_out_last(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 4)
    roles: dict[str, Any] = {role: {"model": "double"} for role in ROLES}
    double = {"backend": "scripted", "latency_s": 0, "off_level": 0.8}
    config = write_config(tmp_path, models={"double": double}, **roles)
    for arguments in ((), ("--retry-rejected",)):
        assert dfj("generate", config, "--set", "refine.max_rounds=1", *arguments).returncode == 0
    run = open_run(tmp_path / "run")
    again = next(row for row in run.rows("trajectories") if row["sample"])
    level = {level["level"]: level for level in shown(run.run, again["seed_id"])["levels"]}[again["level"]]
    assert {round_["sample"] for round_ in level["rounds"]} == {1}
    assert "started over 1 ×" in dfj("show", run.run, again["seed_id"]).stdout


def test_what_is_not_there_is_said_in_a_line(folder: Path, tmp_path: Path) -> None:
    assert "no seed 'seed-99999' in this run" in refusal(dfj("show", folder / "run", "seed-99999"))
    assert "\x1b" not in refusal(dfj("show", folder / "run", "\x1b[31m"))
    assert "no run here" in refusal(dfj("show", tmp_path, SEED))
    write_manifest(tmp_path, MANIFEST)
    assert "no run here (no plan)" in refusal(dfj("show", tmp_path, SEED, "--json"))
    write_plan(tmp_path, {partition_of(SEED, 2): [SEED]}, 2)
    assert f"seed '{SEED}' is planned, but work on" in refusal(dfj("show", tmp_path, SEED))
    write_manifest(tmp_path, MANIFEST | {"task": "judge"})
    assert "a run of `dfj judge`, which has no ladders" in refusal(dfj("show", tmp_path, SEED))


def hostile(folder: Path, seed_id: str, text: str) -> dict[str, Any]:
    """The ladder of a run whose texts are all ``text``, with one of each outcome."""
    seed = replace(make_seed(seed_id, make_picture(folder)), gold=text, source=text)
    said = Rationale(text, Label.FAKE)
    rounds = (
        Round(0, Candidate(said), Evaluation(2, text)),
        Round(1, Candidate(Rationale(f"{text} cup", Label.REAL)), Evaluation(4, text)),
        Round(2, Candidate(said)),
    )
    trajectories = (
        Trajectory(Brief(seed.id, 1), (), Failed(f"server: {text}")),
        Trajectory(Brief(seed.id, 2), (), Rejected("generator_unparsable", text)),
        Trajectory(Brief(seed.id, 3), rounds, Rejected("evaluator_unparsable", text)),
        Trajectory(Brief(seed.id, 4), rounds[:2], Accepted(f"{text} target")),
        Trajectory(Brief(seed.id, 5), (Round(0, Candidate(said)),), Accepted(text)),
    )
    tries = (
        Paraphrase(4, 0, 0, None, None, "paraphraser_unparsable", text),
        Paraphrase(4, 0, 1, said, 0.991, "too_close"),
        Paraphrase(4, 0, 2, said, 0.9, ""),
    )
    run = write_run(folder / "run", [(seed, Ladder(seed.id, trajectories, tries, ""))], 2).run
    write_manifest(run, MANIFEST)
    return read_ladder(run, seed_id)


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_no_text_is_obeyed_or_looks_like_a_line_of_ours(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    seed_id, text = "[bold]x[/bold]\x1b[31m\n", f"{data.draw(TEXTS)}\nlevel 9  accepted"
    width = data.draw(st.integers(1, 120))
    ladder = hostile(tmp_path_factory.mktemp("hostile"), seed_id, text)
    plain = text_of(ladder, width)
    coloured = text_of(ladder, width, force_terminal=True, color_system="standard")
    for output in (plain, _STYLES.sub("", coloured)):
        assert not ESCAPES.search(output)
        assert not re.search(r"^level 9", output, re.MULTILINE)
        assert len(re.findall(r"^level \d", output, re.MULTILINE)) == 5 or width < 20
    if width >= 60:
        assert plain.startswith("seed [bold]x[/bold]\\x1b[31m ")


def test_failures_and_refusals_are_told(tmp_path: Path) -> None:
    said = text_of(hostile(tmp_path, "s", "The red cup."))
    for line in (
        "seed s  failed: server: The red cup.",
        "level 1  failed: server: The red cup.",
        "level 2  rejected: generator_unparsable",
        "  what could not be used",
        "  round 2 · fake · not rated · evaluator_unparsable",
        "      The red cup.{+ cup+}",
        "      The red cup.[- cup-]",
        "  the judge's target",
        "  paraphrase 0 · refused: paraphraser_unparsable",
        "  paraphrase 0, try 1 · fake · similarity 0.99 · refused: too_close",
        "  paraphrase 0, try 2 · fake · similarity 0.90 · kept",
        "  round 0 · fake · not rated · accepted · the gold",
    ):
        assert line in said.splitlines()


def test_on_a_terminal_colours_tell_what_changed(tmp_path: Path) -> None:
    said = text_of(hostile(tmp_path, "s", "A red cup."), force_terminal=True, color_system="standard")
    assert "\x1b[32m cup\x1b[0m" in said
    assert "{+" not in said
    assert "{+ cup+}" in text_of(hostile(tmp_path, "s", "A red cup."), force_terminal=True, no_color=True)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_lines_are_no_wider_than_the_terminal(tmp_path: Path, width: int) -> None:
    said = text_of(hostile(tmp_path, "s", "杯子 has no handle. " * 30), width)
    console = Console(width=width)
    assert max(console.measure(line).maximum for line in said.splitlines()) <= width
    assert not [line for line in said.splitlines() if line != line.rstrip()]


@pytest.mark.slow
def test_the_example_of_the_docs_is_what_the_demo_says(tmp_path: Path) -> None:
    lighter = ("--set", "engine.kind=local", "--set", "similarity.backend=lexical")
    demo = ROOT / "configs" / "demo.yaml"
    assert dfj("generate", demo, *lighter, "--output", tmp_path / "demo").returncode == 0
    page = (ROOT / "docs" / "data-format.md").read_text(encoding="utf-8")
    shown_there = re.compile(r"^\$ dfj show runs/demo (\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
    ((seed_id, example),) = shown_there.findall(page)
    said = " ".join(dfj("show", tmp_path / "demo", seed_id).stdout.split())
    for part in example.split("…\n"):
        assert " ".join(part.split()) in said
