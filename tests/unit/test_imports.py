"""What is loaded when: a command that only prints help must not wait for Ray or torch."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.runs import ENVIRONMENT, ROOT

PACKAGE = ROOT / "dfj_bootstrap"
HEAVY = {"ray", "torch", "pyarrow", "openai", "PIL", "datasets", "sentence_transformers", "aiohttp", "yaml"}


def loaded_by(code: str) -> set[str]:
    """The top-level modules in a fresh interpreter after some code."""
    tell = (
        "import sys, json; sys.stderr.write(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{tell}"], capture_output=True, text=True, env=ENVIRONMENT, check=True
    )
    return set(json.loads(done.stderr))


def test_the_package_itself_loads_nothing_heavy() -> None:
    assert not (HEAVY | {"pydantic", "typer", "rich"}) & loaded_by("import dfj_bootstrap")


def test_help_loads_nothing_heavy_and_no_models_of_the_configuration() -> None:
    assert not (HEAVY | {"pydantic"}) & loaded_by("from dfj_bootstrap.cli.main import run; run(['--help'])")


@pytest.mark.parametrize("arguments", [["--version"], ["generate", "--help"]])
def test_version_and_help_of_a_command_load_nothing_heavy(arguments: list[str]) -> None:
    assert not HEAVY & loaded_by(f"from dfj_bootstrap.cli.main import run; run({arguments!r})")


def test_the_status_of_a_run_is_read_without_its_tables() -> None:
    assert not HEAVY & loaded_by("import dfj_bootstrap.cli.status")


@pytest.mark.parametrize("module", ["app.start", "engine.local", "engine.worker", "cli.generate"])
def test_the_local_engine_needs_neither_ray_nor_torch_nor_openai(module: str) -> None:
    loaded = loaded_by(f"import dfj_bootstrap.{module}")
    assert not {"ray", "torch", "openai", "sentence_transformers"} & loaded


def test_only_the_cluster_imports_ray() -> None:
    importers = {
        path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py") if "ray" in _imported(path)
    }
    assert importers == {"cluster"}


def test_policy_and_domain_have_no_async_code() -> None:
    found = {
        str(path.relative_to(PACKAGE))
        for room in ("domain", "policy")
        for path in (PACKAGE / room).rglob("*.py")
        if any(isinstance(node, ast.AsyncFunctionDef | ast.Await) for node in ast.walk(_tree(path)))
    }
    assert not found


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))
