"""A training on Ray, with a test double for ms-swift: held by one actor, and ended with it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dfj_bootstrap.ms_swift.command import VARIABLE
from tests.support.commands import refusal
from tests.support.processes import when_gone, when_lines
from tests.support.runs import ENVIRONMENT, dfj, kill, start_dfj
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


TWO_NODES = """
import asyncio, json, sys
from pathlib import Path
import ray
from ray.cluster_utils import Cluster
from dfj_bootstrap.cluster.trainers import train_on_ray
from dfj_bootstrap.training.job import Wanted, make_job
from dfj_bootstrap.training.recipe import Task

folder, command = Path(sys.argv[1]), sys.argv[2]
small = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
cluster = Cluster(initialize_head=True, head_node_args=small)
cluster.add_node(**small)
cluster.wait_for_nodes()
ray.init(address=cluster.address, log_to_driver=False)
wanted = Wanted(Task.POINTWISE, "a/b", folder / "out", 0, nodes=2)
job = make_job(wanted, folder / "train" / "data.jsonl", 20, command=command)
said = []
print("ENDED", json.dumps(asyncio.run(train_on_ray(job, "auto", said.append, {}))), len(said))
ray.shutdown()
cluster.shutdown()
"""


def test_each_of_two_nodes_runs_its_part_and_the_first_keeps_the_record(tmp_path: Path) -> None:
    command = command_in(tmp_path / "environment")
    for name in ("train", "out"):
        (tmp_path / name).mkdir()
    write_training_rows(tmp_path / "train", 20)
    note = tmp_path / "note"
    done = subprocess.run(
        [sys.executable, "-c", TWO_NODES, tmp_path, command],
        capture_output=True, text=True, check=True, env=ENVIRONMENT | {"STAND_IN_NOTE": str(note)},
    )  # fmt: skip
    assert "ENDED [0, false, " in done.stdout, done.stdout + done.stderr
    told = [json.loads(line)["env"] for line in note.read_text().splitlines()]
    assert sorted(env["NODE_RANK"] for env in told) == ["0", "1"]
    assert len({(env["MASTER_ADDR"], env["MASTER_PORT"], env["NNODES"]) for env in told}) == 1
    book = json.loads((tmp_path / "out" / "training.json").read_text())
    assert book["state"] == "complete"
    assert book["nodes"] == 2


def test_a_kill_of_the_driver_leaves_no_process_behind(given: list[str | Path], tmp_path: Path) -> None:
    with start_dfj(*given, "--set", "STAND_IN_HANG=1") as process:
        when_lines(tmp_path / "out" / "logging.jsonl", 2, process)
        left = json.loads((tmp_path / "note").read_text())["processes"]
        kill(process)
    when_gone(left, within_s=60)
