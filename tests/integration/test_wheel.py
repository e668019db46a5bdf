"""The wheel holds all that the commands need, and works where there is no checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.runs import ENVIRONMENT, ROOT

pytestmark = pytest.mark.slow

_SOURCES = ("dfj_bootstrap", "prompts", "configs", "examples")
_FILES = ("pyproject.toml", "README.md", "LICENSE")
_MOST_MB = 20


def _run(*arguments: str | Path, cwd: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**ENVIRONMENT, "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True, text=True, env=environment, cwd=cwd, timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what belongs to it, so that nothing is left in the checkout."""
    source = tmp_path_factory.mktemp("source")
    skip = shutil.ignore_patterns("__pycache__", "_shipped")
    for name in _SOURCES:
        shutil.copytree(ROOT / name, source / name, ignore=skip)
    for name in _FILES:
        shutil.copy(ROOT / name, source)
    made = _run("-m", "build", "--wheel", "--no-isolation", "--outdir", source / "dist", cwd=source)
    assert made.returncode == 0, made.stdout + made.stderr
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    arguments = ("install", "--quiet", "--no-deps", "--no-index", "--target", target, wheel)
    done = _run("-m", "pip", *arguments, cwd=target)
    assert done.returncode == 0, done.stderr
    return target


def test_the_wheel_carries_prompts_configs_examples_and_licence_and_is_small(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for kind, pattern in (("prompts", "*/*.txt"), ("configs", "*.yaml"), ("examples", "**/*.*")):
        for path in (ROOT / kind).glob(pattern):
            assert f"dfj_bootstrap/_shipped/{kind}/{path.relative_to(ROOT / kind).as_posix()}" in names
    assert any(name.endswith("/LICENSE") for name in names)
    assert not any("tests" in Path(name).parts or name.endswith(".env") for name in names)
    assert wheel.stat().st_size < _MOST_MB * 2**20


def test_from_the_wheel_all_commands_work_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    def dfj(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = _run("-m", "dfj_bootstrap", *arguments, cwd=tmp_path, path=str(installed))
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    where = _run("-c", "import dfj_bootstrap as d; print(d.__file__)", cwd=tmp_path, path=str(installed))
    assert where.stdout.startswith(str(installed) + os.sep)
    dfj("init", "demo")
    assert "6 good rows, 0 refused" in dfj("check", "demo/config.yaml").stdout
    assert "is complete." in dfj("generate", "demo/config.yaml").stdout
    assert '"state": "complete"' in dfj("status", "demo/runs/first", "--json").stdout
    assert list((tmp_path / "demo" / "runs" / "first" / "dfj-meta").rglob("*.parquet"))


def test_prompts_and_examples_are_found_in_the_wheel_and_in_the_checkout(
    installed: Path, tmp_path: Path
) -> None:
    ask = "from dfj_bootstrap.resources import shipped as s; print(s('prompts'), s('examples'))"
    packed = installed / "dfj_bootstrap" / "_shipped"
    in_wheel = _run("-c", ask, cwd=tmp_path, path=str(installed))
    assert in_wheel.stdout.split() == [str(packed / "prompts"), str(packed / "examples")]
    in_checkout = _run("-c", ask, cwd=tmp_path, path=str(ROOT))
    assert in_checkout.stdout.split() == [str(ROOT / "prompts"), str(ROOT / "examples")]
