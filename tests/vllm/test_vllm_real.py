"""The real vLLM on the CPU, with a tiny random vision-language model: `make test-vllm` alone runs this.

The model says noise. What is shown is the way there and back: pictures and prompts reach it, its answers are
read or rejected with a reason, the books balance, and nothing outlives the run.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from dfj_bootstrap.storage.tables import read_table
from tests.support.processes import when_gone, when_lines
from tests.support.runs import ENVIRONMENT, ROOT, dfj, kill, start_dfj, status, write_config
from tests.support.seeds import write_seed_rows

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM isn't installed: make test-vllm"),
]

ROLES = ("writer", "generator", "evaluator", "paraphraser")
ARGUMENTS = [
    "--enforce-eager", "--dtype", "bfloat16", "--max-model-len", 12288,
    "--limit-mm-per-prompt", '{"image": 1, "video": 0}',
    "--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}',
]  # fmt: skip
ANSWERED = "POST /v1/chat/completions"
FROM_START_S = 400


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Qwen2.5-VL of 20 million parameters."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    command = [sys.executable, str(ROOT / "tests" / "tools" / "tiny_vlm.py"), str(folder)]
    subprocess.run(command, check=True, env=ENVIRONMENT)
    return folder


@pytest.fixture
def config(tmp_path: Path, model: Path) -> Path:
    write_seed_rows(tmp_path, 3)
    own = {
        "backend": "vllm", "model": str(model), "gpus_per_replica": 0, "max_in_flight": 8, "args": ARGUMENTS,
    }  # fmt: skip
    return write_config(
        tmp_path,
        models={"own": own},
        refine={"max_rounds": 1},
        similarity={"backend": "none"},
        writer={"model": "own", "max_tokens": 200},
        generator={"model": "own", "max_tokens": 200},
        evaluator={"model": "own", "max_tokens": 200},
        paraphraser={"model": "own", "max_tokens": 200, "count": 1, "max_tries": 1},
    )


def processes_of(model: Path) -> set[int]:
    """The supervisors of servers for this model, and all in their process groups."""
    groups = {_group(entry) for entry in _processes() if _is_supervisor(entry, model)}
    return {int(entry.name) for entry in _processes() if _group(entry) in groups - {0}}


def _processes() -> Iterator[Path]:
    return (entry for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _is_supervisor(entry: Path, model: Path) -> bool:
    try:
        line = (entry / "cmdline").read_bytes()
    except OSError:
        return False
    return b"vllm_supervisor" in line and str(model).encode() in line


def _group(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rsplit(")", 1)[1].split()[2])
    except OSError:
        return 0


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
    trajectories = list(read_table(run, "trajectories"))
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
