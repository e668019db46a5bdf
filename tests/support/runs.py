"""Whole runs as a person starts them: the command in a process of its own, and what it leaves on the disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]

ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")},
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "PYTHONPATH": str(ROOT),
}
"""Of every process that a test starts: no keys, no hub, no statistics."""

KEY = "sk-test-0123456789abcdef"
"""The key that tests use; it must turn up nowhere."""


def write_config(folder: Path, name: str = "config.yaml", **values: Any) -> Path:
    """A config file that takes its seeds from ``seeds.jsonl`` beside it."""
    tree = {"seeds": "seeds.jsonl", "output": "run", "similarity": {"backend": "lexical"}} | values
    path = folder / name
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path


def model_config(base_url: str, **limits: Any) -> dict[str, Any]:
    """The parts of a config by which all roles are played by one server."""
    model = {"backend": "openai", "model": "double", "base_url": base_url, "timeout_s": 20} | limits
    roles = ("writer", "generator", "evaluator", "paraphraser")
    return {"models": {"double": model}, **{role: {"model": "double"} for role in roles}}


def dfj(*arguments: str | Path, key: str = KEY, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        _command(arguments),
        capture_output=True,
        text=True,
        env=_environment(key),
        timeout=300,
        check=False,
        **more,
    )


def start_dfj(*arguments: str | Path, key: str = KEY, **more: Any) -> subprocess.Popen[str]:
    """Start the command in a session of its own, so that a test can end all of it by id."""
    return subprocess.Popen(
        _command(arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=_environment(key),
        start_new_session=True,
        **more,
    )


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL, as a machine that goes away would; waits until it is gone."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


def status(run: Path) -> dict[str, Any]:
    """``dfj status --json``."""
    done = dfj("status", run, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def tree_digest(folder: Path) -> dict[str, str]:
    """Relative path → digest of every file below a folder."""
    return {
        str(path.relative_to(folder)): blake2b(path.read_bytes(), digest_size=16).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def refused(run: Path) -> list[dict[str, Any]]:
    """The rows of ``refused.jsonl``."""
    return [json.loads(line) for line in (run / "refused.jsonl").read_text().splitlines()]


@dataclass(frozen=True)
class Paid:
    """What a server's log says about paid answers."""

    answers: int
    repeated: int

    @classmethod
    def of(cls, lines: Sequence[Mapping[str, Any]]) -> Paid:
        counts = Counter(line["digest"] for line in lines if line["kind"] == "answer")
        return cls(sum(counts.values()), sum(n - 1 for n in counts.values()))


def _command(arguments: tuple[str | Path, ...]) -> list[str]:
    return [sys.executable, "-m", "dfj_bootstrap", *map(str, arguments)]


def _environment(key: str) -> dict[str, str]:
    return {**ENVIRONMENT, "OPENAI_API_KEY": key} if key else dict(ENVIRONMENT)
