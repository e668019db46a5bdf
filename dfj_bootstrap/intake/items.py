"""What a job is done on: where its items are read, what rules them out, how they stand in a plan.

``make_plan`` takes any; ``seeds.py`` has those of generation, ``json_rows.py`` rows as they come.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from dfj_bootstrap.intake.item_index import ItemIndex
from dfj_bootstrap.intake.item_rows import Item, ItemRow, Refusal


class Items(Protocol[Item]):
    """A job's items; picklable, for it goes to the workers with the job.

    Attributes:
        noun: what messages call one of them.
    """

    noun: ClassVar[str]

    def look_through(self) -> tuple[str, int]:
        """A digest of everything that is read, but for pictures, and the number of lines.

        Raises:
            SeedsError: something that is to be read cannot be.
        """

    def read(self) -> Generator[ItemRow[Item] | Refusal, None, None]:
        """Every row, in input order; threads of its own end when it is closed.

        Raises:
            SeedsError: something that is to be read cannot be.
        """

    def index(self) -> ItemIndex[Item]:
        """A new index of what rows have to do with each other."""

    def nothing(self) -> str:
        """What is to be said where there is no row at all."""

    def to_row(self, item: Item) -> dict[str, Any]:
        """An item as its plan keeps it, with its ``id``; the plan itself sets ``ordinal`` and ``content``."""

    def from_row(self, row: Mapping[str, Any]) -> Item:
        """The item of a row of the plan."""

    def differences(self, old: Item, new: Item) -> Sequence[str]:
        """The fields by which two items of one id differ, as messages name them; at least one."""
