"""What a job of calls is, as the engines see it. To add one, write a class with these members in ``tasks/``.

All else is the same for every job: plan, journal, replay, limits, budget, cost, progress, status, ``dfj
calls``, local and Ray. A task is pickled to the workers, so it is a plain value: its configuration, and how
its work is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from dfj_bootstrap.config.run import RunConfig
from dfj_bootstrap.intake.items import Items
from dfj_bootstrap.prompting.templates import Form
from dfj_bootstrap.roles.casting import Cast
from dfj_bootstrap.storage.ledger import Ledger

if TYPE_CHECKING:
    from dfj_bootstrap.storage.tables import Row, Schema

Item = TypeVar("Item")
Done = TypeVar("Done")


class Task(Protocol[Item, Done]):
    """A job of calls."""

    @property
    def name(self) -> str:
        """What ``run.json`` calls it; the folder of one job can't be gone on with by another."""
        ...

    @property
    def config(self) -> RunConfig:
        """Its configuration; the fields that are roles say which models are opened, limited and paid."""
        ...

    @property
    def forms(self) -> Mapping[str, Mapping[str, Form]]:
        """Role → the fields of its configuration that name prompts → what those must hold."""
        ...

    @property
    def decides(self) -> Any:
        """What decides about recorded answers besides models and prompts; where it changes, items are worked
        on again, from the journal. Plain JSON."""
        ...

    @property
    def items(self) -> Items[Item]:
        """What there is to do."""
        ...

    @property
    def tables(self) -> Mapping[str, Schema]:
        """The tables that its results go to, by name; the first column of each holds the item's id."""
        ...

    @property
    def ledger(self) -> Ledger:
        """How its items may end, and what is told of that."""
        ...

    async def do(self, item: Item, cast: Cast) -> Done:
        """Do what is to be done with one item, and enter in ``cast.count`` how it ended.

        The same answers must give the same result, whatever their order: this is how a run is gone on with.

        Raises:
            RunError: the run can't go on; anything less is a result.
        """
        ...

    def rows(self, item: Item, done: Done) -> Mapping[str, Sequence[Row]]:
        """What a result adds to the tables."""
        ...


AnyTask = Task[Any, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker needs to know of a run; picklable.

    Attributes:
        config: the task's, with prices filled in.
        run_id: what ``run.json`` must say, so that a worker which sees another folder finds out.
        basis: digest of all that decides what becomes of an item.
        spent_usd: what earlier starts have spent, or may have; counts only where there is a budget.
        patient: servers that have never answered get some time to come up.
        answered_before: earlier starts were answered, so that keys and models are known to be right.
    """

    task: AnyTask
    config: RunConfig
    run_id: str
    basis: str
    spent_usd: float = 0.0
    answered_before: bool = False
    patient: bool = True

    @property
    def run(self) -> Path:
        """The run folder."""
        return self.config.output
