"""Memory that does not grow with the input."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.runs import ENVIRONMENT, status, tree_digest, write_config
from tests.support.seeds import write_seed_rows

pytestmark = pytest.mark.slow

FEW, MANY = 200, 2000
MOST_GROWTH = 1.15


def peak_mb(folder: Path, seeds: int) -> float:
    """Peak resident memory of a whole run over so many seeds, in MB; goes on with a run that is there."""
    write_seed_rows(folder, seeds)
    config = write_config(folder)
    process = subprocess.Popen(
        [sys.executable, "-m", "dfj_bootstrap", "generate", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
    )
    _, code, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(code)
    assert process.returncode == 0
    assert status(folder / "run")["seeds"]["total"] == seeds
    return used.ru_maxrss / 1024


def test_neither_many_seeds_nor_large_partitions_take_more_memory(tmp_path: Path) -> None:
    few, many = peak_mb(tmp_path / "few", FEW), peak_mb(tmp_path / "many", MANY)
    peak_mb(tmp_path / "grown", 10)  # which fixes its few partitions for ever
    grown = peak_mb(tmp_path / "grown", MANY)
    assert max(many, grown) <= few * MOST_GROWTH, f"{few:.0f} MB for {FEW} seeds, {many:.0f} and {grown:.0f}"
    assert tree_digest(tmp_path / "grown/run/dfj-meta") == tree_digest(tmp_path / "many/run/dfj-meta")
