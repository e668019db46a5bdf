"""What a person sees while a run goes on."""

from __future__ import annotations

from collections import Counter
from io import StringIO

import pytest
from rich.console import Console

from dfj_bootstrap.cli.display import PlainDisplay, TerminalDisplay
from dfj_bootstrap.storage.ledger import Books
from dfj_bootstrap.tasks.generation_ledger import GENERATION


class Clock:
    """Time that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def accepted(level: int) -> Counter[str]:
    return Counter({"trajectories.accepted": 1, f"level.{level}.accepted": 1})


def rejected(level: int) -> Counter[str]:
    return Counter({"trajectories.rejected": 1, f"level.{level}.rejected": 1})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def plain(lines: list[str], clock: Clock) -> PlainDisplay:
    return PlainDisplay(lines.append, clock)


def test_every_change_of_state_is_a_line(plain: PlainDisplay, lines: list[str]) -> None:
    plain.phase("planning", "reading seeds")
    plain.phase("working", "growing ladders")
    plain.phase("assembling", "writing the dataset")
    assert [line.split(":")[0] for line in lines] == ["planning", "working", "assembling"]


def test_between_changes_of_state_there_is_a_line_every_few_seconds_only(
    plain: PlainDisplay, lines: list[str], clock: Clock
) -> None:
    books = Books(GENERATION, 40, 0)
    plain.working(books)
    for _ in range(20):
        clock.now += 0.5
        books.add(0, accepted(3))
        plain.changed()
    assert len(lines) == 1 + 2  # at the start, and in ten seconds


def test_a_line_tells_rate_time_left_outcomes_by_level_calls_and_cost(
    plain: PlainDisplay, lines: list[str], clock: Clock
) -> None:
    books = Books(GENERATION, 20, 0)
    plain.working(books)
    clock.now += 10
    for delta in (accepted(1), accepted(1), rejected(4), Counter({"trajectories.failed": 1})):
        books.add(0, delta)
    books.add(1, Counter({"calls.answered": 12, "cost_usd": 0.5, "paraphrases.accepted": 7}))
    plain.changed()
    for part in ("4/100 levels", "0.4/s", "about 4 min 0 s left", "L1 2✓0✗", "L4 0✓1✗", "7 paraphrases"):
        assert part in lines[-1]
    for part in ("1 failed", "12 calls", "$0.5000"):
        assert part in lines[-1]


def test_a_free_run_shows_no_calls_and_no_cost(plain: PlainDisplay, lines: list[str]) -> None:
    plain.working(Books(GENERATION, 1, 0))
    assert "calls" not in lines[-1]
    assert "$" not in lines[-1]


def test_what_an_earlier_start_did_is_no_speed_of_this_one(
    plain: PlainDisplay, lines: list[str], clock: Clock
) -> None:
    books = Books(GENERATION, 20, 0)
    books.add(0, Counter({"trajectories.accepted": 50}))
    plain.working(books)
    assert "50/100 levels;" in lines[-1]
    clock.now += 10
    books.add(1, Counter({"trajectories.accepted": 10}))
    plain.changed()
    assert "60/100 levels, 1.0/s, about 40 s left" in lines[-1]


def test_a_phase_that_ends_says_how_far_it_came(plain: PlainDisplay, lines: list[str]) -> None:
    books = Books(GENERATION, 1, 0)
    plain.working(books)
    books.add(0, Counter({"trajectories.accepted": 5}))
    plain.phase("assembling", "writing the dataset")
    assert "5/5 levels" in lines[-2]


def test_planning_tells_how_many_rows_were_read(plain: PlainDisplay, lines: list[str], clock: Clock) -> None:
    plain.phase("planning", "reading seeds")
    plain.planned(10, 1000)
    clock.now += 6
    plain.planned(500, 1000)
    plain.planned(510, 1000)
    assert lines[1:] == ["planning: 500 of about 1000 rows read"]


def test_a_terminal_gets_a_bar_and_below_it_the_outcomes_and_both_fit_100_columns(clock: Clock) -> None:
    screen = StringIO()
    display = TerminalDisplay(Console(force_terminal=True, file=screen, width=100), clock)
    display.phase("planning", "reading seeds")
    display.planned(5, 10)
    display.phase("working", "growing ladders")
    books = Books(GENERATION, 1_000_000, 12)
    for level in (1, 2, 3, 4):
        books.add(0, Counter({f"level.{level}.accepted": 190_000, f"level.{level}.rejected": 10_000}))
    books.add(0, Counter({"trajectories.accepted": 1_000_000}))
    display.working(books)
    clock.now += 1000
    books.add(1, Counter({"trajectories.accepted": 30_000, "paraphrases.accepted": 4_000_000}))
    books.add(1, Counter({"calls.answered": 3_000_000, "cost_usd": 1234.5}))
    display.changed()
    paper = Console(file=StringIO(), width=100)
    with paper.capture() as drawn:
        for part in display.drawn():
            paper.print(part)
    display.close()
    bar, levels, sums = drawn.get().splitlines()
    assert max(map(len, (bar, levels, sums))) <= 100
    assert "1030000/5000000 levels, 30.0/s, about 36 h 45 min left" in bar
    assert "L1 190000✓10000✗" in levels
    assert "L4 190000✓10000✗" in levels
    assert sums.strip() == "4000000 paraphrases, 3000000 calls, $1,234.50"
    assert "growing ladders" in screen.getvalue()


def test_a_terminal_display_goes_through_all_phases_and_leaves_the_screen_clean(clock: Clock) -> None:
    screen = StringIO()
    display = TerminalDisplay(Console(force_terminal=True, file=screen, width=60), clock)
    for phase in ("planning", "working", "assembling"):
        display.phase(phase, phase)
    display.close()
    assert screen.getvalue().endswith("\x1b[2K")
