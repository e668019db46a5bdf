"""What an engineer writes in an afternoon: asyncio, ``AsyncOpenAI``, a semaphore, a line per finished item.

The same ladders from the same prompts as the engine makes, without limits, journal, resume, similarity or
books. ``python -m benchmarks.bare BASE_URL SEEDS OUTPUT [SLOTS]``.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

PROMPTS = Path(__file__).parents[1] / "prompts"
FIELDS = {
    "generator": {"reasoning": {"type": "string"}, "answer": {"type": "string"}},
    "evaluator": {
        "reasoning": {"type": "string"},
        "feedback": {"type": "string"},
        "score": {"type": "integer"},
    },
    "paraphraser": {"reasoning": {"type": "string"}, "answer": {"type": "string"}},
}


class Bare:
    """The client, its semaphore and its prompts."""

    def __init__(self, base_url: str, slots: int) -> None:
        self._client = AsyncOpenAI(base_url=base_url, api_key="none", max_retries=5)
        self._create: Any = self._client.chat.completions.create
        self._slots = asyncio.Semaphore(slots)
        self._prompts = {role: (PROMPTS / role / "v1.txt").read_text().split("\n===")[0] for role in FIELDS}
        self.calls = 0

    async def ask(self, role: str, url: str | None, **values: Any) -> dict[str, Any]:
        """One call."""
        text = self._prompts[role]
        for name, value in values.items():
            text = text.replace("{" + name + "}", str(value))
        content: list[dict[str, Any]] = [{"type": "text", "text": text}]
        if url:
            content.append({"type": "image_url", "image_url": {"url": url}})
        schema = {"type": "object", "properties": FIELDS[role], "required": list(FIELDS[role])}
        async with self._slots:
            self.calls += 1
            completion = await self._create(
                model="double",
                messages=[{"role": "user", "content": content}],
                temperature=0.9,
                max_tokens=700,
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": f"{role}_reply", "schema": schema},
                },
                timeout=120,
            )
        answer: dict[str, Any] = json.loads(completion.choices[0].message.content or "{}")
        return answer

    async def level(self, row: dict[str, Any], url: str, level: int) -> list[dict[str, Any]]:
        """A rationale of one level, refined, then reworded five times."""
        common = {"label": row["label"], "gold": row["gold_rationale"], "image": "", "annotations": ""}
        wanted = row["label"] if level > 2 else "real"
        text, revision = row["gold_rationale"], ""
        for _ in range(4):
            if level < 5:
                made = await self.ask(
                    "generator", url, **common, level=level, answer=wanted, words=60, revision=revision
                )
                text = made["reasoning"]
            candidate = f"<reasoning>{text}</reasoning> <answer>{wanted}</answer>"
            rated = await self.ask("evaluator", url, **common, candidate=candidate)
            if level in (5, rated["score"]):
                break
            revision = f"Before you wrote: {text}\nThe rater said: {rated['feedback']}"
        async with asyncio.TaskGroup() as group:
            candidate = f"<reasoning>{text}</reasoning> <answer>{wanted}</answer>"
            tasks = [
                group.create_task(
                    self.ask(
                        "paraphraser", None, candidate=candidate, variation=f"Variation {n}.", refused=""
                    )
                )
                for n in range(5)
            ]
        return [task.result() for task in tasks]

    async def item(self, row: dict[str, Any], root: Path, output: Any) -> None:
        """All levels of one seed, and its line."""
        with suppress(BaseExceptionGroup):  # of errors of the client: the item is lost
            made = await self._levels(row, root)
            output.write(json.dumps({"id": row["id"], "levels": made}) + "\n")

    async def _levels(self, row: dict[str, Any], root: Path) -> list[list[dict[str, Any]]]:
        url = "data:image/png;base64," + base64.b64encode((root / row["image"]).read_bytes()).decode()
        async with asyncio.TaskGroup() as group:
            levels = [group.create_task(self.level(row, url, level)) for level in range(1, 6)]
        return [task.result() for task in levels]


async def run(bare: Bare, rows: list[dict[str, Any]], root: Path, stream: Any) -> None:
    """All items, a coroutine each."""
    async with asyncio.TaskGroup() as group:
        for row in rows:
            group.create_task(bare.item(row, root, stream))


def main() -> None:
    base_url, seeds, output = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    rows = [json.loads(line) for line in seeds.read_text().splitlines()]
    with output.open("w") as stream:
        asyncio.run(run(Bare(base_url, int((sys.argv[4:] or ["64"])[0])), rows, seeds.parent, stream))


if __name__ == "__main__":
    main()
