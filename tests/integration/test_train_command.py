"""``dfj train`` with a test double in ms-swift's place: what runs, what is said, what is left behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from dfj_bootstrap.endpoints import supervisor
from dfj_bootstrap.ms_swift.command import VARIABLE
from tests.support.commands import refusal
from tests.support.processes import when_gone, when_lines
from tests.support.runs import ENVIRONMENT, ROOT, dfj, kill, start_dfj, write_config
from tests.support.seeds import write_seed_rows
from tests.support.stand_in_swift import V3, V4, command_in
from tests.support.training import pairwise_row, pointwise_row, write_training_rows

ROWS = 20


@pytest.fixture
def swift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for ms-swift, found by its variable; every command that a test starts has it."""
    command = command_in(tmp_path / "environment")
    monkeypatch.setitem(ENVIRONMENT, VARIABLE, str(command))
    return command


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "qwen2_5_vl", "vision_config": {}}')
    return folder


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "dfj-meta-pointwise" / "train"
    folder.mkdir(parents=True)
    write_training_rows(folder, ROWS)
    return tmp_path / "data"


def words(rows: Path, model: Path, *more: str | Path) -> list[str | Path]:
    output = rows.parent / "out"
    return ["train", rows, "--task", "pointwise", "--model", model, "--gpus", "0", "--output", output, *more]


def record(rows: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((rows.parent / "out" / "training.json").read_text())
    return found


def processes(note: Path) -> list[int]:
    return [pid for line in note.read_text().splitlines() for pid in json.loads(line)["processes"]]


def test_what_a_dry_run_prints_is_what_runs(swift: Path, rows: Path, model: Path, tmp_path: Path) -> None:
    note = tmp_path / "note"
    given = words(rows, model, "--set", "learning_rate=2e-6", "--set", f"STAND_IN_NOTE={note}")
    dry = dfj(*given, "--dry-run", "--json")
    assert dry.returncode == 0, dry.stderr
    shown = json.loads(dry.stdout)
    assert not (tmp_path / "out").exists()
    assert shown["records"] == ROWS
    assert shown["gpus"] == 0
    assert shown["argv"][:2] == [str(swift), "sft"]
    done = dfj(*given)
    assert done.returncode == 0, done.stderr
    ran = json.loads(note.read_text())
    assert ran["argv"] == shown["argv"][1:]
    assert {name: ran["env"][name] for name in shown["env"]} == shown["env"]
    assert "PYTHONPATH" not in ran["env"]
    assert record(rows)["argv"] == shown["argv"]


def test_a_training_leaves_a_record_a_plot_a_log_and_says_where(swift: Path, rows: Path, model: Path) -> None:
    done = dfj(*words(rows, model, "--set", "STAND_IN_STEPS=6", "--json"))
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    book = record(rows)
    assert said["state"] == book["state"] == "complete"
    assert said["adapter"] == "checkpoint-6"
    assert book["steps"] == {"done": 6, "total": 6}
    assert [row["loss"] for row in book["metrics"]] == [10 / n for n in range(1, 7)]
    assert book["rows_of_trainer"] == book["records"] == ROWS
    assert {check["status"] for check in book["checks"]} <= {"ok", "warning"}
    out = rows.parent / "out"
    assert ElementTree.parse(out / "loss.svg")
    assert "num_rows: 20" in (out / "train.log").read_text()
    assert (out / "train.log").stat().st_mode & 0o077 == 0
    assert "num_rows: 20" in done.stderr
    assert "\x1b" not in done.stderr
    again = dfj(*words(rows, model, "--set", "STAND_IN_STEPS=6"))
    assert again.returncode == 0
    assert "complete already: nothing to do" in again.stdout


@pytest.mark.parametrize(("version", "flag"), [(V3, "--train_type"), (V4, "--tuner_type")])
def test_flags_are_those_of_the_installed_version(
    tmp_path: Path, rows: Path, model: Path, monkeypatch: pytest.MonkeyPatch, version: str, flag: str
) -> None:
    monkeypatch.setitem(ENVIRONMENT, VARIABLE, str(command_in(tmp_path / version, version)))
    shown = json.loads(dfj(*words(rows, model, "--dry-run", "--json")).stdout)
    assert flag in shown["argv"]
    assert f"ms-swift {version}" in next(c for c in shown["checks"] if c["name"] == "trainer")["message"]


def test_a_trainer_that_drops_rows_is_ended_and_told(swift: Path, rows: Path, model: Path) -> None:
    done = dfj(*words(rows, model, "--set", "STAND_IN_DROP=3", "--set", "STAND_IN_HANG=1"))
    assert "the trainer counts 17 rows where 20 should be trained on" in refusal(done)
    assert record(rows)["state"] == "failed"


def test_a_trainer_that_never_says_its_count_is_ended_and_told(swift: Path, rows: Path, model: Path) -> None:
    done = dfj(*words(rows, model, "--set", "STAND_IN_SILENT=1", "--set", "STAND_IN_HANG=1"))
    assert "never said how many rows" in refusal(done)


def test_rows_that_are_too_long_are_left_out_and_named(swift: Path, rows: Path, model: Path) -> None:
    folder = rows / "dfj-meta-pointwise" / "train"
    long = pointwise_row(5)
    long["messages"][0]["content"] += "x" * 4000
    write_training_rows(folder, ROWS, instead={5: long})
    given = words(rows, model, "--set", "max_length=1000")
    shown = json.loads(dfj(*given, "--dry-run", "--json").stdout)
    assert shown["records"] == ROWS - 1
    assert [row["id"] for row in _check(shown, "lengths")["rows"]] == ["row-0005"]
    done = dfj(*given)
    assert done.returncode == 0, done.stderr
    book = record(rows)
    assert book["rows_of_trainer"] == ROWS - 1
    assert [row["id"] for row in book["left_out"]] == ["row-0005"]
    assert book["env"]["ROOT_IMAGE_DIR"] == str(folder)
    assert book["argv"] == shown["argv"]


def test_without_the_model_lengths_are_estimated_and_nothing_is_left_out(
    swift: Path, rows: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENVIRONMENT, "STAND_IN_NO_MODEL", "1")
    shown = json.loads(dfj(*words(rows, model, "--set", "max_length=30", "--dry-run", "--json")).stdout)
    lengths = _check(shown, "lengths")
    assert lengths["data"]["how"] == "estimated"
    assert "published rule" in lengths["message"]
    assert lengths["status"] == "warning"
    assert shown["records"] == ROWS


def _check(shown: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(check for check in shown["checks"] if check["name"] == name)
    return found


def test_a_faulty_row_stops_it_before_anything_starts(
    swift: Path, rows: Path, model: Path, tmp_path: Path
) -> None:
    row = pointwise_row(9)
    row["images"] = ["images/none.png"]
    write_training_rows(rows / "dfj-meta-pointwise" / "train", ROWS, instead={9: row})
    note = tmp_path / "note"
    told = refusal(dfj(*words(rows, model, "--set", f"STAND_IN_NOTE={note}")))
    assert "row row-0009 (line 10): images/none.png" in told
    assert not note.exists()
    checked = dfj(*words(rows, model, "--check", "--json"))
    assert checked.returncode == 2
    assert _check(json.loads(checked.stdout), "images")["rows"][0]["id"] == "row-0009"


@pytest.mark.parametrize(("code", "steps"), [(1, 2), (7, 2)])
def test_the_trainers_exit_code_is_passed_on_and_the_next_start_goes_on(
    swift: Path, rows: Path, model: Path, tmp_path: Path, code: int, steps: int
) -> None:
    note = tmp_path / "note"
    failed = dfj(*words(rows, model, "--set", f"STAND_IN_FAIL={code}"))
    assert failed.returncode == code
    assert "RuntimeError: the loss is not a number" in failed.stdout
    assert record(rows)["state"] == "failed"
    assert record(rows)["exit_code"] == code
    done = dfj(*words(rows, model, "--resume", "--set", f"STAND_IN_NOTE={note}"))
    assert done.returncode == 0, done.stderr
    argv = json.loads(note.read_text())["argv"]
    assert argv[-2:] == ["--resume_from_checkpoint", str(tmp_path / "out" / f"checkpoint-{steps}")]
    book = record(rows)
    assert book["resumed_from"] == f"checkpoint-{steps}"
    assert [row["step"] for row in book["metrics"]] == [1, 2, 3, 4]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_whole_tree_and_the_next_start_goes_on(
    swift: Path, rows: Path, model: Path, tmp_path: Path, number: signal.Signals
) -> None:
    note, given = tmp_path / "note", words(rows, model, "--set", "STAND_IN_HANG=1")
    with start_dfj(*given, "--set", f"STAND_IN_NOTE={note}") as process:
        when_lines(tmp_path / "out" / "logging.jsonl", 2, process)
        left = processes(note)
        process.send_signal(number)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    when_gone(left)
    assert "interrupted; the same command goes on from checkpoint-2" in said
    assert record(rows)["state"] == "interrupted"
    done = dfj(*words(rows, model))
    assert done.returncode == 0, done.stderr
    assert record(rows)["resumed_from"] == "checkpoint-2"


def test_a_kill_leaves_no_process_behind(swift: Path, rows: Path, model: Path, tmp_path: Path) -> None:
    note = tmp_path / "note"
    given = words(rows, model, "--set", "STAND_IN_HANG=1", "--set", f"STAND_IN_NOTE={note}")
    with start_dfj(*given) as process:
        when_lines(tmp_path / "out" / "logging.jsonl", 2, process)
        left = processes(note)
        kill(process)
    when_gone(left)


def test_figures_can_be_read_while_it_trains_and_a_second_one_is_refused(
    swift: Path, rows: Path, model: Path, tmp_path: Path
) -> None:
    given = words(rows, model, "--set", "STAND_IN_HANG=1")
    with start_dfj(*given) as process:
        when_lines(tmp_path / "out" / "training.json", 1, process, having='"step": 2')
        assert record(rows)["state"] == "running"
        assert "another process is training into this folder" in refusal(dfj(*given))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def test_what_a_supervised_command_put_into_another_session_ends_with_it(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"
    code = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {deaf!r}], start_new_session=True)
print(child.pid, flush=True)
"""
    command = [sys.executable, "-I", supervisor.__file__, "--grace-s", "1", "--", sys.executable, "-c", code]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout
        left = int(process.stdout.readline())
    when_gone([left])


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--task", "threewise"], "give pointwise or pairwise"),
        (["--backend", "trl"], "there is swift alone so far"),
        (["--model", "qwen"], "neither a folder here nor a hub's ORG/NAME; e.g. 3B or 7B"),
        (["--model", "3B"], "HF_HUB_OFFLINE is set and the model isn't in the cache"),
        (["--gpus", "4"], "torch sees no GPU here"),
        (["--nodes", "2", "--gpus", "1"], "several nodes need Ray"),
        (["--set", "lerning_rate=1"], "it has learning_rate"),
        (["--resume"], "no training here to go on with"),
    ],
)
def test_what_people_get_wrong_is_one_sentence(
    swift: Path, rows: Path, model: Path, more: list[str], told: str
) -> None:
    assert told in refusal(dfj(*words(rows, model, *more)))


def test_a_folder_without_rows_is_one_sentence(swift: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no pointwise rows to train on" in refusal(dfj(*words(tmp_path / "empty", model)))
    assert "there is no such folder" in refusal(dfj(*words(tmp_path / "none", model)))
    (tmp_path / "empty" / "data.jsonl").touch()
    assert "no rows in this file" in refusal(dfj(*words(tmp_path / "empty" / "data.jsonl", model)))


def test_a_model_without_pictures_is_one_sentence(swift: Path, rows: Path, model: Path) -> None:
    (model / "config.json").write_text('{"model_type": "llama"}')
    assert "takes no pictures" in refusal(dfj(*words(rows, model)))
    (model / "config.json").unlink()
    assert "holds no model" in refusal(dfj(*words(rows, model)))


def test_without_ms_swift_it_is_one_sentence_but_a_dry_run_goes(
    rows: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENVIRONMENT, "PATH", "/nowhere")
    monkeypatch.delitem(ENVIRONMENT, VARIABLE, raising=False)
    elsewhere: dict[str, Any] = {"cwd": tmp_path}
    assert "ms-swift isn't installed here: `make" in refusal(dfj(*words(rows, model), **elsewhere))
    dry = dfj(*words(rows, model, "--dry-run", "--json"), **elsewhere)
    assert dry.returncode == 0, dry.stderr
    shown = json.loads(dry.stdout)
    assert shown["argv"][:2] == ["swift", "sft"]
    assert "--tuner_type" in shown["argv"]
    assert _check(shown, "trainer")["status"] == "warning"
    monkeypatch.setitem(ENVIRONMENT, VARIABLE, str(tmp_path / "none"))
    assert "is no command" in refusal(dfj(*words(rows, model)))


def test_what_is_no_ms_swift_is_told(
    rows: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("swift", "python"):
        (folder / name).symlink_to("/bin/true")
    monkeypatch.setitem(ENVIRONMENT, VARIABLE, str(folder / "swift"))
    assert "is that ms-swift?" in refusal(dfj(*words(rows, model)))


def test_gpus_are_the_first_of_those_that_are_ours(
    swift: Path, rows: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENVIRONMENT, "CUDA_VISIBLE_DEVICES", "4,5,6")
    monkeypatch.setitem(ENVIRONMENT, "STAND_IN_GPUS", "3")
    shown = json.loads(dfj(*words(rows, model, "--gpus", "2", "--dry-run", "--json")).stdout)
    assert shown["env"]["CUDA_VISIBLE_DEVICES"] == "4,5"
    assert shown["env"]["NPROC_PER_NODE"] == "2"
    assert "names 3" in refusal(dfj(*words(rows, model, "--gpus", "4")))


def test_a_run_is_trained_on_and_its_bytes_are_compared(swift: Path, model: Path, tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 12)
    done = dfj("generate", write_config(tmp_path, dataset={"test_fraction": 0.25}))
    assert done.returncode == 0, done.stderr
    run = tmp_path / "run"
    for task in ("pointwise", "pairwise"):
        trained = dfj("train", run, "--task", task, "--model", model, "--gpus", "0", "--json")
        assert trained.returncode == 0, trained.stderr
        said = json.loads(trained.stdout)
        jsonl = run / "dfj-meta" / f"dfj-meta-{task}" / "train" / "data.jsonl"
        assert said["records"] == len(jsonl.read_text().splitlines()) > 0
        assert (run / "training" / f"{task}-model" / "training.json").exists()
    assert dfj("verify", run).returncode == 0
    picture = next((run / "dfj-meta" / "dfj-meta-pointwise" / "train" / "images").iterdir())
    picture.write_bytes(picture.read_bytes() + b" ")
    checked = dfj("train", run, "--task", "pointwise", "--model", model, "--gpus", "0", "--check", "--json")
    assert checked.returncode == 2
    assert _check(json.loads(checked.stdout), "checksums")["status"] == "failed"


def test_a_corpus_and_its_judge_are_made_by_one_command(swift: Path, model: Path, tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 12)
    config = write_config(tmp_path, dataset={"test_fraction": 0.25})
    chain = ("--then-train", "pairwise", "--train-model", model, "--train-gpus", "0")
    wrong = dfj("generate", config, "--then-train", "both")
    assert (wrong.returncode, wrong.stderr) == (2, "dfj: --then-train both: give pointwise or pairwise\n")
    assert not (tmp_path / "run").exists()
    failed = dfj("generate", config, *chain, "--train-set", "STAND_IN_FAIL=7")
    assert failed.returncode == 7, failed.stderr
    done = dfj("generate", config, *chain, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["state"] == "complete"
    assert said["training"]["records"] == said["dataset"]["counts"]["pairwise"]["train"]
    assert (tmp_path / "run" / "training" / "pairwise-model" / "training.json").exists()
    assert dfj("verify", tmp_path / "run").returncode == 0


def test_the_job_says_its_code_and_what_it_means(swift: Path, rows: Path, model: Path) -> None:
    job = [sys.executable, str(ROOT / "jobs" / "train.py")]
    given = list(map(str, words(rows, model, "--set", "STAND_IN_FAIL=7")[1:]))
    done = subprocess.run([*job, *given], capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 7
    assert (
        done.stderr.splitlines()[-1]
        == "exit code 7: the trainer's own; OUTPUT/train.log has all that it said"
    )


def test_pairwise_rows_are_checked_as_such(swift: Path, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "train"
    folder.mkdir()
    path = write_training_rows(folder, 8, pairwise_row)
    given = words(path, model)
    given[3] = "pairwise"
    assert dfj(*given, "--check").returncode == 0
    given[3] = "pointwise"
    assert "8 targets don't parse" in refusal(dfj(*given))
