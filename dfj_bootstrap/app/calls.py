"""Every call of a run with its prompt and answer, from the run folder alone.

The journal holds answers, not prompts: those would take many times the room. They are made again by the same
code that made them, which answers itself from the journal and sends nothing. What it doesn't come by (the
prompt file has changed, or a threshold, so that the call isn't reached any more) is shown without its prompt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from dfj_bootstrap.calls.call import IMAGE, Call, Endpoint, Reply
from dfj_bootstrap.calls.journalled import JournalledEndpoint, read_reply
from dfj_bootstrap.config.run import RunConfig
from dfj_bootstrap.domain.trajectory import Ladder
from dfj_bootstrap.engine.task import AnyTask
from dfj_bootstrap.errors import CallFailed, RunFolderError
from dfj_bootstrap.roles.backends import Backends
from dfj_bootstrap.roles.casting import Cast
from dfj_bootstrap.similarity.lexical import LexicalSimilarity, NoSimilarity
from dfj_bootstrap.stages.protocols import Similarity
from dfj_bootstrap.storage.facts import fact_of
from dfj_bootstrap.storage.journal import Records
from dfj_bootstrap.storage.planned import partition_file, read_rows
from dfj_bootstrap.storage.reader import open_run
from dfj_bootstrap.tasks.registry import ledger_of, task_of


@dataclass(frozen=True, slots=True)
class SeenCall:
    """One answered call.

    Attributes:
        level: the intended level; ``None`` for the evaluator, which isn't told it.
        rates: the levels whose candidate an evaluator's call rates; two if their texts are alike.
        round: turn of the refine loop; for a paraphrase, its index.
        prompt: the text of the question, without the image; ``None`` where it can't be made again.
        image: the name of the image that went with it, if one did.
        noun: what the job calls what it asked about.
    """

    role: str
    endpoint: str
    seed: str
    level: int | None
    rates: tuple[int, ...]
    round: int
    sample: int
    try_index: int | None
    prompt: str | None
    image: str | None
    reply: Reply
    noun: str = "seed"

    @property
    def levels(self) -> tuple[int, ...]:
        """The levels that it has to do with."""
        return self.rates if self.level is None else (self.level,)


async def read_calls(run: Path, item_id: str | None = None) -> AsyncGenerator[SeenCall, None]:
    """The answered calls of one item, or of all, item by item in the order in which they are made.

    Raises:
        RunFolderError: the folder holds no run, or no such item.
        ConfigError: a prompt file of the run is gone.
    """
    reader = open_run(run)
    task, found = task_of(run, reader.manifest), False
    own = range(reader.plan().partitions) if item_id is None else [reader.partition_of(item_id)]
    for partition in own:
        records = _Answers(reader.records(partition))
        for row in read_rows(partition_file(run, partition)):
            if item_id in (None, row["id"]):
                found = True
                for call in await _calls_of(task, row, records):
                    yield replace(call, noun=reader.noun)
    if not found:
        raise RunFolderError(f"{run}: no {ledger_of(run, reader.manifest).items.name}")


class _Answers:
    """A partition's journal, read only.

    Attributes:
        hidden: keys of facts that are to be as if nobody had added them yet.
    """

    def __init__(self, records: Iterable[Mapping[str, Any]]) -> None:
        self._values: dict[str, Any] = {}
        self._answers: dict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
        self._facts: dict[str, list[str]] = defaultdict(list)
        self.hidden: Collection[str] = ()
        for record in records:
            self._enter(record["key"], record)

    def _enter(self, key: str, record: Mapping[str, Any]) -> None:
        if key in self._values:
            return
        self._values[key] = record["value"]
        if "role" in record:
            self._answers[record["seed"]][key] = record
        elif fact := fact_of(record):
            self._facts[fact.item_id].append(key)

    def get(self, key: str) -> Any | None:
        return None if key in self.hidden else self._values.get(key)

    def append(self, key: str, value: Any, **about: Any) -> None:
        """Nothing is recorded by reading."""

    def of_item(self, item_id: str) -> dict[str, Mapping[str, Any]]:
        """The answers to an item's calls, by their keys."""
        return dict(self._answers[item_id])

    def facts_of(self, item_id: str) -> list[str]:
        """The keys of what was decided about an item after calls had been made for it, oldest first."""
        return self._facts[item_id]


class _Listening(JournalledEndpoint):
    """Notes the calls that the journal has an answer to."""

    def __init__(
        self, heard: dict[str, Call], inner: Endpoint, journal: Records, count: Callable[[str, float], None]
    ) -> None:
        super().__init__(inner, journal, count)
        self._heard = heard

    async def complete(self, call: Call) -> Reply:
        reply = await super().complete(call)
        self._heard.setdefault(call.key, call)
        return reply


class _Silent:
    """Says nothing: what the journal doesn't hold is a failed call."""

    async def complete(self, call: Call) -> Reply:
        raise CallFailed(f"{call.role}: not answered so far")

    async def similarity(self, a: str, b: str) -> float | None:
        raise CallFailed("two texts have not been compared so far")

    def stop_admission(self) -> None:
        """Nothing is ever sent."""

    async def aclose(self) -> None:
        """Nothing is open."""


def _backends(config: RunConfig) -> Backends:
    """What a partition's roles need, without anything that could be reached."""
    silent, compares_by = _Silent(), config.compares_by
    similarity: Mapping[str, Similarity] = {
        "sentence-transformers": silent,  # its verdicts stand in the journal
        "lexical": LexicalSimilarity(),
        "none": NoSimilarity(),
    }
    backend = compares_by.backend if compares_by else "none"
    return Backends(dict.fromkeys(config.paid_models, silent), similarity[backend], 1)


async def _calls_of(task: AnyTask | None, row: Mapping[str, Any], records: _Answers) -> list[SeenCall]:
    heard: dict[str, Call] = {}
    results = await _replayed(task, row, records, heard) if task else []
    answered = records.of_item(row["id"])
    seen = [_seen(call, answered.pop(key), results) for key, call in heard.items()]
    return seen + [_unheard(record) for record in answered.values()]


async def _replayed(
    task: AnyTask, row: Mapping[str, Any], records: _Answers, heard: dict[str, Call]
) -> list[Any]:
    """Do an item again from the journal: without the facts that were added, then with one after another.

    Each of them made the same item take another way from there on.

    Args:
        heard: takes up the calls that were answered.
    """
    cast = Cast(task.config, _backends(task.config), records, lambda *_: None, partial(_Listening, heard))
    item, results = task.items.from_row(row), []
    facts = records.facts_of(row["id"])
    for known in range(len(facts) + 1):
        records.hidden = facts[known:]
        with suppress(CallFailed):
            results.append(await task.do(item, cast))
    return results


def _seen(call: Call, record: Mapping[str, Any], results: list[Any]) -> SeenCall:
    place = call.place
    return SeenCall(
        role=call.role,
        endpoint=call.endpoint,
        seed=place.seed_id,
        level=place.level,
        rates=_rated(call, results) if place.level is None else (),
        round=place.round_index,
        sample=place.sample,
        try_index=place.try_index,
        prompt="\n".join(part for part in call.parts if part != IMAGE),
        image=call.image.name if call.image else None,
        reply=read_reply(record["value"]),
    )


def _unheard(record: Mapping[str, Any]) -> SeenCall:
    return SeenCall(
        role=record["role"],
        endpoint=record["endpoint"],
        seed=record["seed"],
        level=record["level"],
        rates=(),
        round=record["round"],
        sample=record["sample"],
        try_index=None,
        prompt=None,
        image=None,
        reply=read_reply(record["value"]),
    )


def _rated(call: Call, results: list[Any]) -> tuple[int, ...]:
    """The levels whose candidate of this round stands in the evaluator's question."""
    text = call.parts[-1]
    levels = {
        trajectory.brief.level
        for ladder in results
        if isinstance(ladder, Ladder)
        for trajectory in ladder.trajectories
        for round_ in trajectory.rounds
        if round_.candidate.rationale.tagged() in text
    }
    return tuple(sorted(levels))
