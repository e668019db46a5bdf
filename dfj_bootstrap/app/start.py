"""One start of a run, of whatever job: lock, plan, work, balance the books, finish."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from dfj_bootstrap.app.basis import basis_of
from dfj_bootstrap.endpoints.prices import price_notes, with_prices
from dfj_bootstrap.engine.partition import RunReport, is_current
from dfj_bootstrap.engine.task import AnyTask, Job
from dfj_bootstrap.errors import BudgetSpent, DamagedPart, RunError, Stopped, unwrapped
from dfj_bootstrap.intake.plan import make_plan
from dfj_bootstrap.roles.checks import check_backends
from dfj_bootstrap.roles.identity import default_identity_of, identity_of
from dfj_bootstrap.storage.commits import Commit, read_commits
from dfj_bootstrap.storage.damage import (
    check_answers,
    check_plan_is_there,
    withdraw_damaged,
    withdraw_unreadable,
)
from dfj_bootstrap.storage.ledger import OF_ONE_START, Books, Tally, damaged_lines
from dfj_bootstrap.storage.lock import run_lock
from dfj_bootstrap.storage.manifest import Origin, close_manifest, open_manifest
from dfj_bootstrap.storage.planned import PlanSummary, check_plan
from dfj_bootstrap.storage.spent import MAYBE_USD
from dfj_bootstrap.storage.status import Snapshot, journalled, worked_s
from dfj_bootstrap.storage.tables import drop_stale_parts
from dfj_bootstrap.storage.trouble import folder_trouble_told

_LOG = logging.getLogger(__name__)


class Display(Protocol):
    """Shows a run while it goes on; decides nothing."""

    def phase(self, name: str, doing: str) -> None:
        """Another phase begins, as ``planning`` or ``working``; ``doing``: in words for people."""

    def planned(self, done: int, total: int) -> None:
        """So many rows have been read, of about ``total``."""

    def working(self, books: Books) -> None:
        """Work begins; the books will change."""

    def changed(self) -> None:
        """The books have changed; called often, must be cheap."""


@dataclass(frozen=True, slots=True)
class Worked:
    """A run whose every item has an outcome.

    Attributes:
        manifest: as it was opened.
        commits: of all partitions.
    """

    run: Path
    manifest: Mapping[str, Any]
    plan: PlanSummary
    commits: Mapping[int, Commit]

    @property
    def epochs(self) -> dict[str, int]:
        """Which results there are, by partition: another one where it was worked on again, with the same
        basis too, since what failed was tried again."""
        return {str(partition): self.commits[partition].epoch for partition in sorted(self.commits)}


Finishing = Callable[[Worked], tuple[dict[str, Any], bool]]
"""What a job wants done when the work is done: what ``run.json`` is to hold of it as ``dataset``, and whether
there was anything to do."""


def _nothing(worked: Worked) -> tuple[dict[str, Any], bool]:
    return dict(worked.manifest.get("dataset") or {}), False


@dataclass(frozen=True, slots=True)
class Options:
    """What one start of a run may ask for besides its task.

    Attributes:
        limit: only the first so many good rows.
        patient: give servers that have never answered some time to come up.
        preview: this start only looks; where a later one is made with something else, its folder may go.
    """

    limit: int | None = None
    patient: bool = True
    preview: bool = False
    finish: Finishing = _nothing


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a start ended.

    Attributes:
        already: nothing was left to do.
        complete: the input was read to its end, not to a limit.
        figures: what ``dfj status`` says.
        tally: all counts behind it.
        dataset: what the job's finish came to; empty where there was none.
    """

    already: bool
    complete: bool
    figures: dict[str, Any]
    tally: Tally
    dataset: dict[str, Any]


def start(task: AnyTask, options: Options, display: Display) -> Outcome:
    """Start a job, or go on where its run folder stands.

    Raises:
        BudgetSpent: the next call doesn't fit the budget; ``run.json`` says ``budget``.
        RunError: the run can't go on; ``run.json`` says ``failed``.
        KeyboardInterrupt: stopped by a person; ``run.json`` says ``interrupted``.
    """
    run = task.config.output
    with run_lock(run), folder_trouble_told(run):
        manifest = _opened(task, options)
        started = time.monotonic() - worked_s(run, manifest)
        state, results = "failed", dict[str, Any]()
        try:
            with folder_trouble_told(run):
                check_backends(task.config)
                outcome = _brought_to_its_end(_Start(task, options, display, manifest, started))
            state = "complete" if outcome.complete else "interrupted"
            results = {"books": outcome.figures, "tally": outcome.tally, "dataset": outcome.dataset}
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
                close_manifest(run, manifest, state=state, wall_s=wall_s, **results)
        return outcome


def _opened(task: AnyTask, options: Options) -> dict[str, Any]:
    """The manifest of a run that this task may go on with."""
    config, forms = task.config, task.forms
    origin = Origin(
        config.model_dump(mode="json"),
        identity_of(config, forms),
        default_identity_of(config, forms),
        task.name,
        task.ledger.as_data(),
    )
    return open_manifest(config.output, origin, price_notes(config), preview=options.preview)


def _brought_to_its_end(start: _Start) -> Outcome:
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
        self, task: AnyTask, options: Options, display: Display, manifest: dict[str, Any], started: float
    ) -> None:
        self._task = task
        self._options = options
        self._display = display
        self._manifest = manifest
        self._started = started
        self._run = task.config.output

    def run(self) -> Outcome:
        """Plan, work on what isn't done, check the books, finish."""
        plan = self._plan()
        self._mend(plan)
        basis = basis_of(self._task, self._manifest["identity"])
        job = Job(self._task, with_prices(self._task.config), self._manifest["run_id"], basis)
        books = Books(self._task.ledger, plan.total, plan.refused)
        commits = read_commits(self._run)
        partitions = [p for p in range(plan.partitions) if not is_current(job, p, commits.get(p))]
        for partition in commits.keys() - set(partitions):
            books.add(partition, _lasting(commits[partition]))
        if partitions:
            self._work(self._knowing_the_past(job, books, partitions), partitions, books)
            commits = read_commits(self._run)
        self._balance(books, commits)
        drop_stale_parts(self._run, {partition: commit.epoch for partition, commit in commits.items()})
        dataset, finished = self._options.finish(Worked(self._run, self._manifest, plan, commits))
        already = not partitions and not finished
        return Outcome(already, plan.complete, books.figures(), books.tally, dataset)

    def _plan(self) -> PlanSummary:
        self._display.phase("planning", f"reading {self._task.ledger.items.name}")
        check_plan_is_there(self._run)
        limit = self._options.limit
        plan = make_plan(self._run, self._task.items, limit=limit, on_progress=self._display.planned)
        if limit and plan.total > limit:
            raise RunError(
                f"--limit {limit}: this run has read {plan.total} rows already, and a run never shrinks; "
                "give a larger limit or none, or another output folder"
            )
        return plan

    def withdraw_unreadable(self) -> None:
        """Have partitions worked on again whose tables can't be read."""
        withdraw_unreadable(self._run, self._task.tables)

    def _mend(self, plan: PlanSummary) -> None:
        """Say what is damaged and can be made again; what can't stops the run."""
        check_plan(self._run, plan)
        tally = self._manifest.get("tally") or {}
        check_answers(self._run, tally.get("calls.answered", 0))
        finished = bool(self._manifest.get("dataset"))
        found = withdraw_damaged(self._run, plan.partitions, self._task.tables, finished=finished)
        if found:
            _LOG.warning("%s", found)

    def _knowing_the_past(self, job: Job, books: Books, partitions: Sequence[int]) -> Job:
        """What earlier starts have spent, and whether they were answered."""
        before = books.tally + journalled(self._run, partitions)
        spent_usd = before["cost_usd"] + before[MAYBE_USD]
        answered = before["calls.answered"] > 0
        return replace(job, spent_usd=spent_usd, answered_before=answered, patient=self._options.patient)

    def _work(self, job: Job, partitions: Sequence[int], books: Books) -> None:
        self._display.phase("working", self._task.ledger.doing)
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

    def _balance(self, books: Books, commits: Mapping[int, Commit]) -> None:
        recorded = sum(map(_lasting, commits.values()), Counter())
        problem = books.ledger.imbalance(books.tally, recorded, books.total)
        if problem:
            raise RunError(f"{self._run}: the books do not balance: {problem}; please report this")


def _tell_damage(run: Path, delta: Tally) -> None:
    for place in damaged_lines(delta):
        _LOG.warning(
            "%s can't be read: if it was an answer, it is asked and paid again", run / "journal" / place
        )


def _lasting(commit: Commit) -> Tally:
    """The books of a commit, without what only its own start could say."""
    return Counter({key: n for key, n in commit.tally.items() if key not in OF_ONE_START})


async def _engine(job: Job, partitions: Sequence[int], report: RunReport) -> None:
    if job.config.engine.kind == "ray":
        from dfj_bootstrap.cluster.ray_engine import run_ray

        await run_ray(job, partitions, report)
    else:
        from dfj_bootstrap.engine.local import run_local

        await run_local(job, partitions, report)
