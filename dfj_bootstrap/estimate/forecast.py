"""Calls, tokens, cost and hours of a run, by role and by endpoint, before anything is spent.

Every seed row is read by the reader that the run itself uses, each paid role's prompt is filled in for it,
and what a run in the output folder has answered already is left out.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.endpoints.prices import Priced
from dfj_bootstrap.estimate.course import (
    ROLE_OF,
    Assumptions,
    Course,
    Load,
    Range,
    assume,
    calls_left,
    chain_hours,
    longest,
    total,
)
from dfj_bootstrap.estimate.history import Past, look_back
from dfj_bootstrap.estimate.parts import Part, busy_hours, parts_of
from dfj_bootstrap.estimate.sizes import Sizes
from dfj_bootstrap.intake.plan import make_plan
from dfj_bootstrap.intake.seed_json import read_seeds
from dfj_bootstrap.intake.seeds import SeedItems
from dfj_bootstrap.storage.planned import PlanSummary

SAMPLE = 256
"""Rows that a quick look reads."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is to be expected.

    Attributes:
        seeds: good rows.
        finished, begun: of these, how many need nothing more, and how many were begun.
        refused: rows that are no seeds.
        parts: by role; empty where the rules play all of them.
        priced: endpoint → its prices and their source.
        basis: what the assumptions go by, in words.
        spent_usd: spent in the run's own folder so far.
    """

    seeds: int
    finished: int
    begun: int
    refused: int
    parts: tuple[Part, ...]
    hours: Range
    priced: Mapping[str, Priced]
    basis: str
    spent_usd: float
    assumed: Assumptions

    @property
    def load(self) -> Load:
        return sum((part.load for part in self.parts), Load())

    @property
    def cost(self) -> Range | None:
        """USD over the endpoints whose prices are known; ``None`` where none is."""
        known = [part.cost for part in self.parts if part.cost is not None]
        return total(known) if known or not self.parts else None

    @property
    def unpriced(self) -> list[str]:
        """Endpoints in use whose price isn't known: their calls are in no cost."""
        return sorted({part.endpoint for part in self.parts if part.cost is None})


def forecast(config: Config, *, limit: int | None = None, quick: bool = False) -> Forecast:
    """What a run that starts now would take.

    Args:
        limit: as of ``dfj generate``: only the first so many good rows.
        quick: read the first ``SAMPLE`` good rows only, and scale by the number of lines.

    Raises:
        RunError: the seeds, a prompt or a run folder can't be read.
    """
    past = look_back(config)
    with tempfile.TemporaryDirectory(prefix="dfj-plan-") as scratch:
        rows = min(limit or SAMPLE, SAMPLE) if quick else limit
        items = SeedItems(config.seed_files, config.image_root)
        plan = make_plan(Path(scratch), items, limit=rows, trial=True)
        wanted = plan.total if limit is None else min(limit, plan.total)
        count = _Count(config, past)
        for seed in _seeds(Path(scratch), plan, wanted):
            count.take(seed)
    scale = 1.0
    if quick and not plan.complete:
        good = plan.total / (plan.total + plan.refused)
        scale = min(limit or _lines(config), _lines(config) * good) / plan.total
    return count.forecast(plan, wanted, max(1.0, scale))


def _seeds(folder: Path, plan: PlanSummary, wanted: int) -> Iterator[Seed]:
    for partition in range(plan.partitions):
        for seed in read_seeds(folder, partition):
            if seed.ordinal < wanted:
                yield seed


def _lines(config: Config) -> int:
    lines = 0
    for file in config.seed_files:
        with file.open("rb") as stream:
            while chunk := stream.read(2**20):
                lines += chunk.count(b"\n")
    return lines


class _Count:
    """Adds up seed by seed; nothing is kept of a seed."""

    def __init__(self, config: Config, past: Past) -> None:
        self._config = config
        self._past = past
        refine, words = config.refine, config.paraphraser
        course = Course(refine.max_rounds, words.count, words.max_tries, refine.threshold)
        self._assumed = assume(course, past.basis.measured)
        self._sizes = Sizes(config, past.basis.tokens)
        self._loads: dict[str, Load] = defaultdict(Load)
        self._finished = self._begun = 0

    def take(self, seed: Seed) -> None:
        if seed.id in self._past.own.finished:
            self._finished += 1
            return
        answered = self._past.own.answered(seed.id)
        self._begun += self._past.own.has_begun(seed.id)
        calls = calls_left(seed.gold is not None, answered, self._assumed)
        for kind, size in self._sizes.of(seed).items():
            load = Load(calls[kind], calls[kind] * size.input, calls[kind] * size.output)
            self._loads[ROLE_OF[kind]] += load

    def forecast(self, plan: PlanSummary, seeds: int, scale: float) -> Forecast:
        """What the run will take: ``scale`` times what the ``seeds`` take that were added up."""
        shares = {role: seen.cached_share for role, seen in self._past.basis.tokens.items()}
        loads = {role: load.scaled(scale) for role, load in self._loads.items()}
        parts, prices = parts_of(self._config, loads, shares)
        return Forecast(
            round(seeds * scale),
            self._finished,
            self._begun,
            round(plan.refused * scale),
            tuple(parts),
            self._hours(parts),
            prices,
            self._basis(),
            self._past.own.cost_usd,
            self._assumed,
        )

    def _hours(self, parts: Sequence[Part]) -> Range:
        """The busiest endpoint, and once the chain of a single seed, which nothing can shorten."""
        if not any(part.load.calls.high for part in parts):
            return Range()
        chain = chain_hours(self._assumed, self._answer_tokens(parts))
        return longest(busy_hours(self._config, parts)) + chain

    def _answer_tokens(self, parts: Sequence[Part]) -> float:
        calls = total(part.load.calls for part in parts).likely
        return total(part.load.output_tokens for part in parts).likely / calls if calls else 0.0

    def _basis(self) -> str:
        basis = self._past.basis
        if basis.folder is None or not basis.measured.seeds:
            return "documented defaults (a `dfj preview` of a few seeds makes this much surer)"
        kind = "the preview" if basis.folder != self._config.output else "the run so far"
        return f"{basis.measured.seeds} finished seeds of {kind} in {basis.folder}"


def as_json(found: Forecast) -> dict[str, Any]:
    """What ``dfj plan --json`` prints."""
    return {
        "seeds": {
            "total": found.seeds,
            "finished": found.finished,
            "begun": found.begun,
            "refused": found.refused,
        },
        "total": {**_load(found.load), "cost_usd": _range(found.cost, 6), "hours": _range(found.hours, 4)},
        "roles": {
            part.role: {
                "endpoint": part.endpoint,
                "model": part.model,
                **_load(part.load),
                "cost_usd": _range(part.cost, 6),
            }
            for part in found.parts
        },
        "endpoints": {name: _endpoint(found, name) for name in found.priced},
        "unpriced": found.unpriced,
        "spent_usd": found.spent_usd,
        "basis": found.basis,
        "assumed": _assumptions(found.assumed),
    }


def _endpoint(found: Forecast, name: str) -> dict[str, Any]:
    parts = [part for part in found.parts if part.endpoint == name]
    known = [part.cost for part in parts if part.cost is not None]
    return {
        "prices": found.priced[name].as_row(),
        **_load(sum((part.load for part in parts), Load())),
        "cost_usd": _range(total(known) if known else None, 6),
    }


def _assumptions(assumed: Assumptions) -> dict[str, Any]:
    by_level = {"rounds": assumed.rounds, "accepted": assumed.accepted}
    flat = {"tries": assumed.tries, "gold_low": assumed.gold_low, "justified": assumed.justified}
    return {
        **{key: {str(n): _range(each, 3) for n, each in of.items()} for key, of in by_level.items()},
        **{key: _range(each, 3) for key, each in flat.items()},
        "calls_per_answer": {role: _range(each, 3) for role, each in sorted(assumed.asks.items())},
    }


def _load(load: Load) -> dict[str, Any]:
    return {
        "calls": _range(load.calls),
        "input_tokens": _range(load.input_tokens),
        "output_tokens": _range(load.output_tokens),
    }


def _range(figure: Range | None, digits: int | None = None) -> dict[str, float] | None:
    if figure is None:
        return None
    return {name: round(getattr(figure, name), digits) for name in ("low", "likely", "high")}
