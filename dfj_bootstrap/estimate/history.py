"""What earlier work in a run folder tells: what is answered already, and what such a run takes.

Reads the journals, the books and the commits; opens nothing for writing and takes no lock, so a run
may go on meanwhile.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dfj_bootstrap.app.basis import basis_of
from dfj_bootstrap.app.previews import preview_folder
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.domain.rationale import GOLD_LEVEL, LEVELS, WRITTEN_LEVELS
from dfj_bootstrap.engine.partition import is_current
from dfj_bootstrap.engine.task import Job
from dfj_bootstrap.estimate.course import NOTHING, Answered, Measured
from dfj_bootstrap.estimate.sizes import MeanTokens
from dfj_bootstrap.intake.seed_json import read_seeds
from dfj_bootstrap.roles.generation import FORMS
from dfj_bootstrap.roles.identity import identity_of, made_with_another
from dfj_bootstrap.storage.manifest import read_manifest
from dfj_bootstrap.storage.planned import read_summary
from dfj_bootstrap.storage.reader import RunReader
from dfj_bootstrap.storage.status import read_status
from dfj_bootstrap.tasks.generate import Generate
from dfj_bootstrap.tasks.generation_ledger import GENERATION


@dataclass(slots=True)
class _Seed:
    """What the journal holds of one seed."""

    written: bool = False
    ratings: int = 0
    rounds: set[tuple[int, int, int]] = field(default_factory=set)
    paraphrases: set[tuple[int, int]] = field(default_factory=set)

    def take(self, role: str, record: Mapping[str, Any]) -> None:
        level, index = record["level"], record["round"]
        if role == "writer":
            self.written = True
        elif role == "evaluator":
            self.ratings += 1
        elif role == "generator":
            self.rounds.add((level, record["sample"], index))
        elif role == "paraphraser":
            self.paraphrases.add((level, index))

    def answered(self) -> Answered:
        return Answered(
            self.written,
            self.ratings,
            Counter(level for level, _, _ in self.rounds),
            Counter(level for level, _ in self.paraphrases),
        )


@dataclass(frozen=True, slots=True)
class History:
    """Earlier work with the same models and prompts.

    Attributes:
        folder: where it was found; ``None``: there is none.
        finished: ids of seeds that need nothing more.
        measured: rounds, shares and tries; ``measured.seeds`` is 0 where no seed was finished.
        tokens: role → mean tokens of the answers that tell theirs.
        cost_usd: spent there so far.
    """

    folder: Path | None = None
    finished: frozenset[str] = frozenset()
    measured: Measured = field(default_factory=Measured)
    tokens: Mapping[str, MeanTokens] = field(default_factory=dict)
    cost_usd: float = 0.0
    _seeds: Mapping[str, _Seed] = field(default_factory=dict)

    def answered(self, seed_id: str) -> Answered:
        """What has been answered of a seed."""
        seed = self._seeds.get(seed_id)
        return seed.answered() if seed else NOTHING

    def has_begun(self, seed_id: str) -> bool:
        """Whether anything of a seed was answered."""
        return seed_id in self._seeds


@dataclass(frozen=True, slots=True)
class Past:
    """What to go by, and what not to count again.

    Attributes:
        basis: the folder with the most finished seeds.
        own: what a run that starts now takes over: its own folder, else the preview's.
    """

    basis: History
    own: History


def look_back(config: Config) -> Past:
    """Earlier work for this configuration: the run's own folder, and its preview's.

    Raises:
        RunError: a folder is damaged, or a prompt can't be read.
    """
    run, preview = read_history(config, config.output), read_history(config, preview_folder(config))
    own = run if config.output.exists() else preview
    return Past(max(run, preview, key=lambda history: history.measured.seeds), own)


def read_history(config: Config, run: Path) -> History:
    """The work in a folder; an empty history where there is none, or it was made with something else."""
    manifest = read_manifest(run)
    if manifest is None or made_with_another(manifest, config, FORMS):
        return History()
    seeds: dict[str, _Seed] = defaultdict(_Seed)
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    reader = RunReader(run, manifest)
    for record in reader.records():
        if "role" in record:
            seeds[record["seed"]].take(record["role"], record)
            _add(sums[record["role"]], record["value"])
    status = read_status(run, GENERATION)
    books = Counter(status["tally"])
    finished = _finished_seeds(books)
    whole = not status["seeds"]["pending"] and not status["seeds"]["failed"]
    reworded = sum(len(seed.paraphrases) for seed in seeds.values())
    return History(
        run,
        _standing_seeds(config, reader),
        _measured(books, finished, sums if whole else {}, reworded),
        {role: _mean(each, finished) for role, each in sums.items() if each["told"]},
        status["cost_usd"],
        dict(seeds),
    )


def _finished_seeds(books: Mapping[str, float]) -> int:
    return int(books.get("seeds.complete", 0) + books.get("seeds.incomplete", 0))


def _measured(books: Counter[str], seeds: int, sums: Mapping[str, Counter[str]], reworded: int) -> Measured:
    """Rounds and shares from the books; what needs the calls too, where ``sums`` and books end together.

    Args:
        sums: role → sums over its answers; empty where some belong to seeds that aren't finished.
        reworded: paraphrases that were asked for at least once.
    """
    if not seeds:
        return Measured()
    done = {n: books[f"level.{n}.accepted"] + books[f"level.{n}.rejected"] for n in LEVELS}
    rounds = {n: books[f"level.{n}.rounds"] / done[n] for n in WRITTEN_LEVELS if done[n]}
    tries = books["paraphrases.accepted"] + books["paraphrases.rejected"]
    needed = {
        "generator": sum(books[f"level.{n}.rounds"] for n in WRITTEN_LEVELS),
        "evaluator": sum(books[f"level.{n}.rounds"] for n in LEVELS),
        "paraphraser": tries,
    }
    return Measured(
        seeds,
        rounds={level: max(1.0, mean) for level, mean in rounds.items()},
        accepted={n: books[f"level.{n}.accepted"] / done[n] for n in WRITTEN_LEVELS if done[n]},
        tries=max(1.0, tries / reworded) if sums and reworded else None,
        gold_low=books["gold_low"] / done[GOLD_LEVEL] if done[GOLD_LEVEL] else None,
        asks={
            role: max(1.0, sums[role]["calls"] / count)
            for role, count in needed.items()
            if count and role in sums
        },
    )


def _add(sums: Counter[str], reply: Mapping[str, Any]) -> None:
    sums.update(
        calls=1,
        told=bool(reply["input_tokens"]),
        input=reply["input_tokens"],
        output=reply["output_tokens"],
        cached=min(reply["cached_tokens"], reply["input_tokens"]),
    )


def _mean(sums: Counter[str], seeds: int) -> MeanTokens:
    cached = sums["cached"] / sums["input"]
    return MeanTokens(sums["input"] / sums["told"], sums["output"] / sums["told"], cached, seeds)


def _standing_seeds(config: Config, reader: RunReader) -> frozenset[str]:
    """The seeds of partitions whose last commit a run that starts now would let stand."""
    run, plan = reader.run, read_summary(reader.run)
    if plan is None:
        return frozenset()
    task = Generate(config.model_copy(update={"output": run}))
    job = Job(task, task.config, reader.manifest["run_id"], basis_of(task, identity_of(config, FORMS)))
    commits = reader.commits()
    current = (p for p in range(plan.partitions) if is_current(job, p, commits.get(p)))
    return frozenset(seed.id for partition in current for seed in read_seeds(run, partition))
