"""What a seed costs on the embedded path: no model, no server, no torch, one process.

``python -m benchmarks.rules [N …]``, default 200 and 2000: makes N seeds, runs ``dfj generate`` on them with
the rules backend and lexical similarity in a process of its own, and prints its CPU time per seed and its
peak memory. CPU is user and system time of the whole process, start and assembly included; the marginal
figure is the difference between the smallest and the largest run, without imports and the like.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.support.seeds import write_seed_rows


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: seeds, CPU seconds, wall seconds, and the peak of resident memory in MiB."""

    seeds: int
    cpu_s: float
    wall_s: float
    peak_mib: float


def measure(seeds: int) -> Measured:
    """Run over so many seeds in a folder that is removed afterwards.

    Raises:
        RuntimeError: the run ended with an error.
    """
    with tempfile.TemporaryDirectory() as work:
        config = Path(work) / "config.yaml"
        tree = {
            "seeds": str(write_seed_rows(Path(work), seeds)),
            "output": f"{work}/run",
            "similarity": {"backend": "lexical"},
            "engine": {"kind": "local"},
        }
        config.write_text(yaml.safe_dump(tree), encoding="utf-8")
        command = [sys.executable, "-m", "dfj_bootstrap", "generate", str(config), "--json"]
        begin = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"dfj generate ended with {process.returncode}")
        wall_s = time.monotonic() - begin
        return Measured(seeds, used.ru_utime + used.ru_stime, wall_s, used.ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU time and memory of the embedded path.")
    parser.add_argument("seeds", nargs="*", type=int, default=[200, 2000], metavar="N")
    made = []
    for seeds in sorted(parser.parse_args().seeds):
        run = measure(seeds)
        made.append(run)
        sys.stdout.write(
            f"{seeds} seeds: {1000 * run.cpu_s / seeds:.1f} ms CPU a seed, peak {run.peak_mib:.0f} MiB, "
            f"{run.wall_s:.1f} s\n"
        )
        sys.stdout.flush()
    if made[-1].seeds > made[0].seeds:
        more = (made[-1].cpu_s - made[0].cpu_s) / (made[-1].seeds - made[0].seeds)
        sys.stdout.write(f"marginal: {1000 * more:.1f} ms CPU a seed\n")


if __name__ == "__main__":
    main()
