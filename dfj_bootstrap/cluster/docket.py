"""Which partitions wait, which are open in which worker, and which of them are to blame for a death.

A worker has several partitions open, and when it dies most of them had nothing to do with it: its node was
taken away, or another partition was too large for its memory. So the rule is:

- A death counts against a partition only where it stood still: every partition that got further than ever
  before since its last death begins a new row with this one, and one that is committed is forgiven all.
- After two deaths in a row it is *suspected*: it waits until nothing else does, and then is open alone.
- The third death in a row ends the run. It was alone then, so it is the one to name.

Invariants: a partition is open in one worker at most. Workers that die while their partitions get on, as on
nodes that are taken away every few minutes, never end a run; a partition that kills its worker each time
does, since what it can get done before is finite.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from dfj_bootstrap.errors import RunError
from dfj_bootstrap.storage.ledger import OF_ONE_START, Tally

_SUSPECTED = 2
"""Deaths in a row after which a partition is open alone."""

_MOST_DEATHS = 3
"""Deaths in a row after which a partition is taken for the cause."""


@dataclass(slots=True)
class _Past:
    """What is known of a partition that isn't committed yet.

    Attributes:
        deaths: of workers that had it open, in a row, without its getting further in between.
        best: how far it ever got, count by count.
        now: how far it is since it was opened last.
        further: it has got further than ever before since then.
    """

    deaths: int = 0
    best: Tally = field(default_factory=Counter)
    now: Tally = field(default_factory=Counter)
    further: bool = False

    def told(self, delta: Tally) -> bool:
        """Enter what was done; whether that is more than ever before."""
        self.now.update(delta)
        gained = [key for key in delta if key not in OF_ONE_START and self.now[key] > self.best[key]]
        for key in gained:
            self.best[key] = self.now[key]
        self.further = self.further or bool(gained)
        return bool(gained)

    def died(self) -> None:
        self.deaths = 1 if self.further else self.deaths + 1


class Docket:
    """The partitions that are still to be committed."""

    def __init__(self, partitions: Sequence[int]) -> None:
        self._waiting = deque(partitions)
        self._suspects: deque[int] = deque()
        self._open: dict[int, set[int]] = {}
        self._past = {partition: _Past() for partition in partitions}
        self.gains = 0
        """Grows with everything that is done for the first time; tells progress from going in circles."""

    @property
    def left(self) -> bool:
        """Whether anything is not committed yet."""
        return bool(self._past)

    def __len__(self) -> int:
        return len(self._past)

    def take(self, worker: int) -> int | None:
        """A partition for a worker to open; ``None`` where none may be opened there now."""
        opened = self._open.setdefault(worker, set())
        if any(self._is_suspected(partition) for partition in opened):
            return None
        if self._waiting:
            partition = self._waiting.popleft()
        elif self._suspects and not opened:
            partition = self._suspects.popleft()
        else:
            return None
        opened.add(partition)
        past = self._past[partition]
        past.now, past.further = Counter(), False
        return partition

    def told(self, partition: int, delta: Tally) -> bool:
        """A partition's books have changed; whether it has got further than ever before."""
        gained = self._past[partition].told(delta)
        self.gains += gained
        return gained

    def committed(self, worker: int, partition: int) -> None:
        """A partition is done."""
        self._open[worker].remove(partition)
        del self._past[partition]
        self.gains += 1

    def given_up(self, worker: int) -> list[int]:
        """A worker ends in good order: what it had open waits again."""
        taken = sorted(self._open.pop(worker, ()))
        suspects = [partition for partition in taken if self._is_suspected(partition)]
        self._suspects.extend(suspects)
        self._waiting.extendleft(reversed([partition for partition in taken if partition not in suspects]))
        return taken

    def died(self, worker: int) -> list[int]:
        """A worker is dead: what it had open waits again, and the death counts where it is due."""
        for partition in self._open.get(worker, ()):
            self._past[partition].died()
        return self.given_up(worker)

    def check(self) -> None:
        """Whether the run can go on.

        Raises:
            RunError: a partition kills its workers; names it.
        """
        guilty = [partition for partition, past in self._past.items() if past.deaths >= _MOST_DEATHS]
        if guilty:
            raise RunError(
                f"partition {guilty[0]}: {_MOST_DEATHS} workers in a row died over it, the last one with "
                "nothing else open; look for memory limits in Ray's logs, then run again"
            )

    def _is_suspected(self, partition: int) -> bool:
        return self._past[partition].deaths >= _SUSPECTED
