"""The same figures as text, Markdown, LaTeX and JSON; names from outside stay in their cells."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfj_bootstrap.scoring.facts import Task
from dfj_bootstrap.scoring.humans import read_humans
from dfj_bootstrap.scoring.published import PUBLISHED
from dfj_bootstrap.scoring.report import Block, Scoring, blocks, names_of, notes
from dfj_bootstrap.scoring.systems import System, score_raters
from dfj_bootstrap.scoring.tables import Format, rendered
from tests.support.predictions import pairwise, pointwise, scored, sources

ROWS = [pointwise("1", 1, 2), pointwise("2", 3, 3), pointwise("3", 5, None)]


def lines(scoring: Scoring, form: Format) -> list[str]:
    return rendered(blocks(scoring), notes(scoring), form)


def of(system: System, **values: Any) -> System:
    return System(**{name: getattr(system, name) for name in System.__dataclass_fields__} | values)


def test_every_figure_stands_in_every_format() -> None:
    scoring = Scoring(Task.POINTWISE, [scored(ROWS)])
    told = json.dumps(scoring.as_json())
    for name in ("rmse", "pearson", "within_1", "kappa_quadratic", "bias_by_level", "baselines"):
        assert f'"{name}"' in told
    for form in (Format.TABLE, Format.MARKDOWN, Format.LATEX):
        text = "\n".join(lines(scoring, form)).replace("\\_", "_")
        assert all(name in text for name in scoring.systems[0].figures)
        assert "0.333" in text  # exact


def test_n_and_unusable_stand_above_and_a_smaller_n_beside_its_figure() -> None:
    table = lines(Scoring(Task.POINTWISE, [scored(ROWS)]), Format.TABLE)
    cells = {line.split()[0]: line.split()[1:] for line in table[2:] if line}
    assert cells["n"] == ["3"]
    assert cells["unusable"] == ["1"]
    assert cells["rmse"][-1] == "n=2"
    assert "n=" not in " ".join(cells["exact"])


def test_what_is_missing_is_a_dash_and_a_note() -> None:
    scoring = Scoring(Task.PAIRWISE, [scored([pairwise("1", (5, 1), "A")])])
    table = lines(scoring, Format.TABLE)
    assert any(line.split() == ["consistency", "–"] for line in table)
    assert any("--both-orders" in line and "(consistency)" in line for line in table)


def test_published_figures_stand_beside_ours_with_their_source() -> None:
    scoring = Scoring(Task.POINTWISE, [scored(ROWS)], published=PUBLISHED[Task.POINTWISE])
    table = "\n".join(lines(scoring, Format.MARKDOWN))
    assert [row[0] for row in blocks(scoring)[1].rows[:3]] == [
        "judge",
        "DFJ-7B (published)",
        "DFJ-3B (published)",
    ]
    assert "| DFJ-7B (published) | 0.610 | 0.930 | 0.500 | 0.950 | – |" in table
    assert "DeepfakeJudge (CVPR 2026)" in table
    found = scoring.as_json()["published"][0]
    assert found["human"] == {"rmse": 0.5, "pearson": 0.95}


def test_people_have_a_column_of_their_own() -> None:
    humans = read_humans(
        sources([{"id": "1", "ratings": [1, 2]}, {"id": "2", "ratings": [3, 3]}]), Task.POINTWISE
    )
    scoring = Scoring(Task.POINTWISE, [scored(ROWS, humans=humans)], score_raters(humans, Task.POINTWISE, []))
    block = blocks(scoring)[0]
    assert block.heading == ["", "judge", "people"]
    (row,) = [row for row in block.rows if row[0] == "raters.mse"]
    assert row[1] == "–"
    assert row[2].startswith("0.500")
    assert scoring.as_json()["raters"]["mse"]["value"] == 0.5


def test_systems_of_one_model_are_told_apart_by_their_files() -> None:
    system = scored(ROWS)
    files = [of(system, file="runs/base/predictions.jsonl"), of(system, file="b.jsonl"), of(system, model="")]
    assert names_of(files) == ["judge (runs/base/predictions)", "judge (b)", "p"]


TEXT = st.text(st.sampled_from("a|\\&%$#_{}~^*`<>[]\n\r\t –é"), max_size=8)


@settings(max_examples=50)
@given(names=st.lists(TEXT, min_size=2, max_size=2), cell=TEXT)
def test_no_name_breaks_out_of_its_cell(names: list[str], cell: str) -> None:
    block = Block(names, [["x", cell]])
    _, ruler, row, _ = rendered([block], [], Format.MARKDOWN)
    assert ruler == "| --- | --- |"
    assert row.replace("\\\\", "").replace("\\|", "").count("|") == 3
    body = rendered([Block(names, [[cell, "x"]])], [], Format.LATEX)[4]
    assert body.replace("\\&", "").count("&") == 1
    assert not body.startswith(("[", "*"))
    bare = body.replace("\\{", "").replace("\\}", "")
    assert bare.count("{") == bare.count("}")
    assert len(rendered([block], [], Format.TABLE)) == 4


def test_a_name_is_no_link() -> None:
    _, _, row, _ = rendered([Block(["", ""], [["[a](http://b)", "0.1 [0.0, 0.2]"]])], [], Format.MARKDOWN)
    assert row == r"| [a]\(http://b) | 0.1 [0.0, 0.2] |"


def test_a_note_stays_one_line() -> None:
    assert rendered([], ["a\nb"], Format.LATEX) == ["% a b"]


@pytest.mark.parametrize("task", Task)
def test_published_figures_are_named_as_ours_are(task: Task) -> None:
    known = {
        Task.POINTWISE: {"rmse", "pearson", "human.rmse", "human.pearson", "raters.mse"},
        Task.PAIRWISE: {
            "accuracy", "consistency", "longer_wins", "human.raw_agreement", "human.decisive.raw_agreement",
            "raters.raw_agreement", "raters.kappa", "raters.decisive.raw_agreement",
        },
        Task.DETECTION: {"real_f1", "fake_f1", "accuracy"},
        Task.RATIONALES: {"bleu3", "bertscore", "judge_mean"},
    }  # fmt: skip
    assert {name for each in PUBLISHED[task] for name in each.figures} == known[task]
