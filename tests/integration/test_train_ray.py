"""A training on Ray, with a test double for ms-swift: held by one actor, and ended with it."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from dfj_bootstrap.training.ms_swift import VARIABLE
from tests.support.commands import refusal
from tests.support.processes import when_gone, when_lines
from tests.support.runs import ENVIRONMENT, dfj, start_dfj
from tests.support.stand_in_swift import command_in
from tests.support.training import write_training_rows

pytestmark = pytest.mark.slow


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str | Path]:
    """A command line for a training on a Ray of its own."""
    monkeypatch.setitem(ENVIRONMENT, VARIABLE, str(command_in(tmp_path / "environment")))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"model_type": "qwen2_5_vl", "vision_config": {}}')
    (tmp_path / "train").mkdir()
    rows = write_training_rows(tmp_path / "train", 20)
    note = f"STAND_IN_NOTE={tmp_path / 'note'}"
    return [
        "train", rows, "--task", "pointwise", "--model", tmp_path / "model", "--gpus", "0",
        "--output", tmp_path / "out", "--address", "local", "--set", note,
    ]  # fmt: skip


def test_it_trains_on_ray_as_it_does_here_and_the_code_is_passed_on(
    given: list[str | Path], tmp_path: Path
) -> None:
    failed = dfj(*given, "--set", "STAND_IN_FAIL=7")
    assert failed.returncode == 7, failed.stderr
    assert "the loss is not a number" in failed.stdout
    done = dfj(*given, "--json")
    assert done.returncode == 0, done.stderr
    book = json.loads(done.stdout)
    assert book["state"] == "complete"
    assert book["resumed_from"] == "checkpoint-2"
    assert book["rows_of_trainer"] == 20
    assert "num_rows: 20" in done.stderr
    ran = json.loads((tmp_path / "note").read_text().splitlines()[-1])
    assert ran["argv"] == book["argv"][1:]


def test_a_signal_ends_the_whole_tree_and_too_few_gpus_are_told(
    given: list[str | Path], tmp_path: Path
) -> None:
    with start_dfj(*given, "--set", "STAND_IN_HANG=1") as process:
        when_lines(tmp_path / "out" / "logging.jsonl", 2, process)
        left = json.loads((tmp_path / "note").read_text())["processes"]
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 130, said
    when_gone(left)
    book = json.loads((tmp_path / "out" / "training.json").read_text())
    assert book["state"] == "interrupted"
    given[given.index("--gpus") + 1] = "64"
    assert "this Ray has 1 nodes" in refusal(dfj(*given))
