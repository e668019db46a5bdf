"""Showing a run while it goes on: bars on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from dfj_bootstrap.cli.report import money
from dfj_bootstrap.storage.ledger import Books

_LINE_EVERY_S = 5.0
"""Seconds between two plain lines while nothing changes its state."""

Clock = Callable[[], float]


class TerminalDisplay:
    """A bar with rate and time left; below it outcomes by level, and paraphrases, calls and cost."""

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        self._bars = _Bars(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[figures]}"),
            console=console,
            transient=True,
            refresh_per_second=8,
        )
        self._bars.before = self._refresh
        self._clock = clock
        self._work: _Work | None = None
        self._bars.start()

    def close(self) -> None:
        self._bars.stop()

    def phase(self, name: str, doing: str) -> None:
        self._work, self._bars.below = None, []
        for task in self._bars.tasks:
            self._bars.remove_task(task.id)
        self._task = self._bars.add_task(doing, total=None, figures="")

    def planned(self, done: int, total: int) -> None:
        self._bars.update(self._task, completed=done, total=max(done, total), figures=f"{done} rows")

    def working(self, books: Books) -> None:
        self._work = _Work(books, self._clock)

    def changed(self) -> None:
        """Nothing to do: the figures are looked up when the bar is drawn."""

    def drawn(self) -> list[RenderableType]:
        """What is on the screen now."""
        return list(self._bars.get_renderables())

    def _refresh(self) -> None:
        work = self._work
        if work:
            figures = ", ".join([f"{work.done}/{work.total} {work.unit}", *work.pace()])
            self._bars.update(self._task, completed=work.done, total=max(work.total, 1), figures=figures)
            self._bars.below = _below(work.books)


class _Bars(Progress):
    """Progress with lines of text below; asks for news before it is drawn."""

    below: Sequence[str] = ()
    before: Callable[[], None] = staticmethod(lambda: None)

    def get_renderables(self) -> Iterator[RenderableType]:
        self.before()
        yield self.make_tasks_table(self.tasks)
        for line in self.below:
            yield Text(f"  {line}", style="dim", no_wrap=True, overflow="ellipsis")


class PlainDisplay:
    """One line at every change of state and every few seconds: for logs, without bars."""

    def __init__(self, write: Callable[[str], object], clock: Clock = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._work: _Work | None = None
        self._last = clock()

    def close(self) -> None:
        """Nothing to put back: lines stay."""

    def phase(self, name: str, doing: str) -> None:
        if self._work:
            self._say(_line(self._work))
        self._work = None
        self._say(f"{name}: {doing}")

    def planned(self, done: int, total: int) -> None:
        if self._due():
            self._say(f"planning: {done} of about {max(done, total)} rows read")

    def working(self, books: Books) -> None:
        self._work = _Work(books, self._clock)
        self._say(_line(self._work))

    def changed(self) -> None:
        if self._work and self._due():
            self._say(_line(self._work))

    def _due(self) -> bool:
        return self._clock() - self._last >= _LINE_EVERY_S

    def _say(self, line: str) -> None:
        self._last = self._clock()
        self._write(line)


def open_display(*, quiet: bool = False) -> TerminalDisplay | PlainDisplay:
    """The display that fits standard error: a terminal gets bars."""
    if quiet:
        return PlainDisplay(lambda line: None)
    console = Console(stderr=True)
    if console.is_terminal and not console.is_dumb_terminal:
        return TerminalDisplay(console)
    return PlainDisplay(lambda line: sys.stderr.write(f"{line}\n") and sys.stderr.flush())


class _Work:
    """How far the work is and how fast it goes; the speed is this start's own."""

    def __init__(self, books: Books, clock: Clock) -> None:
        self.books = books
        self._clock = clock
        self._started = clock()
        self._stood = self.done

    @property
    def unit(self) -> str:
        """What is counted, in a word for people."""
        finest = self.books.ledger.finest
        return finest.called or finest.name

    @property
    def done(self) -> int:
        """How many have an outcome."""
        return self.books.ledger.finest.ended(self.books.tally)

    @property
    def total(self) -> int:
        return self.books.total * self.books.ledger.finest.per_item

    def pace(self) -> list[str]:
        """How many a second and the time left, once there is a rate."""
        elapsed = self._clock() - self._started
        rate = (self.done - self._stood) / elapsed if elapsed > 0 else 0.0
        left = max(0, self.total - self.done)
        if rate <= 0:
            return []
        return [f"{rate:.1f}/s", f"about {_duration(left / rate)} left"] if left else [f"{rate:.1f}/s"]


def _line(work: _Work) -> str:
    figures = ", ".join([f"{work.done}/{work.total} {work.unit}", *work.pace()])
    return "; ".join([f"working: {figures}", *_below(work.books)])


def _below(books: Books) -> list[str]:
    """What has come of it so far, and what there is of calls and cost."""
    *told, last = books.ledger.glimpse(books.tally)
    parts = [last] if last else []
    if books.tally["calls.answered"]:
        parts.append(f"{int(books.tally['calls.answered'])} calls")
    if books.tally["cost_usd"]:
        parts.append(money(books.tally["cost_usd"]))
    return [phrase for phrase in (*told, ", ".join(parts)) if phrase]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
