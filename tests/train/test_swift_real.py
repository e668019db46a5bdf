"""The real ms-swift trains a tiny vision-language model, on the CPU: ``make test-train`` alone runs these."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from dfj_bootstrap.ms_swift import ask_swift
from dfj_bootstrap.ms_swift.asking import asking
from dfj_bootstrap.training.job import Wanted, make_job
from dfj_bootstrap.training.overrides import parse_overrides
from dfj_bootstrap.training.recipe import MODELS, Task
from tests.support.commands import refusal
from tests.support.processes import when_gone, when_lines
from tests.support.runs import ENVIRONMENT, ROOT, dfj, start_dfj
from tests.support.training import pointwise_row, write_training_rows

pytestmark = pytest.mark.train

_KIND = ("--set", "model_type=qwen2_5_vl", "--set", "template=qwen2_5_vl")
"""A random model doesn't tell by its name what it is."""

_QUICK = (
    "--set", "MAX_PIXELS=12544", "--set", "per_device_train_batch_size=1", "--set", "dataset_num_proc=1",
    "--set", "dataloader_num_workers=0", "--set", "learning_rate=2e-2", "--set", "lr_scheduler_type=constant",
    "--set", "warmup_ratio=",
)  # fmt: skip
_FROM_START_S = 400


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's run."""
    output = tmp_path_factory.mktemp("demo") / "run"
    cheap = ("--set", "similarity.backend=lexical", "--set", "engine.kind=local")
    done = dfj("generate", ROOT / "configs" / "demo.yaml", "--output", output, *cheap)
    assert done.returncode == 0, done.stderr
    return output


def command(rows: Path, model: Path, output: Path, *more: str) -> list[str | Path]:
    plain: list[str | Path] = ["train", rows, "--task", "pointwise", "--model", model]
    given = [*plain, "--gpus", "0", "--output", output]
    return [*given, *_KIND, *_QUICK, *more]


def rows_of(run: Path, n: int) -> list[dict[str, Any]]:
    path = run / "dfj-meta" / "dfj-meta-pointwise" / "train" / "data.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()[:n]]


def test_the_demos_shards_are_trained_on_and_the_loss_falls(run: Path, model: Path, tmp_path: Path) -> None:
    given = command(run, model, tmp_path / "out", "--set", "max_steps=12", "--json")
    done = dfj(*given)
    assert done.returncode == 0, done.stderr[-3000:]
    book = json.loads((tmp_path / "out" / "training.json").read_text())
    assert book["state"] == "complete"
    assert book["rows_of_trainer"] == book["records"] == len(rows_of(run, 10**6))
    losses = [row["loss"] for row in book["metrics"] if "loss" in row]
    assert len(losses) == 12
    assert mean(losses[-3:]) < mean(losses[:3]) - 1
    adapter = tmp_path / "out" / book["adapter"]
    assert (adapter / "adapter_model.safetensors").stat().st_size > 1000
    assert json.loads((adapter / "adapter_config.json").read_text())["r"] == 32
    assert "complete already" in dfj(*given[:-1]).stdout


def test_the_published_flags_are_taken_by_the_installed_version(swift: Path) -> None:
    with asking(swift, {}) as trainer:
        known = trainer.about().flags
        for task in Task:
            wanted = Wanted(task, MODELS["7B"], Path("/out"), 2)
            job = make_job(wanted, Path("/rows/data.jsonl"), 1, command=str(swift), known=known)
            trainer.check(job.argv)


def test_lengths_are_those_that_the_trainer_itself_encodes(
    swift: Path, run: Path, model: Path, tmp_path: Path
) -> None:
    """With real pictures through the whole template, against one blank picture for each size."""
    folder = run / "dfj-meta" / "dfj-meta-pointwise" / "train"
    rows = rows_of(run, 6)
    script = f"""
import json, sys
sys.path.insert(0, {str(Path(ask_swift.__file__).parent)!r})
import ask_swift
sys.path.pop(0)
rows, argv, folder = json.loads(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
measure = ask_swift.Measure(argv)
whole = [measure._encoded(r["messages"], [folder + "/" + name for name in r["images"]]) for r in rows]
print("LENGTHS", json.dumps(whole))
"""
    wanted = Wanted(Task.POINTWISE, str(model), tmp_path, 0, overrides=parse_overrides(_KIND[1::2]))
    job = make_job(wanted, folder / "data.jsonl", 1, command=str(swift))
    env = {name: value for name, value in ENVIRONMENT.items() if name != "PYTHONPATH"} | dict(job.env)
    asked = [swift.parent / "python", "-c", script, json.dumps(rows), json.dumps(job.argv[2:]), folder]
    done = subprocess.run(list(map(str, asked)), capture_output=True, text=True, env=env, check=True)
    whole = json.loads(done.stdout.rpartition("LENGTHS ")[2])
    with asking(swift, job.env) as trainer:
        trainer.open_measure(job.argv)
        assert (
            trainer.lengths([{"messages": r["messages"], "sizes": _sizes(folder, r)} for r in rows]) == whole
        )


def _sizes(folder: Path, row: dict[str, Any]) -> list[tuple[int, int]]:
    from PIL import Image

    found = []
    for name in row["images"]:
        with Image.open(folder / name) as picture:
            found.append(picture.size)
    return found


def test_stopped_it_leaves_no_process_and_goes_on_from_its_checkpoint(model: Path, tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    rows = write_training_rows(tmp_path / "train", 8)
    steps = ("--set", "save_strategy=steps", "--set", "save_steps=2")
    with start_dfj(
        *command(rows, model, tmp_path / "out", *steps, "--set", "num_train_epochs=500")
    ) as process:
        when_lines(tmp_path / "out" / "logging.jsonl", 5, process, within_s=_FROM_START_S)
        left = _processes_of(model)
        assert len(left) >= 3  # two supervisors, and the trainer
        process.terminate()
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said[-2000:]
    when_gone(left)
    assert json.loads((tmp_path / "out" / "training.json").read_text())["state"] == "interrupted"
    done = dfj(*command(rows, model, tmp_path / "out", *steps, "--set", "max_steps=12"))
    assert done.returncode == 0, done.stderr[-3000:]
    book = json.loads((tmp_path / "out" / "training.json").read_text())
    assert book["resumed_from"].startswith("checkpoint-")
    assert book["steps"]["done"] >= 12
    assert [row["step"] for row in book["metrics"]] == list(range(1, book["steps"]["done"] + 1))


def test_rows_that_are_too_long_for_the_model_are_left_out(model: Path, tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    long = pointwise_row(3)
    long["messages"][0]["content"] += " It goes on and on." * 100
    rows = write_training_rows(tmp_path / "train", 8, instead={3: long})
    given = command(rows, model, tmp_path / "out", "--set", "max_steps=2", "--set", "max_length=512")
    done = dfj(*given)
    assert done.returncode == 0, done.stderr[-3000:]
    book = json.loads((tmp_path / "out" / "training.json").read_text())
    assert book["rows_of_trainer"] == book["records"] == 7
    assert [row["id"] for row in book["left_out"]] == ["row-0003"]


def test_a_model_that_it_does_not_know_fails_with_its_own_words(model: Path, tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    rows = write_training_rows(tmp_path / "train", 8)
    plain: list[str | Path] = ["train", rows, "--task", "pointwise", "--model", model, "--gpus", "0"]
    done = dfj(*plain, "--output", tmp_path / "out")
    assert done.returncode == 1
    assert "Multiple possible types found" in done.stdout
    assert "fp_16" in refusal(dfj(*plain, "--output", tmp_path / "new", "--set", "fp_16=true"))


def _processes_of(model: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) not in (os.getpid(), os.getppid()):
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(model).encode() in line and b"dfj_bootstrap\0train" not in line:
                found.append(int(entry.name))
    return found
