"""The run's books while it goes on: per partition, so that one that changes hands starts again at zero."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from dfj_bootstrap.runs.tally import Tally, books


class Books:
    """Adds up deltas.

    Attributes:
        total: good rows read.
        refused: rows refused.
        tally: the sum over all partitions.
    """

    def __init__(self, total: int, refused: int) -> None:
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

    def status(self) -> dict[str, Any]:
        """The figures of ``dfj status``."""
        return books(self.tally, self.total, self.refused)
