"""The books: counts that add up over items, partitions and workers, and the check that they balance.

Words: a *tally* is a counter of amounts by dotted key, such as ``seeds.complete`` or ``calls.answered``. A
*ledger* says what a job's keys mean: which things it gets done, how each may end, and how many there must be.
The *books* of a run are the tallies of its partitions. The *figures* are what ``dfj status`` prints of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self, TypeAlias

from dfj_bootstrap.storage.spent import paid_figures

Tally: TypeAlias = Counter[str]
"""Amounts by dotted key; those that begin with ``cost`` are in USD and aren't whole."""

DAMAGED = "damaged."
"""Before the place of a journal's line that could not be read."""

OF_ONE_START = ("calls.replayed", "calls.failed", "calls.stopped")
"""Counts that say something of one start only, not of the run's whole life."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A kind of thing that a job gets done; its keys in a tally are ``NAME.OUTCOME``.

    Attributes:
        name: plural, as in the figures.
        outcomes: how one may end.
        per_item: how many an item has; 0: nobody can know.
        called: what people call them; default: the name.
    """

    name: str
    outcomes: tuple[str, ...]
    per_item: int = 1
    called: str = ""

    def by_outcome(self, tally: Mapping[str, float]) -> dict[str, int]:
        """How many ended how."""
        return {outcome: int(tally.get(f"{self.name}.{outcome}", 0)) for outcome in self.outcomes}

    def ended(self, tally: Mapping[str, float]) -> int:
        """How many have an outcome."""
        return sum(self.by_outcome(tally).values())

    def figures(self, tally: Mapping[str, float], items: int) -> dict[str, int]:
        """How many ended how, and how many are pending where that can be known."""
        ended = self.by_outcome(tally)
        pending = items * self.per_item - sum(ended.values())
        return {**ended, "pending": pending} if self.per_item else ended


@dataclass(frozen=True)
class Ledger:
    """What a job's books are about; a job with more to tell than how its units ended has one of its own.

    Attributes:
        units: the first one are the items themselves.
        unsettled: keys that a partition's commit may not count, or its items are worked on again.
        doing: what people are told is going on.
    """

    units: tuple[Unit, ...]
    unsettled: tuple[str, ...] = ()
    doing: str = "asking"

    @property
    def items(self) -> Unit:
        return self.units[0]

    @property
    def finest(self) -> Unit:
        """What progress is measured by: the unit of which an item has most."""
        return max(self.units, key=lambda unit: unit.per_item)

    def is_settled(self, tally: Mapping[str, float]) -> bool:
        """Whether a commit with this tally may stand."""
        return not any(tally.get(key, 0) for key in self.unsettled)

    def figures(self, tally: Mapping[str, float], total: int, refused: int) -> dict[str, Any]:
        """The figures of ``dfj status`` for ``total`` good rows."""
        of_units = {unit.name: unit.figures(tally, total) for unit in self.units}
        of_units[self.items.name] = {"total": total, **of_units[self.items.name], "refused": refused}
        return {**of_units, **paid_figures(tally)}

    def lines(self, figures: Mapping[str, Any], tally: Mapping[str, float]) -> list[str]:
        """For people, what was done; what was paid for it is told apart."""
        return [self.items_line(figures), *(self.unit_line(unit, figures) for unit in self.units[1:])]

    def items_line(self, figures: Mapping[str, Any]) -> str:
        """What became of the rows."""
        items = figures[self.items.name]
        ended = ", ".join(f"{items[word]} {word}" for word in (*self.items.outcomes, "pending"))
        return f"{self.items.name:<13}{items['total']} read: {ended}; {items['refused']} rows refused"

    def unit_line(self, unit: Unit, figures: Mapping[str, Any]) -> str:
        """What became of the things of one kind."""
        return f"{unit.name:<13}" + ", ".join(f"{n} {word}" for word, n in figures[unit.name].items())

    def glimpse(self, tally: Mapping[str, float]) -> Sequence[str]:
        """Phrases for people while the work goes on, the most telling first."""
        ended = (unit.by_outcome(tally) for unit in self.units)
        return [", ".join(f"{n} {word}" for word, n in each.items() if n) for each in ended]

    def imbalance(self, tally: Tally, recorded: Tally, total: int) -> str:
        """What does not add up at the end of a run, or an empty string.

        Every good row must have an outcome, all that it has of each unit too, and what was reported while the
        work went on must be what the partitions have recorded.

        Args:
            tally: the sum of what was reported.
            recorded: the sum of the commits.
            total: good rows that were to be worked on.
        """
        name = self.items.name
        for unit in self.units:
            wanted, ended = total * unit.per_item, unit.ended(tally)
            if unit.per_item and wanted != ended:
                what = (
                    f"{name} were read but {ended} have"
                    if unit is self.items
                    else (f"{name} have {wanted} {unit.called or unit.name} but {ended} of them have")
                )
                return f"{total} {what} an outcome"
        return _unrecorded(tally, recorded)

    def as_data(self) -> dict[str, Any]:
        """The form in which ``run.json`` holds it, so that whoever doesn't know the job can tell of it."""
        return {"units": [asdict(unit) for unit in self.units]}

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Self:
        """What ``as_data`` gave.

        Raises:
            KeyError, TypeError: it isn't that.
        """
        return cls(tuple(Unit(**unit | {"outcomes": tuple(unit["outcomes"])}) for unit in data["units"]))


class Books:
    """The tallies of a run's partitions while it goes on, so that one that changes hands starts at zero.

    Attributes:
        total: good rows read.
        refused: rows refused.
        tally: the sum over all partitions.
    """

    def __init__(self, ledger: Ledger, total: int, refused: int) -> None:
        self.ledger = ledger
        self.total = total
        self.refused = refused
        self.tally: Tally = Counter()
        self._partitions: dict[int, Tally] = defaultdict(Counter)

    def add(self, partition: int, delta: Tally) -> None:
        """Enter what a partition reports."""
        self._partitions[partition].update(delta)
        self.tally.update(delta)

    def reset(self, partition: int) -> None:
        """Forget a partition whose worker died: whoever takes it on reports all of it again."""
        self.tally.subtract(self._partitions.pop(partition, Counter()))

    def figures(self) -> dict[str, Any]:
        """The figures of ``dfj status``."""
        return self.ledger.figures(self.tally, self.total, self.refused)


def damaged_lines(tally: Mapping[str, float]) -> list[str]:
    """Where lines of the journal could not be read, as ``part-0003/epoch-000001.jsonl line 17``."""
    return sorted(key.removeprefix(DAMAGED) for key in tally if key.startswith(DAMAGED) and tally[key])


def _unrecorded(tally: Tally, recorded: Tally) -> str:
    for key in tally.keys() | recorded.keys():
        if not key.startswith("cost") and tally[key] != recorded[key] and key not in OF_ONE_START:
            return f"{key}: {tally[key]} were reported but {recorded[key]} recorded"
    return ""
