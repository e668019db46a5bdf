"""vLLM behind the engine, with the affinity of a seed's calls to one replica, and without it.

``python -m benchmarks.affinity [--shape 7b] [--replicas 2] [--seeds 40] [--times 2]``, where vLLM is
installed; ``--shape tiny`` is for trying it without a GPU.

Each arm is a whole run of the engine on the same servers, with the real prompts and real pictures. The
weights are random, so the model's words are noise: each answer is computed in full, ``--answer-tokens`` long,
and only then a script's words take its place, so that runs go the rounds that real ones go. The replicas
share the machine's GPU: what the cache saves one of them, the others have.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any
from unittest.mock import patch
from urllib.request import urlopen

import orjson
from PIL import Image

from benchmarks.shapes import ROOT, SHAPES, build_folder
from dfj_bootstrap.app.start import Options, start
from dfj_bootstrap.calls.call import Call
from dfj_bootstrap.calls.usage import Metered
from dfj_bootstrap.config.models import VLLMModel
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.endpoints import supervisor as vllm_supervisor
from dfj_bootstrap.endpoints.openai.endpoint import CHAT
from dfj_bootstrap.endpoints.openai.wire import Problem
from dfj_bootstrap.endpoints.scripted.roles import answer
from dfj_bootstrap.endpoints.vllm import endpoint as vllm
from dfj_bootstrap.endpoints.vllm.process import Launch
from dfj_bootstrap.storage.ledger import Books
from dfj_bootstrap.tasks.generate import Generate

ARMS = ("affinity", "at random")
ONE_IMAGE = '{"image": 1, "video": 0}'
_OFF_LEVEL = 0.3
_START_S = 400
_COUNTED = ("prefix_cache_queries", "prefix_cache_hits", "prompt_tokens", "generation_tokens")


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: its calls, the seconds that it took, and by how much vLLM's own counters rose."""

    calls: int
    wall_s: float
    counters: Counter[str]

    @property
    def rate(self) -> float:
        return self.calls / self.wall_s

    @property
    def hits(self) -> float:
        """The share of prompt tokens that were in the prefix cache."""
        return self.counters["prefix_cache_hits"] / self.counters["prefix_cache_queries"]

    @property
    def computed(self) -> float:
        """Prompt tokens a call that were not."""
        return (self.counters["prefix_cache_queries"] - self.counters["prefix_cache_hits"]) / self.calls


class Played(vllm.VLLMEndpoint):
    """The real endpoint; when the model has answered at full length, a script says what the role says."""

    answer_tokens = 160

    async def _exchange(self, call: Call, body: bytes, path: str = CHAT) -> Metered | Problem:
        answered = await super()._exchange(call, self._in_full(body), path)
        if isinstance(answered, Problem):
            return answered
        said = answer(call.role, "\n".join(call.parts), call.key, _OFF_LEVEL)
        reply = replace(answered.reply, text=orjson.dumps(said).decode(), finish=Finish.STOP)
        return replace(answered, reply=reply)

    def _in_full(self, body: bytes) -> bytes:
        asked: dict[str, Any] = orjson.loads(body)
        asked.pop("response_format", None)  # random weights close no string
        length = {"max_completion_tokens": self.answer_tokens, "min_tokens": self.answer_tokens}
        asked.pop("max_tokens", None)
        return orjson.dumps({**asked, **length, "ignore_eos": True})


class Server:
    """A replica that outlives the runs: they find it answering, and leave it so."""

    def __init__(self, launch: Launch) -> None:
        command = [sys.executable, vllm_supervisor.__file__, "--", *launch.command]
        self._launch = launch
        launch.log.parent.mkdir(parents=True, exist_ok=True)
        with launch.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=os.environ | launch.environment,
                start_new_session=True,
            )

    async def ready(self) -> str:
        return f"{self._launch.address}/v1"

    async def aclose(self) -> None:
        return None

    def wait(self) -> None:
        """Return when it answers.

        Raises:
            RuntimeError: it ended, or takes too long; with the end of its log.
        """
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urlopen(f"{self._launch.address}/health"):
                    return
            except OSError:
                time.sleep(1)
        raise RuntimeError("\n".join(self._launch.log.read_text(errors="replace").splitlines()[-60:]))

    def counters(self) -> Counter[str]:
        """vLLM's own, since it started."""
        with urlopen(f"{self._launch.address}/metrics") as response:
            text = response.read().decode()
        found: Counter[str] = Counter()
        for name, value in re.findall(r"^vllm:(\w+?)_total(?:\{.*\})? (\S+)$", text, re.MULTILINE):
            if name in _COUNTED:
                found[name] += int(float(value))
        return found

    def close(self) -> None:
        """End it and all that it started."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


class Silent:
    """A display that shows nothing, but notes when work begins."""

    began = 0.0

    def phase(self, name: str, doing: str) -> None:
        if name == "working":
            self.began = time.monotonic()

    def planned(self, done: int, total: int) -> None: ...

    def working(self, books: Books) -> None: ...

    def changed(self) -> None: ...


@contextmanager
def serving(model: VLLMModel, work: Path) -> Iterator[tuple[list[Server], str]]:
    """All replicas and their key. They start one by one, since each measures the memory that is free."""
    key = vllm.new_key()
    servers: list[Server] = []
    try:
        for index in range(model.replicas):
            server = Server(vllm.replica_launch("own", index, model, work, host=vllm.LOOPBACK, key=key))
            servers.append(server)
            server.wait()
        yield servers, key
    finally:
        for server in servers:
            server.close()


def write_seeds(folder: Path, count: int, salt: str) -> Path:
    """The example seeds over and over, each with a picture that no other has."""
    rows = [orjson.loads(line) for line in (ROOT / "examples" / "seeds.jsonl").read_bytes().splitlines()]
    folder.mkdir(parents=True)
    lines = []
    for number in range(count):
        row = rows[number % len(rows)]
        name = f"{number:05d}.png"
        draw = random.Random(f"{salt} {number}")
        with Image.open(ROOT / "examples" / row["image"]) as picture:
            own = picture.convert("RGB")
        own.putpixel((0, 0), (draw.randrange(256), draw.randrange(256), draw.randrange(256)))
        own.save(folder / name, compress_level=1)
        lines.append(orjson.dumps({**row, "id": f"seed-{salt}-{number:05d}", "image": name}) + b"\n")
    path = folder / "seeds.jsonl"
    path.write_bytes(b"".join(lines))
    return path


def at_random(seed_id: str, replicas: int) -> list[int]:
    """In place of the order by hash: any replica, anew for each call."""
    return random.sample(range(replicas), replicas)


def measure(
    arm: str, servers: Sequence[Server], key: str, model: VLLMModel, seeds: int, work: Path
) -> Measured:
    """One run over seeds of its own."""
    salt = f"{arm.replace(' ', '-')}-{time.monotonic_ns()}"
    role = {"model": "own"}
    config = Config.model_validate(
        {
            "seeds": str(write_seeds(work / salt, seeds, salt)),
            "output": str(work / f"run-{salt}"),
            "models": {"own": model.model_dump()},
            **dict.fromkeys(("writer", "generator", "evaluator", "paraphraser"), role),
            "similarity": {"backend": "lexical"},
            "engine": {"kind": "local"},
        }
    )
    before = _sum(servers)
    display = Silent()
    with ExitStack() as patched:
        patched.enter_context(patch.object(vllm, "VLLMEndpoint", Played))
        patched.enter_context(patch.object(vllm, "local_replicas", lambda *_: vllm.Replicas(servers, key)))
        if arm != ARMS[0]:
            patched.enter_context(patch.object(vllm, "ranking", at_random))
        outcome = start(Generate(config), Options(), display)
        wall_s = time.monotonic() - display.began
    if outcome.figures["seeds"]["failed"]:
        raise RuntimeError(f"{arm}: {outcome.figures['seeds']}")
    return Measured(outcome.figures["calls"]["answered"], wall_s, _sum(servers) - before)


def _sum(servers: Sequence[Server]) -> Counter[str]:
    return sum((server.counters() for server in servers), Counter[str]())


def _device() -> str:
    try:
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "CPU"


def _line(arm: str, runs: Sequence[Measured]) -> str:
    rates = ", ".join(f"{run.rate:.2f}" for run in runs)
    return (
        f"  {arm:10} {median(run.rate for run in runs):6.2f} calls/s ({rates}), "
        f"{median(run.hits for run in runs):6.1%} of prompt tokens from the cache, "
        f"{median(run.computed for run in runs):6.0f} computed a call, "
        f"{median(run.counters['prompt_tokens'] / run.calls for run in runs):.0f} asked"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=SHAPES, default="7b")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--times", type=int, default=2)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--answer-tokens", type=int, default=160)
    parser.add_argument("--logs", type=Path, help="keep the servers' logs there")
    parser.add_argument("args", nargs="*", help="further arguments of `vllm serve`, after --")
    return parser.parse_args()


def _model(folder: Path, asked: argparse.Namespace) -> VLLMModel:
    own = ["--load-format", "dummy", "--max-model-len", "8192", "--limit-mm-per-prompt", ONE_IMAGE]
    return VLLMModel(
        backend="vllm",
        model=str(build_folder(folder, asked.shape)),
        replicas=asked.replicas,
        gpus_per_replica=0,  # none of its own: they share
        max_in_flight=asked.in_flight,
        args=[*own, *asked.args],
    )


def main() -> None:
    asked = _arguments()
    Played.answer_tokens = asked.answer_tokens
    runs: dict[str, list[Measured]] = {arm: [] for arm in ARMS}
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        model = _model(work / "model", asked)
        began = time.monotonic()
        with serving(model, asked.logs or work) as (servers, key):
            _say(f"{_device()}: {asked.replicas} replicas of a Qwen2.5-VL-{asked.shape} with random weights")
            _say(f"up after {time.monotonic() - began:.0f} s")
            measure(ARMS[0], servers, key, model, max(2, asked.seeds // 10), work)  # to get warm
            for turn in range(asked.times):
                for arm in ARMS if turn % 2 == 0 else ARMS[::-1]:
                    runs[arm].append(measure(arm, servers, key, model, asked.seeds, work))
                    _say(f"  {arm}: {runs[arm][-1]}")
    _say(f"{asked.seeds} seeds, {asked.in_flight} calls in flight, answers of {asked.answer_tokens} tokens:")
    for arm, measured in runs.items():
        _say(_line(arm, measured))
    ratios = [one.rate / other.rate for one, other in zip(*runs.values(), strict=True)]
    _say(f"  calls/s with affinity / without: {geometric_mean(ratios):.2f}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
