"""``dfj judge``: rows in, the same rows out with what a judge said of each, whatever happens on the way."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.judged import (
    plain_pairs,
    plain_scores,
    predictions,
    text,
    write_judge_config,
    write_rows,
)
from tests.support.model_server import Behaviour, ModelServer, Request, read_log, server_process
from tests.support.processes import when_lines
from tests.support.runs import ENVIRONMENT, ROOT, Paid, dfj, kill, refused, start_dfj, status

LOCAL: dict[str, Any] = {"kind": "local"}
RAY: dict[str, Any] = {"kind": "ray", "workers": 2, "address": "local"}
ENGINES = [pytest.param(LOCAL, id="local"), pytest.param(RAY, id="ray", marks=pytest.mark.slow)]
POINTWISE = "Judge it: {ground_truth_label}\n<image>\nRationale to judge:\n{candidate_response}"


def judged(
    folder: Path, rows: Path, *options: str, behaviour: Any = None, **config: Any
) -> tuple[subprocess.CompletedProcess[str], list[Request]]:
    """Run the command against a server of its own; also what the server was asked."""

    async def run() -> tuple[subprocess.CompletedProcess[str], list[Request]]:
        async with ModelServer(behaviour) as server:
            path = write_judge_config(folder, server.base_url, **config)
            arguments: tuple[str | Path, ...] = (
                "judge",
                path,
                "--input",
                rows,
                "--output",
                folder / "run",
                *options,
            )
            return await asyncio.to_thread(dfj, *arguments), server.requests

    return asyncio.run(run())


def test_each_row_comes_back_as_it_was_in_its_place(tmp_path: Path) -> None:
    rows = plain_scores(tmp_path, 12)
    rows[3] |= {"note": "ä \u202e 図", "number": 1.50, "nested": {"b": [1, {"a": None}]}}
    path = write_rows(tmp_path, rows)
    done, _ = judged(tmp_path, path)
    assert done.returncode == 0, done.stderr
    found = (tmp_path / "run" / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line.split(', "prediction": ')[0] + "}" for line in found] == lines
    for row in predictions(tmp_path / "run"):
        prediction = row["prediction"]
        assert (prediction["status"], prediction["model"]) == ("ok", "double")
        assert prediction["score"] == row["level"] or row["level"] == 5
        assert f"<score>{prediction['score']}</score>" in prediction["raw"]
        assert prediction["reasoning"] in prediction["raw"]
    assert status(tmp_path / "run")["rows"] == {
        "total": 12, "ok": 12, "unparsable": 0, "declined": 0, "failed": 0, "pending": 0, "refused": 0,
    }  # fmt: skip


def test_a_published_row_is_the_question_itself_and_no_form_is_forced_on_a_trained_judge(
    tmp_path: Path,
) -> None:
    (row,) = plain_scores(tmp_path, 1)
    turn = f"Look first.<image>Any {{braces}} stay {{A_or_B}}. {text(2, 0)} <|not_touched|>"
    turns = [{"role": "user", "content": turn}, {"role": "assistant", "content": "<score>2</score>"}]
    rows = [{"messages": turns, "images": [row["image"]], "level": 2}]
    done, (request,) = judged(tmp_path, write_rows(tmp_path, rows))
    assert done.returncode == 0, done.stderr
    (message,) = request.body["messages"]
    assert [part["type"] for part in message["content"]] == ["text", "image_url", "text"]
    before, _, after = message["content"]
    assert before["text"] + "<image>" + after["text"] == turn
    assert "response_format" not in request.body
    assert (request.body["temperature"], request.body["max_tokens"]) == (0, 2048)
    assert request.headers["X-DFJ-Role"] == "judge"
    assert "<score>2</score>" not in request.text
    assert predictions(tmp_path / "run")[0]["prediction"]["score"] == 2


def test_plain_rows_are_asked_as_the_dataset_words_it(tmp_path: Path) -> None:
    from dfj_bootstrap.dataset.records import judge_prompts, user_turn

    (row,) = plain_scores(tmp_path, 1)
    done, (request,) = judged(tmp_path, write_rows(tmp_path, [row]))
    assert done.returncode == 0, done.stderr
    values = {"ground_truth_label": row["label"], "candidate_response": row["candidate"]}
    assert f"<image>{request.text}" == user_turn(judge_prompts().pointwise, values)


def test_prompts_of_others_are_used_as_they_are(tmp_path: Path) -> None:
    prompt = tmp_path / "released.txt"
    prompt.write_text(
        'The video shows {ground_truth_label}. Reply {"score": "{A_or_B}"} or <answer>{A_or_B}</answer>.\n'
        "A: {response_a}\nB: {response_b}\n"
    )
    rows = plain_pairs(tmp_path, 1)
    done, (request,) = judged(tmp_path, write_rows(tmp_path, rows), judge={"prompt": "released.txt"})
    assert done.returncode == 0, done.stderr
    assert request.text == (
        'The video shows real. Reply {"score": "{A_or_B}"} or <answer>{A_or_B}</answer>.\n'
        f"A: {rows[0]['response_a']}\nB: {rows[0]['response_b']}"
    )


def test_the_config_may_ask_for_a_schema(tmp_path: Path) -> None:
    done, (request,) = judged(
        tmp_path, write_rows(tmp_path, plain_scores(tmp_path, 1)), judge={"json_schema": True}
    )
    assert done.returncode == 0, done.stderr
    schema = request.body["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == ["reasoning", "score"]
    assert predictions(tmp_path / "run")[0]["prediction"]["status"] == "ok"


def test_an_answer_that_cannot_be_read_is_asked_for_again_where_the_config_says_so(tmp_path: Path) -> None:
    (row,) = plain_scores(tmp_path, 1)
    turns = [{"role": "user", "content": f"Judge: {text(3, 0)}<image>"}]
    rows = write_rows(tmp_path, [{"messages": turns, "images": [row["image"]]}])
    behaviour = Behaviour(script={1: "garbage"})
    done, (_, again) = judged(tmp_path, rows, behaviour=behaviour, judge={"tries": 2})
    assert done.returncode == 0, done.stderr
    assert [part["type"] for part in again.body["messages"][0]["content"]] == ["text", "image_url", "text"]
    assert "This is try 2 of 2." in again.text
    assert predictions(tmp_path / "run")[0]["prediction"]["score"] == 3


def test_both_orders_tell_whether_the_judge_is_consistent(tmp_path: Path) -> None:
    rows = plain_pairs(tmp_path, 10)
    done, requests = judged(tmp_path, write_rows(tmp_path, rows), "--both-orders")
    assert done.returncode == 0, done.stderr
    assert len(requests) == 20
    for row in predictions(tmp_path / "run"):
        prediction = row["prediction"]
        assert prediction["answer"] == ("A" if row["level_a"] > row["level_b"] else "B")
        assert prediction["answer_swapped"] == ("B" if row["level_a"] > row["level_b"] else "A")
        assert prediction["consistent"] is True


def test_both_orders_of_published_rows_swap_the_texts_alone(tmp_path: Path) -> None:
    from dfj_bootstrap.dataset.records import judge_prompts, user_turn

    (row,) = plain_pairs(tmp_path, 1)
    turn, swapped = (
        user_turn(judge_prompts().pairwise, {"ground_truth_label": "real", "response_a": a, "response_b": b})
        for a, b in ((row["response_a"], row["response_b"]), (row["response_b"], row["response_a"]))
    )
    turns = [{"role": "user", "content": turn}, {"role": "assistant", "content": "<answer>B</answer>"}]
    published = {"id": "1", "messages": turns, "images": [row["image"]]}
    done, requests = judged(tmp_path, write_rows(tmp_path, [published]), "--both-orders")
    assert done.returncode == 0, done.stderr
    assert [f"<image>{request.text}" for request in requests] == [turn, swapped]


def test_a_pointwise_judge_chooses_by_its_scores(tmp_path: Path) -> None:
    rows = plain_pairs(tmp_path, 5)
    rows[0] |= {"response_a": text(3, 1), "response_b": text(3, 2), "level_a": 3, "level_b": 3}
    done, _ = judged(tmp_path, write_rows(tmp_path, rows), "--task", "pointwise")
    assert done.returncode == 0, done.stderr
    for row in predictions(tmp_path / "run"):
        prediction, a, b = row["prediction"], row["level_a"], row["level_b"]
        assert prediction["answer"] == ("tie" if a == b else "A" if a > b else "B")
        assert (prediction["score_a"] > prediction["score_b"]) == (a > b)


def test_ties_are_taken_where_the_config_says_so(tmp_path: Path) -> None:
    rows = plain_pairs(tmp_path, 2)
    rows[0] |= {"response_a": text(3, 1), "response_b": text(3, 2)}
    done, (request, *_) = judged(tmp_path, write_rows(tmp_path, rows), judge={"ties": True})
    assert done.returncode == 0, done.stderr
    assert "<answer>both_bad</answer>" in request.text
    assert [row["prediction"]["answer"] for row in predictions(tmp_path / "run")] == ["tie", "B"]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_goes_wrong_is_told_apart_and_guessed_at_by_nobody(
    tmp_path: Path, engine: dict[str, Any]
) -> None:
    rates = {"500": 0.1, "429": 0.1, "garbage": 0.2, "refusal": 0.1, "cut_off": 0.1}
    rows = plain_scores(tmp_path, 60)
    done, requests = judged(
        tmp_path, write_rows(tmp_path, rows), behaviour=Behaviour(rates=rates), engine=engine
    )
    assert done.returncode == 0, done.stderr
    asked = {request.headers["X-DFJ-Seed"]: request.kind for request in requests}
    meant = {"answer": "ok", "garbage": "unparsable", "cut_off": "unparsable", "refusal": "refused"}
    found = predictions(tmp_path / "run")
    assert [row["prediction"]["status"] for row in found] == [meant[asked[row["id"]]] for row in rows]
    assert {row["prediction"]["status"] for row in found} == {"ok", "unparsable", "refused"}
    for row in found:
        prediction = row["prediction"]
        assert (prediction["score"] is not None) == (prediction["status"] == "ok")
        assert ("why" in prediction) == (prediction["status"] != "ok")
    paid = [request for request in requests if request.kind in meant]
    assert len(paid) == len(rows)  # nobody is asked again for what would only come again
    books = status(tmp_path / "run")["rows"]
    assert books["declined"] == sum(kind == "refusal" for kind in asked.values()) > 0


def test_rows_that_failed_are_asked_again_by_the_next_start_and_they_alone(tmp_path: Path) -> None:
    path, log = write_rows(tmp_path, plain_scores(tmp_path, 12)), tmp_path / "log"
    with server_process(Behaviour(script={3: "400", 7: "400"}), log) as base_url:
        config = write_judge_config(tmp_path, base_url)
        arguments = ("judge", config, "--input", path, "--output", tmp_path / "run")
        first = dfj(*arguments)
        assert first.returncode == 3, first.stderr
        failed = [row["prediction"] for row in predictions(tmp_path / "run")]
        assert sorted(row["status"] for row in failed) == ["failed"] * 2 + ["ok"] * 10
        assert all("400" in row["why"] for row in failed if row["status"] == "failed")
        second = dfj(*arguments)
        assert second.returncode == 0, second.stderr
        third = dfj(*arguments, "--json")
    assert len(read_log(log)) == 14
    assert {row["prediction"]["status"] for row in predictions(tmp_path / "run")} == {"ok"}
    assert json.loads(third.stdout)["rows"]["ok"] == 12
    assert "already" in dfj(*arguments).stdout


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("pairs", "kills"), [(120, (30, 100)), pytest.param(2000, (300, 1500, 3000), marks=pytest.mark.slow)]
)
def test_it_is_killed_and_comes_to_the_same_bytes_without_asking_twice(
    tmp_path: Path, engine: dict[str, Any], pairs: int, kills: tuple[int, ...]
) -> None:
    rows, log, in_flight = write_rows(tmp_path, plain_pairs(tmp_path, pairs)), tmp_path / "log", 8
    with server_process(Behaviour(latency_s=0.02), log) as base_url:
        config = write_judge_config(tmp_path, base_url, engine=engine)
        arguments = ("judge", config, "--input", rows, "--both-orders", "--output")
        for count in kills:
            process = start_dfj(*arguments, tmp_path / "run")
            when_lines(log, count, process)
            kill(process)
        done = dfj(*arguments, tmp_path / "run")
        paid = Paid.of(read_log(log))
        assert done.returncode == 0, done.stderr
        assert paid.answers - paid.repeated == 2 * pairs
        assert paid.repeated <= len(kills) * in_flight
        assert status(tmp_path / "run")["calls"]["answered"] == 2 * pairs
        straight = dfj(*arguments, tmp_path / "straight")
    assert straight.returncode == 0, straight.stderr
    found, meant = ((tmp_path / run / "predictions.jsonl").read_bytes() for run in ("run", "straight"))
    assert found == meant


def test_a_limit_gives_the_first_rows_and_the_next_start_the_rest(tmp_path: Path) -> None:
    path = write_rows(tmp_path, plain_scores(tmp_path, 10))
    done, _ = judged(tmp_path, path, "--limit", "4")
    assert done.returncode == 0, done.stderr
    assert [row["id"] for row in predictions(tmp_path / "run")] == [f"row-{n}" for n in range(4)]
    assert status(tmp_path / "run")["state"] == "interrupted"
    done, requests = judged(tmp_path, path)
    assert len(requests) == 6
    assert len(predictions(tmp_path / "run")) == 10


def test_every_row_of_the_input_has_a_line_and_what_cannot_be_asked_about_is_failed(tmp_path: Path) -> None:
    good, *bad = plain_scores(tmp_path, 10)
    bad[0]["image"] = "images/none.png"
    bad[1]["image"] = "../../etc/passwd"
    bad[2]["id"] = good["id"]
    bad[3]["label"] = "painted"
    bad[4]["candidate"] = " \u200b "
    bad[5]["candidate"] = None
    bad[6] |= {"messages": [{"role": "system", "content": "x"}], "images": [good["image"]]}
    bad[7]["images"] = [good["image"], good["image"]]
    bad[8] = {"id": "big", "image": good["image"], "label": "real", "candidate": "x", "n": 10**30}
    path = write_rows(tmp_path, [good, *bad])
    with path.open("a") as file:
        file.write('\n["no", "object"]\n{"cut": ')
    done, requests = judged(tmp_path, path)
    assert done.returncode == 0, done.stderr
    assert len(requests) == 1
    found = predictions(tmp_path / "run")
    assert [row["prediction"]["status"] for row in found] == ["ok", *["failed"] * 9]
    assert all("the row was refused: " in row["prediction"]["why"] for row in found[1:])
    assert [{k: v for k, v in row.items() if k != "prediction"} for row in found] == [good, *bad]
    fields = [row["field"] for row in refused(tmp_path / "run")]
    assert fields == ["image", "image", "id", "label", "candidate", "", "messages", "images", "n", "", ""]
    assert {row["file"] for row in refused(tmp_path / "run")} == {str(path)}


def test_a_row_of_the_other_task_is_refused_in_so_many_words(tmp_path: Path) -> None:
    rows = [*plain_pairs(tmp_path, 2), *plain_scores(tmp_path, 1)]
    done, _ = judged(tmp_path, write_rows(tmp_path, rows))
    assert done.returncode == 0, done.stderr
    assert [row["prediction"]["status"] for row in predictions(tmp_path / "run")] == ["ok", "ok", "failed"]
    assert "--task pairwise" in refused(tmp_path / "run")[0]["why"]


@pytest.mark.parametrize(
    ("options", "config", "said"),
    [
        (("--task", "both"), {}, "--task both: must be pointwise, pairwise or claims"),
        (("--both-orders", "--task", "pointwise"), {}, "has no order"),
        (("--task", "pairwise"), {"judge": {"prompt": "judge/pointwise-v1"}}, "{response_a} is missing"),
        ((), {"judge": {"model": "rules"}}, "judge.model: the embedded rules can't see"),
        ((), {"judge": {"fallback": ["m"]}}, "predictions are of one model"),
        ((), {"judge": {"promt": "x"}}, "`judge.promt`: unknown key; did you mean `prompt`?"),
        (("--set", "refine.max_rounds=2"), {}, "unknown key"),
        (("--candidate", "x"), {}, "for one example give --image, --label and --candidate"),
    ],
)
def test_mistakes_are_told_before_anything_is_asked(
    tmp_path: Path, options: tuple[str, ...], config: Any, said: str
) -> None:
    rows = write_rows(tmp_path, plain_pairs(tmp_path, 1))
    done, requests = judged(tmp_path, rows, *options, **config)
    assert done.returncode == 2
    assert said in done.stderr
    assert requests == []


def test_one_file_may_serve_generation_and_judging(tmp_path: Path) -> None:
    rows = write_rows(tmp_path, plain_scores(tmp_path, 1))
    other = {"seeds": "nowhere.jsonl", "image_root": "nowhere", "refine": {"max_rounds": 2}}
    done, _ = judged(tmp_path, rows, **other)
    assert done.returncode == 0, done.stderr
    check = dfj("check", tmp_path / "judge.yaml")
    assert "nowhere.jsonl" in check.stderr  # its own keys are read, those of the judge are no mistake


def test_one_example_is_judged_in_the_terminal(tmp_path: Path) -> None:
    (row,) = plain_scores(tmp_path, 1)
    image = tmp_path / row["image"]

    async def run(*options: str) -> subprocess.CompletedProcess[str]:
        async with ModelServer() as server:
            config = write_judge_config(tmp_path, server.base_url)
            return await asyncio.to_thread(
                dfj, "judge", config, "--image", image, "--label", "fake", *options
            )

    one = asyncio.run(run("--candidate", text(2, 0)))
    assert one.returncode == 0, one.stderr
    assert one.stdout.startswith("score 2\n")
    two = asyncio.run(run("--candidate", text(2, 0), "--candidate-b", text(4, 0), "--json"))
    assert json.loads(two.stdout)["prediction"]["answer"] == "B"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "judge.yaml"]
    image.unlink()
    gone = asyncio.run(run("--candidate", "x"))
    assert gone.returncode == 2
    assert "no such file" in gone.stderr


def test_its_calls_can_be_seen_with_their_prompts(tmp_path: Path) -> None:
    path = write_rows(tmp_path, plain_pairs(tmp_path, 2))
    _, requests = judged(tmp_path, path, "--both-orders")
    done = dfj("calls", tmp_path / "run", "--json")
    assert done.returncode == 0, done.stderr
    calls = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(call["prompt"] for call in calls) == sorted(request.text for request in requests)


def test_the_folder_of_a_judge_is_not_generations_and_not_another_judges(tmp_path: Path) -> None:
    path = write_rows(tmp_path, plain_pairs(tmp_path, 2))
    judged(tmp_path, path)
    other = dfj("generate", ROOT / "configs" / "rehearsal.yaml", "--output", tmp_path / "run")
    assert other.returncode == 2
    assert "holds a run of another kind (judge)" in other.stderr
    done, _ = judged(tmp_path, path, judge={"max_tokens": 9})
    assert done.returncode == 2
    assert "judge.max_tokens (2048, now 9)" in done.stderr


def test_predictions_that_were_lost_or_changed_are_written_again_without_a_call(tmp_path: Path) -> None:
    path = write_rows(tmp_path, plain_pairs(tmp_path, 2))
    judged(tmp_path, path)
    file = tmp_path / "run" / "predictions.jsonl"
    written = file.read_bytes()
    file.write_bytes(written[:-9])
    _, requests = judged(tmp_path, path)
    assert (file.read_bytes(), requests) == (written, [])


def test_predictions_may_be_judged_by_another_judge(tmp_path: Path) -> None:
    rows = [{**row, "prediction": {"status": "ok", "score": 1}} for row in plain_scores(tmp_path, 2)]
    judged(tmp_path, write_rows(tmp_path, rows))
    found = predictions(tmp_path / "run")
    assert [row["prediction"]["score"] for row in found] == [1, 2]
    lines = (tmp_path / "run" / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    assert [line.count('"prediction":') for line in lines] == [1, 1]


def test_a_run_stops_at_its_budget(tmp_path: Path) -> None:
    path = write_rows(tmp_path, plain_scores(tmp_path, 10))
    prices = {"prices": {"input": 1.0, "output": 10.0}, "max_in_flight": 1}
    done, requests = judged(tmp_path, path, limits=prices, budget_usd=0.0255)
    assert done.returncode == 4, done.stderr
    assert 1 <= len(requests) < 10
    assert status(tmp_path / "run")["state"] == "budget"


def test_a_dear_run_is_asked_about_before_anything_is_sent(tmp_path: Path) -> None:
    path = write_rows(tmp_path, plain_pairs(tmp_path, 300))
    dear = {"prices": {"input": 90.0, "output": 90.0}}
    done, requests = judged(tmp_path, path, limits=dear)
    assert (done.returncode, requests) == (2, [])
    assert "this run is likely to cost $" in done.stderr
    done, requests = judged(tmp_path, path, "--limit", "2", "--yes", limits=dear)
    assert (done.returncode, len(requests)) == (0, 2)


def test_the_example_of_the_page_is_word_for_word_what_happens(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "judging.md").read_text(encoding="utf-8").split("## An example")[1]
    config, rows, console = re.findall(r"```\w+\n(.*?)```", page, re.DOTALL)[:3]
    (tmp_path / "judge.yaml").write_text(config, encoding="utf-8")
    (tmp_path / "rows.jsonl").write_text(rows, encoding="utf-8")
    shutil.copytree(ROOT / "examples" / "images", tmp_path / "images")
    said = ""
    for line in console.splitlines():
        if line.startswith("$ "):
            command = line.removeprefix("$ ").replace("dfj ", f"{sys.executable} -m dfj_bootstrap ", 1)
            done = subprocess.run(
                command, shell=True, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=True
            )
            said += f"{line}\n{done.stdout}"
    assert said == console


def test_check_looks_at_a_config_that_is_only_a_judges(tmp_path: Path) -> None:
    config = tmp_path / "judge.yaml"
    config.write_text(yaml.safe_dump({"models": {"m": {"backend": "scripted"}}, "judge": {"model": "m"}}))
    checked = dfj("check", config, "--live", "--json")
    assert checked.returncode == 0, checked.stderr
    said = json.loads(checked.stdout)
    assert said["roles"]["judge"]["endpoint"] == "m"
    assert said["live"]["m"]["problem"] == ""
    wrong = dfj("check", config, "--set", "judge.prompt=generator/v1")
    assert wrong.returncode == 2
    assert "candidate_response" in wrong.stderr
