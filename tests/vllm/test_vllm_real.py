"""The real vLLM on the CPU, with a tiny random vision-language model: `make test-vllm` alone runs this.

The model says noise. What is shown is the way there and back: pictures and prompts reach it, its answers are
read or rejected with a reason, the books balance, and nothing outlives the run.
"""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from dfj_bootstrap.storage.reader import open_run
from tests.support.processes import when_gone, when_lines
from tests.support.runs import dfj, kill, start_dfj, status
from tests.support.vllm import ANSWERED, FROM_START_S, build_tiny_model, processes_of, write_vllm_config

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM isn't installed: make test-vllm"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def config(tmp_path: Path, model: Path) -> Path:
    return write_vllm_config(tmp_path, model, gpus=0)


def test_a_run_against_it_completes_and_every_answer_is_accounted_for(config: Path, model: Path) -> None:
    done = dfj("generate", config)
    assert done.returncode == 0, done.stderr
    run = config.parent / "run"
    said = status(run)
    assert said["state"] == "complete"
    assert said["seeds"]["failed"] == said["seeds"]["pending"] == 0
    log = (run / "logs" / "vllm-own-0.log").read_text()
    assert said["calls"]["answered"] == len(re.findall(rf'{ANSWERED} HTTP/1.1" 200', log)) > 0
    assert said["tokens"]["cached"] > 0
    trajectories = list(open_run(run).rows("trajectories"))
    assert len(trajectories) == 15
    assert all(row["reason"] for row in trajectories if row["outcome"] == "rejected")
    assert not processes_of(model)


@pytest.mark.parametrize("end", [lambda process: process.send_signal(signal.SIGINT), kill])
def test_stopped_or_killed_it_leaves_no_process_and_goes_on_later(
    config: Path, model: Path, end: Callable[[subprocess.Popen[str]], None]
) -> None:
    log = config.parent / "run" / "logs" / "vllm-own-0.log"
    with start_dfj("generate", config) as process:
        when_lines(log, 4, process, having=ANSWERED, within_s=FROM_START_S)
        left = processes_of(model)
        assert len(left) >= 4  # two supervisors, the server and its engine
        end(process)
        process.communicate(timeout=60)
    when_gone(left)
    assert dfj("generate", config).returncode == 0
    said = status(config.parent / "run")
    assert said["state"] == "complete"
    assert said["calls"]["replayed"] > 0
    assert not processes_of(model)
