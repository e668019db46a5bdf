"""Every call of a run with its prompt and answer, from the run folder alone.

The journal holds answers, not prompts: those would take many times the room. They are made again by the same
code that made them, which answers itself from the journal and sends nothing. What it doesn't come by (the
prompt file has changed, or a threshold, so that the call isn't reached any more) is shown without its prompt.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dfj_bootstrap.calls.call import IMAGE, Call, Endpoint, Reply
from dfj_bootstrap.calls.journalled import JournalledEndpoint, read_reply
from dfj_bootstrap.config.models import PaidModel
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.domain.rationale import LEVELS
from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.domain.trajectory import Ladder
from dfj_bootstrap.errors import CallFailed, RunFolderError
from dfj_bootstrap.policy.ordering import partition_of
from dfj_bootstrap.roles.casting import Backends, Cast, recipe_of
from dfj_bootstrap.runs.facts import samples_of
from dfj_bootstrap.runs.journal import Records, read_journal
from dfj_bootstrap.runs.manifest import read_manifest
from dfj_bootstrap.runs.planned import read_partition, read_summary
from dfj_bootstrap.similarity.lexical import LexicalSimilarity, NoSimilarity
from dfj_bootstrap.stages.ladder import build_ladder
from dfj_bootstrap.stages.protocols import Similarity


@dataclass(frozen=True, slots=True)
class SeenCall:
    """One answered call.

    Attributes:
        level: the intended level; ``None`` for the evaluator, which isn't told it.
        rates: the levels whose candidate an evaluator's call rates; two if their texts are alike.
        round: turn of the refine loop; for a paraphrase, its index.
        prompt: the text of the question, without the image; ``None`` where it can't be made again.
        image: the name of the image that went with it, if one did.
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

    @property
    def levels(self) -> tuple[int, ...]:
        """The levels that it has to do with."""
        return self.rates if self.level is None else (self.level,)


async def read_calls(run: Path, seed_id: str | None = None) -> AsyncGenerator[SeenCall, None]:
    """The answered calls of one seed, or of all, seed by seed in the order in which they are made.

    Raises:
        RunFolderError: the folder holds no run, or no such seed.
        ConfigError: a prompt file of the run is gone.
    """
    manifest, plan = read_manifest(run), read_summary(run)
    if manifest is None or plan is None:
        raise RunFolderError(f"{run}: no run here; give the output folder of `dfj generate`")
    config = _config_of(run, manifest)
    own = [partition_of(seed_id, plan.partitions)] if seed_id is not None else range(plan.partitions)
    found = False
    for partition in own:
        records = _Answers(run / "journal" / f"part-{partition:04d}")
        for seed in read_partition(run, partition):
            if seed_id in (None, seed.id):
                found = True
                for call in await _calls_of(config, seed, records):
                    yield call
    if not found:
        raise RunFolderError(f"{run}: no seed {seed_id!r} in this run" if seed_id else f"{run}: no seeds")


def _config_of(run: Path, manifest: Mapping[str, Any]) -> Config:
    try:
        return Config.model_validate(manifest["config"])
    except ValidationError:
        raise RunFolderError(
            f"{run / 'run.json'}: its config is damaged, or of another version of this program"
        ) from None


class _Answers:
    """A partition's journal, read only."""

    def __init__(self, folder: Path) -> None:
        self._records: dict[str, dict[str, Any]] = {}
        for record in read_journal(folder):
            self._records.setdefault(record["key"], record)

    def get(self, key: str) -> Any | None:
        record = self._records.get(key)
        return None if record is None else record["value"]

    def append(self, key: str, value: Any, **about: Any) -> None:
        """Nothing is recorded by reading."""

    def of_seed(self, seed_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
        return ((k, r) for k, r in self._records.items() if "role" in r and r["seed"] == seed_id)


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


def _backends(config: Config) -> Backends:
    """What a partition's roles need, without anything that could be reached."""
    silent = _Silent()
    paid = [name for name, model in config.models.items() if isinstance(model, PaidModel)]
    similarity: Mapping[str, Similarity] = {
        "sentence-transformers": silent,  # its verdicts stand in the journal
        "lexical": LexicalSimilarity(),
        "none": NoSimilarity(),
    }
    return Backends(dict.fromkeys(paid, silent), similarity[config.similarity.backend], 1)


async def _calls_of(config: Config, seed: Seed, records: _Answers) -> list[SeenCall]:
    heard: dict[str, Call] = {}
    cast = Cast(config, _backends(config), records, lambda name, amount: None, partial(_Listening, heard))
    last = samples_of(records, seed.id)
    ladders = []
    for sample in range(max(last.values()) + 1):
        samples = {level: min(sample, last[level]) for level in LEVELS}
        ladders.append(await build_ladder(seed, samples, cast.roles, recipe_of(config), lambda done: None))
    answered = dict(records.of_seed(seed.id))
    seen = [_seen(call, answered.pop(key), ladders) for key, call in heard.items()]
    return seen + [_unheard(record) for record in answered.values()]


def _seen(call: Call, record: dict[str, Any], ladders: list[Ladder]) -> SeenCall:
    place = call.place
    return SeenCall(
        role=call.role,
        endpoint=call.endpoint,
        seed=place.seed_id,
        level=place.level,
        rates=_rated(call, ladders) if place.level is None else (),
        round=place.round_index,
        sample=place.sample,
        try_index=place.try_index,
        prompt="\n".join(part for part in call.parts if part != IMAGE),
        image=call.image.name if call.image else None,
        reply=read_reply(record["value"]),
    )


def _unheard(record: dict[str, Any]) -> SeenCall:
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


def _rated(call: Call, ladders: list[Ladder]) -> tuple[int, ...]:
    """The levels whose candidate of this round stands in the evaluator's question."""
    text = call.parts[-1]
    levels = {
        trajectory.brief.level
        for ladder in ladders
        for trajectory in ladder.trajectories
        for round_ in trajectory.rounds
        if round_.candidate.rationale.tagged() in text
    }
    return tuple(sorted(levels))
