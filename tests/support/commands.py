"""What every command owes a person: books that balance, errors in one line, nothing that a terminal obeys."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.runs import ENVIRONMENT

ESCAPES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal would obey."""


def balanced(found: dict[str, Any]) -> bool:
    """Whether the books of ``dfj status --json`` add up."""
    seeds, levels = found["seeds"], found["trajectories"]
    parts = sum(seeds[name] for name in ("complete", "incomplete", "failed", "pending"))
    return bool(seeds["total"] == parts and sum(levels.values()) == 5 * seeds["total"])


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that says why a command could not go on."""
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert lines[-1].startswith("dfj: "), done.stderr
    assert "Traceback" not in done.stderr
    return lines[-1]


def python(*arguments: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run the interpreter as the commands are run, without a key."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=300,
        check=False,
        **more,
    )
