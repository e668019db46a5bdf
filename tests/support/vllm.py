"""The real vLLM under test: a tiny random model, a run that it serves, and the processes that it started."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.runs import ENVIRONMENT, ROOT, write_config
from tests.support.seeds import write_seed_rows

ROLES = ("writer", "generator", "evaluator", "paraphraser")
ARGUMENTS = [
    "--enforce-eager", "--dtype", "bfloat16", "--max-model-len", 12288,
    "--limit-mm-per-prompt", '{"image": 1, "video": 0}',
    "--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}',
]  # fmt: skip

ANSWERED = "POST /v1/chat/completions"
"""In a server's log, each answer."""

FROM_START_S = 400


def build_tiny_model(folder: Path) -> Path:
    """A random Qwen2.5-VL of 20 million parameters."""
    command = [sys.executable, str(ROOT / "tests" / "tools" / "tiny_vlm.py"), str(folder)]
    subprocess.run(command, check=True, env=ENVIRONMENT)
    return folder


def write_vllm_config(folder: Path, model: Path, *, gpus: int, args: tuple[str | int, ...] = ()) -> Path:
    """A run over three seeds in which a served model plays all roles, with one round and one paraphrase."""
    write_seed_rows(folder, 3)
    own = {
        "backend": "vllm", "model": str(model), "gpus_per_replica": gpus, "max_in_flight": 8,
        "args": [*ARGUMENTS, *args],
    }  # fmt: skip
    role = {"model": "own", "max_tokens": 200}
    others: dict[str, Any] = dict.fromkeys(ROLES[:3], role)
    return write_config(
        folder,
        models={"own": own},
        refine={"max_rounds": 1},
        similarity={"backend": "none"},
        **others,
        paraphraser={**role, "count": 1, "max_tries": 1},
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
    return b"endpoints/supervisor.py" in line and str(model).encode() in line


def _group(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rsplit(")", 1)[1].split()[2])
    except OSError:
        return 0
