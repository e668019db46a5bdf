"""``dfj plan``, and the question before a run that will cost much."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dfj_bootstrap.cli.report import Report
from dfj_bootstrap.config.paid import PaidModel
from dfj_bootstrap.config.run import RunConfig
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.endpoints.prices import is_sold, prices_of
from dfj_bootstrap.errors import ConfigError, SeedsError
from dfj_bootstrap.estimate.course import Load, Range
from dfj_bootstrap.estimate.forecast import Forecast, as_json, forecast
from dfj_bootstrap.storage.journal import read_journal

_ENDLESS = 100_000
"""Columns, more than any table takes."""


def plan_run(config: Config, limit: int | None = None) -> Report:
    """What a run that starts now would take: calls, tokens, cost and hours."""
    found = forecast(config, limit=limit)
    return Report(_lines(config, found), as_json(found))


def confirm_cost(
    config: RunConfig,
    likely: Callable[[], Range | None],
    say: Callable[[str], object],
    ask: Callable[[str], bool] | None,
) -> None:
    """Ask before a new run whose likely cost is above ``confirm_above_usd``; a run that goes on isn't asked.

    Args:
        likely: reckons the cost; ``None`` where it can't be known.
        say: shows a line.
        ask: puts a question to the person; ``None`` where nobody is there.

    Raises:
        ConfigError: nobody agreed.
    """
    known = {name: prices_of(model) for name, model in _paid(config).items()}
    if not known or has_answers(config.output):
        return
    sold = [name for name, model in _paid(config).items() if is_sold(model)]
    unpriced = ", ".join(f"models.{name}" for name in sold if known[name] is None)
    if unpriced:
        say(f"no price is known for {unpriced}: what is spent there is not counted")
    cost = likely() if any(known.values()) else None
    if cost is None or cost.likely <= config.confirm_above_usd:
        return
    what = f"this run is likely to cost {_dollars(cost.likely)} (low – likely – high: {_usd(cost)})"
    above = f"above confirm_above_usd ({_dollars(config.confirm_above_usd)})"
    if ask is None:
        raise ConfigError(f"{what}, {above}; start it with --yes, or raise confirm_above_usd")
    if not ask(f"{what}, {above}. Start it?"):
        raise ConfigError("not started: nothing was spent")


def likely_cost(config: Config, limit: int | None) -> Range | None:
    """From the first rows; ``None`` where none is good, which the run itself reports in full."""
    try:
        return forecast(config, limit=limit, quick=True).cost
    except SeedsError:
        return None


def person() -> Callable[[str], bool] | None:
    """Who can be asked; ``None`` where nobody is there."""
    return _ask_on_terminal if sys.stdin.isatty() else None


def _ask_on_terminal(question: str) -> bool:
    """Ask on standard error, so that standard output stays the report's."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def has_answers(run: Path) -> bool:
    """Whether anything was paid for in a run folder already."""
    folders = sorted((run / "journal").glob("part-*"))
    return any("role" in record for folder in folders for record in read_journal(folder))


def _paid(config: RunConfig) -> dict[str, PaidModel]:
    names = dict.fromkeys(role.model for role in config.roles.values())
    return {name: model for name in names if isinstance(model := config.models[name], PaidModel)}


def _lines(config: Config, found: Forecast) -> list[str]:
    if not found.parts:
        return [_seed_line(found), "free: the embedded rules play every role, no calls are made"]
    if not found.load.calls.high:
        return [_seed_line(found), "no calls are left to make"]
    lines = [_seed_line(found), *_table(found, _terminal_width()), _hours_line(found), *_price_lines(found)]
    cost = found.cost
    if cost is not None and cost.likely > config.confirm_above_usd:
        lines.append(f"`dfj generate` will ask first, or wants --yes: above ${config.confirm_above_usd:g}")
    return lines


def _seed_line(found: Forecast) -> str:
    done = f", {found.finished} of them finished and {found.begun} begun" if _is_begun(found) else ""
    spent = f"; ${found.spent_usd:.4f} were spent, which is not in the figures" if found.spent_usd else ""
    return f"{found.seeds} good seeds{done}, {found.refused} rows refused{spent}"


def _is_begun(found: Forecast) -> bool:
    return bool(found.finished or found.begun)


_FIGURES = ("calls", "tokens in", "tokens out", "USD")


def _table(found: Forecast, width: int | None) -> list[str]:
    """A row for each role, or a list where the table is wider than ``width``: no name is ever cut.

    Names are the user's own and shown without markup.
    """
    table = Table(title="low – likely – high")
    for column in ("role", "model"):
        table.add_column(column, no_wrap=True)
    for column in _FIGURES:
        table.add_column(column, justify="right", no_wrap=True)
    for part in found.parts:
        table.add_row(part.role, escape(part.endpoint), *_cells(part.load, part.cost))
    table.add_section()
    table.add_row("all", "", *_cells(found.load, found.cost))
    needed = Console(width=_ENDLESS).measure(table).maximum
    if width is not None and width < needed:
        return _list(found)
    console = Console(width=needed, force_terminal=False)  # plain text: it is made printable later
    with console.capture() as capture:
        console.print(table)
    return [line.rstrip() for line in capture.get().splitlines()]


def _list(found: Forecast) -> list[str]:
    """The figures one below the other."""
    lines = ["low – likely – high"]
    blocks = [(f"{part.role}  {part.endpoint}", part.load, part.cost) for part in found.parts]
    for head, load, cost in (*blocks, ("all", found.load, found.cost)):
        cells = zip(_FIGURES, _cells(load, cost), strict=True)
        lines += [head, *(f"  {figure:<12}{cell}" for figure, cell in cells)]
    return lines


def _terminal_width() -> int | None:
    """Columns of the terminal; ``None`` where standard output is none, so that nothing bounds a line."""
    terminal = Console()
    return terminal.width if terminal.is_terminal else None


def _cells(load: Load, cost: Range | None) -> list[str]:
    tokens = (_span(load.input_tokens), _span(load.output_tokens))
    return [_span(load.calls), *tokens, "not known" if cost is None else _usd(cost)]


def _hours_line(found: Forecast) -> str:
    low, likely, high = (_time(hours) for hours in (found.hours.low, found.hours.likely, found.hours.high))
    return f"time   {low} – {likely} – {high}, at an assumed latency of 2 s and 60 tokens/s a call"


def _price_lines(found: Forecast) -> list[str]:
    lines = []
    for name, known in found.priced.items():
        if known.prices is None:
            lines.append(f"price  models.{name}: not known; set models.{name}.prices to have it counted")
            continue
        p = known.prices
        cached = f", ${p.cached:g} cached" if p.cached is not None else ""
        lines.append(
            f"price  models.{name}: ${p.input:g} in{cached}, ${p.output:g} out per million tokens"
            f" ({known.source})"
        )
    return [*lines, f"basis  {found.basis}"]


def _span(figure: Range) -> str:
    low, likely, high = (_short(value) for value in (figure.low, figure.likely, figure.high))
    return likely if low == likely == high else f"{low}–{likely}–{high}"


def _usd(cost: Range) -> str:
    return "–".join(dict.fromkeys(_dollars(value) for value in (cost.low, cost.likely, cost.high)))


def _dollars(value: float) -> str:
    """Cents; two digits where it is less than ten of them."""
    return f"${value:,.2f}" if value >= 0.1 or not value else f"${value:.2g}"


def _short(value: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e3 if unit == 'k' else size):.3g}{unit}"
    return f"{round(value)}"


def _time(hours: float) -> str:
    if hours >= 1:
        return f"{hours:.1f} h"
    minutes = hours * 60
    return f"{minutes:.0f} min" if minutes >= 2 else f"{minutes * 60:.0f} s"
