"""The real vLLM on a GPU, with a tiny random vision-language model: `make test-gpu` alone runs this.

What the CPU can't show: a replica gets its GPU, answers from it, and gives its memory back, whatever ends it.
"""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.processes import when_gone, when_lines
from tests.support.runs import dfj, kill, start_dfj, status
from tests.support.vllm import ANSWERED, FROM_START_S, build_tiny_model, processes_of, write_vllm_config

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM isn't installed: make test-gpu"),
    pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="there is no GPU"),
]

SHARE = ("--gpu-memory-utilization", "0.2")
_NOISE_MIB = 64


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def config(tmp_path: Path, model: Path) -> Path:
    return write_vllm_config(tmp_path, model, gpus=1, args=SHARE)


def memory_used_mib() -> int:
    """Of the first GPU, by whomsoever."""
    query = ["nvidia-smi", "--id=0", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    return int(subprocess.run(query, capture_output=True, text=True, check=True).stdout)


def test_a_run_on_it_completes_and_leaves_its_memory_free(config: Path, model: Path) -> None:
    before = memory_used_mib()
    done = dfj("generate", config)
    assert done.returncode == 0, done.stderr
    said = status(config.parent / "run")
    assert said["state"] == "complete"
    assert said["seeds"]["failed"] == said["seeds"]["pending"] == 0
    assert said["calls"]["answered"] > 0
    assert said["tokens"]["cached"] > 0
    assert not processes_of(model)
    assert memory_used_mib() <= before + _NOISE_MIB


def test_a_run_that_is_killed_leaves_no_server_and_its_memory_free(config: Path, model: Path) -> None:
    before = memory_used_mib()
    log = config.parent / "run" / "logs" / "vllm-own-0.log"
    with start_dfj("generate", config) as process:
        when_lines(log, 4, process, having=ANSWERED, within_s=FROM_START_S)
        left = processes_of(model)
        assert memory_used_mib() > before + 1000  # it is on the GPU indeed
        kill(process)
    when_gone(left)
    assert memory_used_mib() <= before + _NOISE_MIB
