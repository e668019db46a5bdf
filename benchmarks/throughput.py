"""The engine and a bare script against the same server, side by side, with ratios.

``python -m benchmarks.throughput [CASE …] [--seeds N]`` where a case is one of ``even``, ``small``, ``stray``
and ``rate``; default: all. Efficiency is the server's slot-time that answers used, over its slots × the time
from the first request to the last answer, start and tail included. CPU is of the client's whole process;
the marginal figure is the difference between runs of two sizes, without imports and the like.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml
from PIL import Image

from benchmarks.server import Capacity, Running, serving

_FEW = 30
_WINDOW_S = 10.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one client.

    Attributes:
        stats: the server's.
        wall_s: of the whole process.
        cpu_s: user and system, of the process and its children.
        lost: answers that the client does without although it wanted them.
    """

    stats: dict[str, Any]
    wall_s: float
    cpu_s: float
    lost: int

    @property
    def calls(self) -> int:
        return int(self.stats["answers"])

    @property
    def busy_s(self) -> float:
        """From the first request to the last answer."""
        return float(self.stats["last_answer"] - self.stats["came"][0])

    def efficiency(self, slots: int) -> float:
        return float(self.stats["used_s"]) / (slots * self.busy_s)

    @property
    def refused(self) -> float:
        return float(self.stats["refusals"]) / self.calls


def write_seeds(folder: Path, count: int) -> Path:
    """Seeds with pictures of about 9 kB."""
    draw = random.Random(17)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        name = f"images/{number:05d}.png"
        Image.frombytes("RGB", (64, 48), draw.randbytes(64 * 48 * 3)).save(folder / name)
        label = ("fake", "edited", "real")[number % 3]
        gold = (
            f"The lamp number {number} casts no shadow on the floor. The second window has no frame at all."
        )
        rows.append({"id": f"seed-{number:05d}", "image": name, "label": label, "gold_rationale": gold})
    path = folder / "seeds.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def ours(server: Running, seeds: Path, work: Path, engine: dict[str, Any], **limits: Any) -> Measured:
    """A run of the engine, journal and dataset and all."""
    output = Path(tempfile.mkdtemp(dir=work)) / "run"
    model = {
        "backend": "openai",
        "model": "double",
        "base_url": server.base_url,
        "max_in_flight": 64,
    } | limits
    config = {
        "seeds": str(seeds), "output": str(output), "models": {"double": model}, "engine": engine,
        **{role: {"model": "double"} for role in ("writer", "generator", "evaluator", "paraphraser")},
    }  # fmt: skip
    path = work / f"{output.parent.name}.yaml"
    path.write_text(yaml.safe_dump(config))
    measured = _measure(server, [sys.executable, "-m", "dfj_bootstrap", "generate", str(path), "--json"])
    status = subprocess.run(
        [sys.executable, "-m", "dfj_bootstrap", "status", str(output), "--json"],
        capture_output=True,
        check=True,
    )
    books = orjson.loads(status.stdout)
    lost = books["seeds"]["failed"] + abs(books["calls"]["answered"] - measured.calls)
    return Measured(measured.stats, measured.wall_s, measured.cpu_s, lost)


def bare(server: Running, seeds: Path, work: Path) -> Measured:
    """A run of the bare script."""
    output = work / "bare.jsonl"
    measured = _measure(
        server, [sys.executable, "-m", "benchmarks.bare", server.base_url, str(seeds), str(output)]
    )
    written = len(output.read_bytes().splitlines()) if output.exists() else 0
    lost = len(seeds.read_bytes().splitlines()) - written
    return Measured(measured.stats, measured.wall_s, measured.cpu_s, lost)


def _measure(server: Running, command: Sequence[str]) -> Measured:
    server.reset()
    started = time.monotonic()
    environment = os.environ | {"OPENAI_API_KEY": "none", "RAY_USAGE_STATS_ENABLED": "0"}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.stderr.write(output.read().decode()[-2000:])
    wall_s = time.monotonic() - started
    return Measured(server.stats(), wall_s, usage.ru_utime + usage.ru_stime, 0)


def even(work: Path, seeds: int) -> list[str]:
    """A server as large as the client was told: how busy it is kept, and what a call costs."""
    lines = ["capacity 64, client told 64:"]
    with serving(Capacity()) as server:
        cpu = {}
        for name, client in _clients(work).items():
            few, many = (
                client(server, write_seeds(work / "few", _FEW)),
                client(server, write_seeds(work, seeds)),
            )
            cpu[name] = 1000 * (many.cpu_s - few.cpu_s) / (many.calls - few.calls)
            lines.append(_line(name, many, 64, f"CPU {1000 * many.cpu_s / many.calls:.2f} ms a call in all, "
                                               f"{cpu[name]:.2f} marginal"))  # fmt: skip
    return [*lines, f"  CPU of ours / bare, marginal: {cpu['ours'] / cpu['bare']:.2f}"]


def small(work: Path, seeds: int) -> list[str]:
    """A server that is smaller than the client was told, and says so with 429s."""
    lines = ["capacity 24, client told 64, 429 beyond it:"]
    with serving(Capacity(slots=24, refuse=True)) as server:
        for name, client in _clients(work).items():
            lines.append(_line(name, client(server, write_seeds(work, seeds)), 24))
    return lines


def stray(work: Path, seeds: int) -> list[str]:
    """A large server that says 429 now and then for no reason."""
    lines = ["capacity 64 of a large server, client told 64, 3 % stray 429s:"]
    with serving(Capacity(slots=1000, stray=0.03)) as server:
        for name, client in _clients(work).items():
            lines.append(_line(name, client(server, write_seeds(work, seeds)), 64))
    return lines


def rate(work: Path, seeds: int) -> list[str]:
    """A rate for three workers together, on Ray."""
    asked = 1200
    with serving(Capacity()) as server:
        engine = {"kind": "ray", "workers": 3, "address": "local"}
        made = ours(server, write_seeds(work / "rate", seeds // 7), work, engine, requests_per_minute=asked)
    came = made.stats["came"]
    used = 60 * (len(came) - 1) / (came[-1] - came[0]) / asked
    burst = max(_in_window(came)) / (asked / 60 * _WINDOW_S)
    return [
        f"requests_per_minute {asked}, three Ray workers, {seeds // 7} seeds:",
        f"  used {used:.0%} of the rate; busiest {_WINDOW_S:.0f} s: {burst:.0%}; lost {made.lost}",
    ]


def _in_window(came: Sequence[float]) -> list[int]:
    """Requests in the window that begins with each one."""
    counts, end = [], 0
    for begin, at in enumerate(came):
        while end < len(came) and came[end] <= at + _WINDOW_S:
            end += 1
        counts.append(end - begin)
    return counts


def _clients(work: Path) -> dict[str, Callable[[Running, Path], Measured]]:
    return {
        "ours": lambda server, seeds: ours(server, seeds, work, {"kind": "local"}),
        "bare": lambda server, seeds: bare(server, seeds, work),
    }


def _line(name: str, made: Measured, slots: int, more: str = "") -> str:
    late = 1000 * (made.stats["held_s"] - made.stats["used_s"]) / made.calls
    return (
        f"  {name}: efficiency {made.efficiency(slots):.3f} over {made.busy_s:.1f} s, {made.calls} calls, "
        f"429s {made.refused:.1%}, lost {made.lost}; {more}{'; ' if more else ''}whole process "
        f"{made.wall_s:.1f} s; server {made.stats['cpu_s'] / made.busy_s:.0%} of a core, {late:.1f} ms late"
    )


CASES = {"even": even, "small": small, "stray": stray, "rate": rate}


def main() -> None:
    parser = argparse.ArgumentParser(description="The engine beside a bare script.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; default: all")
    parser.add_argument("--seeds", type=int, default=300)
    arguments = parser.parse_args()
    load = statistics.mean(os.getloadavg())
    sys.stdout.write(f"{os.cpu_count()} cores, load {load:.1f} before the start, {arguments.seeds} seeds\n")
    for case in arguments.cases or CASES:
        with tempfile.TemporaryDirectory() as work:
            sys.stdout.write("\n".join(CASES[case](Path(work), arguments.seeds)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
