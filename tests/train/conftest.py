"""What the tests with the real ms-swift share: its command, and a tiny random model."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dfj_bootstrap.ms_swift.command import VARIABLE, find_swift
from tests.support.runs import ENVIRONMENT, ROOT


@pytest.fixture(scope="session")
def swift() -> Path:
    command = find_swift()
    assert command, f"set {VARIABLE}, or use `make test-train`"
    return command


@pytest.fixture(scope="session")
def model(swift: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "tiny"
    script = ROOT / "tests" / "tools" / "tiny_vlm.py"
    env = {name: value for name, value in ENVIRONMENT.items() if name != "PYTHONPATH"}
    subprocess.run([swift.parent / "python", script, folder], check=True, env=env)
    return folder
