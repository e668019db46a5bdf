"""A run from start to end: lock, plan, work, assemble, close the books. The composition root."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

import orjson

from dfj_bootstrap import __version__
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.dataset.assembly import assemble
from dfj_bootstrap.dataset.checksums import visible_damage
from dfj_bootstrap.dataset.records import shipped_prompts
from dfj_bootstrap.endpoints.prices import price_notes, with_prices
from dfj_bootstrap.engine.partition import Job, is_current
from dfj_bootstrap.errors import BudgetSpent, DamagedPart, RunError, Stopped, unwrapped
from dfj_bootstrap.intake.plan import make_plan
from dfj_bootstrap.policy import RULES_OF_DECISION
from dfj_bootstrap.policy.splitting import split_of
from dfj_bootstrap.roles.casting import backend_note, check_backends
from dfj_bootstrap.roles.identity import default_identity_of, identity_of
from dfj_bootstrap.runs.books import Books
from dfj_bootstrap.runs.commits import PartRecord, read_part_records
from dfj_bootstrap.runs.damage import (
    check_answers,
    check_plan_is_there,
    withdraw_damaged,
    withdraw_unreadable,
)
from dfj_bootstrap.runs.lock import run_lock
from dfj_bootstrap.runs.manifest import close_manifest, open_manifest
from dfj_bootstrap.runs.planned import PlanSummary, check_plan
from dfj_bootstrap.runs.spent import MAYBE_USD
from dfj_bootstrap.runs.status import Snapshot, journalled, worked_s
from dfj_bootstrap.runs.tables import drop_stale_parts
from dfj_bootstrap.runs.tally import OF_ONE_START, Tally, damaged_lines, imbalance
from dfj_bootstrap.runs.trouble import folder_trouble_told

_LOG = logging.getLogger(__name__)


class Display(Protocol):
    """Shows a run while it goes on; decides nothing."""

    def phase(self, name: str) -> None:
        """The run goes over to another phase: ``planning``, ``working``, ``assembling``."""

    def planned(self, done: int, total: int) -> None:
        """So many rows have been read, of about ``total``."""

    def working(self, books: Books) -> None:
        """Work begins; the books will change."""

    def changed(self) -> None:
        """The books have changed; called often, must be cheap."""


@dataclass(frozen=True, slots=True)
class Options:
    """What one start of a run may ask for besides its configuration."""

    limit: int | None = None
    retry_rejected: bool = False
    assemble: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a start ended.

    Attributes:
        already: nothing was left to do.
        complete: the input was read to its end, not to a limit.
        books: what ``dfj status`` says.
        tally: all counts behind it.
        dataset: what the dataset holds; empty where none was assembled.
    """

    already: bool
    complete: bool
    books: dict[str, Any]
    tally: Tally
    dataset: dict[str, Any]


def generate(config: Config, options: Options, display: Display) -> Outcome:
    """Run a configuration, or go on where its run folder stands.

    Raises:
        BudgetSpent: the next call doesn't fit the budget; ``run.json`` says ``budget``.
        RunError: the run can't go on; ``run.json`` says ``failed``.
        KeyboardInterrupt: stopped by a person; ``run.json`` says ``interrupted``.
    """
    with run_lock(config.output), folder_trouble_told(config.output):
        notes = price_notes(config)
        manifest = open_manifest(
            config.output,
            config.model_dump(mode="json"),
            identity_of(config),
            notes,
            default_identity_of(config),
            preview=not options.assemble,
        )
        started = time.monotonic() - worked_s(config.output, manifest)
        state, results = "failed", dict[str, Any]()
        try:
            with folder_trouble_told(config.output):
                check_backends(config)
                outcome = _run(_Start(with_prices(config), options, display, manifest, started))
            state = "complete" if outcome.complete else "interrupted"
            results = {"books": outcome.books, "tally": outcome.tally, "dataset": outcome.dataset}
        except (KeyboardInterrupt, asyncio.CancelledError):
            state = "interrupted"
            raise
        except RunError as error:
            state = "budget" if isinstance(error, BudgetSpent) else "failed"
            results = {"why": str(error)}
            raise
        except Exception as error:
            results = {"why": f"{type(error).__name__}, which is a bug or a trouble of the machine"}
            raise
        finally:
            wall_s = round(time.monotonic() - started, 1)
            # An error that is on its way is the first one, and isn't to be hidden by another.
            with nullcontext() if "books" in results else suppress(OSError):
                close_manifest(config.output, manifest, state=state, wall_s=wall_s, **results)
        return outcome


def _run(start: _Start) -> Outcome:
    """Bring a start to its end; tables that turn out to be damaged are made again once."""
    try:
        return start.run()
    except DamagedPart as error:
        _LOG.warning("%s", error)
        start.withdraw_unreadable()
    return start.run()


class _Start:
    """One start of a run whose folder is held."""

    def __init__(
        self, config: Config, options: Options, display: Display, manifest: dict[str, Any], started: float
    ) -> None:
        self._config = config
        self._options = options
        self._display = display
        self._manifest = manifest
        self._started = started
        self._run = config.output

    def run(self) -> Outcome:
        """Plan, work on what isn't done, check the books, assemble."""
        plan = self._plan()
        self._mend(plan)
        job = Job(
            self._run,
            self._manifest["run_id"],
            self._config,
            basis_of(self._config, self._manifest["identity"]),
            self._options.retry_rejected,
        )
        books = Books(plan.total, plan.refused)
        records = read_part_records(self._run)
        partitions = [p for p in range(plan.partitions) if not is_current(job, p, records.get(p))]
        for partition in records.keys() - set(partitions):
            books.add(partition, _lasting(records[partition]))
        if partitions:
            before = books.tally + journalled(self._run, partitions)
            spent_usd = before["cost_usd"] + before[MAYBE_USD]
            answered = before["calls.answered"] > 0
            self._work(replace(job, spent_usd=spent_usd, answered_before=answered), partitions, books)
            records = read_part_records(self._run)
        problem = imbalance(books.tally, sum(map(_lasting, records.values()), Counter()), plan.total)
        if problem:
            raise RunError(f"{self._run}: the books do not balance: {problem}; please report this")
        drop_stale_parts(self._run, {partition: record.epoch for partition, record in records.items()})
        dataset, assembled = self._assemble(plan, records)
        already = not partitions and not assembled
        return Outcome(already, plan.complete, books.status(), books.tally, dataset)

    def _plan(self) -> PlanSummary:
        self._display.phase("planning")
        check_plan_is_there(self._run)
        dataset, limit = self._config.dataset, self._options.limit
        plan = make_plan(
            self._run,
            self._config,
            limit=limit,
            on_progress=self._display.planned,
            split_of=lambda group: split_of(
                group, None, test_fraction=dataset.test_fraction, rng_seed=dataset.rng_seed
            ),
        )
        if limit and plan.total > limit:
            raise RunError(
                f"--limit {limit}: this run has read {plan.total} rows already, and a run never shrinks; "
                "give a larger limit or none, or another output folder"
            )
        return plan

    def withdraw_unreadable(self) -> None:
        """Have partitions worked on again whose tables can't be read."""
        withdraw_unreadable(self._run)

    def _mend(self, plan: PlanSummary) -> None:
        """Say what is damaged and can be made again; what can't stops the run."""
        check_plan(self._run, plan)
        tally = self._manifest.get("tally") or {}
        check_answers(self._run, tally.get("calls.answered", 0))
        found = withdraw_damaged(self._run, plan.partitions, finished=bool(self._manifest.get("dataset")))
        if found:
            _LOG.warning("%s", found)

    def _work(self, job: Job, partitions: Sequence[int], books: Books) -> None:
        self._display.phase("working")
        self._display.working(books)
        snapshot = Snapshot(self._run, books, self._started)
        snapshot.write()

        def report(partition: int, delta: Tally | None) -> None:
            if delta is None:
                books.reset(partition)
            else:
                books.add(partition, delta)
                _tell_damage(self._run, delta)
            self._display.changed()
            snapshot.changed()

        try:
            asyncio.run(_engine(job, partitions, report))
        except (BaseExceptionGroup, Stopped) as error:
            cause = unwrapped(error)  # where nothing else stopped it, somebody did
            raise KeyboardInterrupt if isinstance(cause, Stopped) else cause from None
        finally:
            snapshot.write()

    def _assemble(self, plan: PlanSummary, records: Mapping[int, PartRecord]) -> tuple[dict[str, Any], bool]:
        """The dataset's summary, and whether it had to be made anew."""
        epochs = {partition: record.epoch for partition, record in records.items()}
        note = backend_note(self._config)
        made_from = [
            self._config.dataset.model_dump(mode="json"),
            asdict(shipped_prompts()),
            note,
            __version__,
        ]
        basis = _digest([*made_from, [records[p].basis for p in range(plan.partitions)]])
        before = self._manifest.get("dataset") or {}
        if not self._options.assemble:
            return before, False
        if before.get("basis") == basis:
            damage = visible_damage(self._run)
            if not damage:
                return before, False
            _LOG.warning("%s: %s: the dataset is written again from the tables", self._run, damage)
        self._display.phase("assembling")
        summary = assemble(self._run, self._config, plan.partitions, epochs, note)
        return {"basis": basis, **_plain(asdict(summary))}, True


def _tell_damage(run: Path, delta: Tally) -> None:
    for place in damaged_lines(delta):
        _LOG.warning(
            "%s can't be read: if it was an answer, it is asked and paid again", run / "journal" / place
        )


def _lasting(record: PartRecord) -> Tally:
    """The books of a commit, without what only its own start could say."""
    return Counter({key: n for key, n in record.tally.items() if key not in OF_ONE_START})


async def _engine(job: Job, partitions: Sequence[int], report: Any) -> None:
    if job.config.engine.kind == "ray":
        from dfj_bootstrap.cluster.ray_engine import run_ray

        await run_ray(job, partitions, report)
    else:
        from dfj_bootstrap.engine.local import run_local

        await run_local(job, partitions, report)


def basis_of(config: Config, identity: dict[str, Any]) -> str:
    """Digest of all that decides what is made of a seed: models, prompts, thresholds, but not the engine."""
    decides = config.model_dump(mode="json", include={"refine", "similarity", "paraphraser"})
    return _digest([identity, decides, RULES_OF_DECISION])


def _plain(value: Any) -> Any:
    """Enum keys as the words they stand for, so that scripts can read them."""
    return {str(key): _plain(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def _digest(value: Any) -> str:
    return blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
