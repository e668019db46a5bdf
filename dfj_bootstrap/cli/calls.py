"""``dfj calls``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from dfj_bootstrap.app.calls import SeenCall, read_calls
from dfj_bootstrap.cli.report import money
from dfj_bootstrap.cli.terminal import printable, write_lines

_NO_PROMPT = "(the prompt can't be made again: its file or the configuration has changed)"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls to show; ``None`` means all."""

    seed: str | None = None
    level: int | None = None
    round: int | None = None
    role: str | None = None

    def covers(self, call: SeenCall) -> bool:
        return (
            (self.level is None or self.level in call.levels)
            and self.round in (None, call.round)
            and self.role in (None, call.role)
        )


def show_calls(run: Path, wanted: Wanted, *, as_json: bool) -> None:
    """Write the calls that are wanted: as JSON lines, or as text for people.

    Raises:
        RunError: no run there, no such seed, or a prompt file is gone.
    """
    asyncio.run(_show(run, wanted, as_json))


async def _show(run: Path, wanted: Wanted, as_json: bool) -> None:
    shown = 0
    async with aclosing(read_calls(run, wanted.seed)) as calls:
        async for call in calls:
            if wanted.covers(call):
                shown += 1
                write_lines(_as_json(call) if as_json else printable("\n".join(_lines(call))))
    if not shown and not as_json:
        write_lines("no answered call fits")


def _as_json(call: SeenCall) -> str:
    """One line; ``backend: scripted`` can replay it."""
    reply = call.reply.as_record()
    row: dict[str, Any] = {
        "role": call.role, "seed": call.seed, "level": call.level, "rates": call.rates, "round": call.round,
        "sample": call.sample, "try": call.try_index, "endpoint": call.endpoint, "image": call.image,
        "prompt": call.prompt, "answer": reply.pop("text"),
    }  # fmt: skip
    return orjson.dumps(row | reply).decode()


def _lines(call: SeenCall) -> Iterator[str]:
    yield f"=== {' · '.join(_head(call))} ==="
    if call.image:
        yield f"(with the image {call.image})"
    yield _NO_PROMPT if call.prompt is None else call.prompt
    yield f"--- {' · '.join(_about_answer(call))} ---"
    yield call.reply.text
    if call.reply.logprobs:
        yield "logprobs: " + " ".join(f"{token!r} {logprob:.3f}" for token, logprob in call.reply.logprobs)
    yield ""


def _head(call: SeenCall) -> Iterator[str]:
    yield call.role
    yield f"{call.noun} {call.seed}"
    if call.levels or call.role == "evaluator":
        levels = " and ".join(map(str, call.levels)) or "?"
        yield f"level {levels}" + (" (not told)" if call.level is None else "")
    yield f"{'paraphrase' if call.role == 'paraphraser' else 'round'} {call.round}"
    if call.sample:
        yield f"sample {call.sample}"
    if call.try_index is not None:
        yield f"try {call.try_index}"


def _about_answer(call: SeenCall) -> Iterator[str]:
    reply = call.reply
    yield f"{call.endpoint}: {reply.model}"
    yield str(reply.finish)
    yield f"{reply.input_tokens} tokens in ({reply.cached_tokens} cached), {reply.output_tokens} out"
    if reply.cost_usd:
        yield money(reply.cost_usd)
