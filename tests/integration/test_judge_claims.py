"""``dfj judge --task claims``: what a rationale and its reference share, from the question to the figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dfj_bootstrap.prompting.matching import MATCH_FIELDS
from tests.integration.test_judge import judged
from tests.support.judged import pictures, plain_pairs, plain_scores, predictions, write_rows
from tests.support.model_server import Behaviour
from tests.support.runs import dfj, refused

GOLD = "The lamp has no cord. The sign is bent. The roof is whole."
TEXT = "The lamp has no cord. The chair floats."
MATCHED = {
    "claims": {"reference": [True, False, False], "candidate": [True, False]},
    "entities": {"reference": [True, False, False], "candidate": [True, False]},
}
"""By the double: sentences, and the lamp, the roof, the sign and the chair."""


def compared(folder: Path, count: int, **more: Any) -> list[dict[str, Any]]:
    names = pictures(folder)
    base = {"gold_rationale": GOLD, "candidate": f"<reasoning>{TEXT}</reasoning> <answer>fake</answer>"}
    return [{"id": f"r{n}", "image": names[n % len(names)], **base, **more} for n in range(count)]


def scored(run: Path) -> dict[str, Any]:
    done = dfj("score", run, "--format", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_both_texts_are_shown_and_no_picture_and_what_was_matched_is_scored(tmp_path: Path) -> None:
    done, requests = judged(tmp_path, write_rows(tmp_path, compared(tmp_path, 6)), "--task", "claims")
    assert done.returncode == 0, done.stderr
    (message,) = requests[0].body["messages"]
    assert [part["type"] for part in message["content"]] == ["text"]
    assert f"<reference>\n{GOLD}\n</reference>" in requests[0].text
    schema = requests[0].body["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == list(MATCH_FIELDS)
    for row in predictions(tmp_path / "run"):
        prediction = row["prediction"]
        assert list(prediction) == ["status", "claims", "entities", "raw", "model"]
        assert {kind: prediction[kind] for kind in MATCHED} == MATCHED
    found = scored(tmp_path / "run")
    assert found["task"] == "rationales"
    assert found["claim_precision"]["value"] == pytest.approx(1 / 2)
    assert found["claim_recall"]["value"] == pytest.approx(1 / 3)
    assert found["claim_f1"]["value"] == pytest.approx(2 / 5)
    assert found["entity_f1"]["value"] == pytest.approx(2 / 5)
    assert found["rouge_l"]["n"] == 6
    calls = [json.loads(line) for line in dfj("calls", tmp_path / "run", "--json").stdout.splitlines()]
    assert sorted(call["prompt"] for call in calls) == sorted(request.text for request in requests)


def test_without_a_schema_the_same_is_read_of_tagged_text(tmp_path: Path) -> None:
    rows = write_rows(tmp_path, compared(tmp_path, 1))
    done, (request,) = judged(tmp_path, rows, "--task", "claims", judge={"json_schema": False})
    assert done.returncode == 0, done.stderr
    assert "response_format" not in request.body
    (row,) = predictions(tmp_path / "run")
    assert row["prediction"]["raw"].startswith("<reference_claims>[{")
    assert {kind: row["prediction"][kind] for kind in MATCHED} == MATCHED


def test_a_server_that_takes_no_schema_is_asked_for_the_same_between_tags(tmp_path: Path) -> None:
    rows = write_rows(tmp_path, compared(tmp_path, 1))
    done, requests = judged(tmp_path, rows, "--task", "claims", behaviour=Behaviour(script={1: "no_schema"}))
    assert done.returncode == 0, done.stderr
    assert requests[-1].text.endswith("<candidate_entities>…</candidate_entities>")
    (row,) = predictions(tmp_path / "run")
    assert {kind: row["prediction"][kind] for kind in MATCHED} == MATCHED


def test_a_prompt_of_ones_own_tells_the_task_and_may_show_the_picture(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text(
        "{ground_truth_label} <image>\n<reference>\n{reference}\n</reference>\n"
        "<candidate>\n{candidate_response}\n</candidate>\n"
    )
    rows = write_rows(tmp_path, compared(tmp_path, 1, label="fake"))
    done, (request,) = judged(tmp_path, rows, judge={"prompt": "own.txt"})
    assert done.returncode == 0, done.stderr
    (message,) = request.body["messages"]
    assert [part["type"] for part in message["content"]] == ["text", "image_url", "text"]
    assert request.text.startswith("fake")
    assert predictions(tmp_path / "run")[0]["prediction"]["status"] == "ok"


def test_what_a_detector_wrote_is_matched_and_kept(tmp_path: Path) -> None:
    base = {"image": pictures(tmp_path)[0], "reference": GOLD}
    row = {"id": "1", **base, "prediction": {"status": "ok", "label": "fake", "rationale": TEXT}}
    done, _ = judged(tmp_path, write_rows(tmp_path, [row]), "--task", "claims")
    assert done.returncode == 0, done.stderr
    (found,) = predictions(tmp_path / "run")
    assert found["prediction"]["rationale"] == TEXT
    assert found["prediction"]["claims"] == MATCHED["claims"]
    figures = scored(tmp_path / "run")
    assert (figures["rouge_l"]["n"], figures["claim_f1"]["n"]) == (1, 1)


def test_what_cannot_be_matched_stays_in_the_denominator(tmp_path: Path) -> None:
    first, *rest = compared(tmp_path, 4)
    rows = [first | {"gold_rationale": None}, *plain_pairs(tmp_path, 1), *rest]
    rows[1]["reference"] = GOLD
    behaviour = Behaviour(script={1: "garbage", 2: "refusal"})
    done, requests = judged(
        tmp_path,
        write_rows(tmp_path, rows),
        "--task",
        "claims",
        behaviour=behaviour,
        limits={"max_in_flight": 1},
    )
    assert done.returncode == 0, done.stderr
    assert len(requests) == 3
    found = [row["prediction"] for row in predictions(tmp_path / "run")]
    assert sorted(each["status"] for each in found) == ["failed", "failed", "ok", "refused", "unparsable"]
    assert all(each["claims"] is None for each in found if each["status"] in ("refused", "unparsable"))
    assert [row["field"] for row in refused(tmp_path / "run")] == ["gold_rationale", ""]
    done = dfj("score", tmp_path / "run", "--task", "rationales", "--format", "json")
    figures = json.loads(done.stdout)
    assert (figures["n"], figures["unusable"]) == (5, 4)
    assert figures["claim_f1"]["value"] == pytest.approx(2 / 5 / 5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--task", "claims", "--both-orders"), "matched both ways already"),
        (("--task", "match"), "--task match: must be pointwise, pairwise or claims"),
        (("--task", "claims", "--set", "judge.prompt=judge/pointwise-v1"), "{reference} is missing"),
    ],
)
def test_mistakes_are_told_before_anything_is_asked(
    tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    done, requests = judged(tmp_path, write_rows(tmp_path, compared(tmp_path, 1)), *options)
    assert done.returncode == 2
    assert said in done.stderr
    assert requests == []


def test_one_example_in_the_terminal_has_no_reference_and_says_so(tmp_path: Path) -> None:
    (row,) = plain_scores(tmp_path, 1)
    image = str(tmp_path / row["image"])
    rows = write_rows(tmp_path, [row])
    example = ("--task", "claims", "--image", image, "--candidate", "x")
    done, requests = judged(tmp_path, rows, *example)
    assert done.returncode == 2
    assert "matched over the rows of a file" in done.stderr
    assert requests == []
