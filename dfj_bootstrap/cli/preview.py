"""``dfj preview``."""

from __future__ import annotations

from heapq import nsmallest
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dfj_bootstrap.app.previews import preview_config
from dfj_bootstrap.app.start import Options, start
from dfj_bootstrap.cli.display import open_display
from dfj_bootstrap.cli.report import Report, book_lines
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.dataset.ladder_tables import TABLES
from dfj_bootstrap.storage.planned import read_summary
from dfj_bootstrap.storage.reader import RunReader, open_run
from dfj_bootstrap.tasks.generate import Generate
from dfj_bootstrap.tasks.generation_ledger import GENERATION


def preview_run(config: Config, n: int, *, quiet: bool) -> Report:
    """Run ``n`` seeds in a folder beside the run's own and show their ladders."""
    config = preview_config(config)
    before = read_summary(config.output)
    limit = max(n, before.total if before else 0)
    display = open_display(quiet=quiet)
    try:
        outcome = start(Generate(config), Options(limit, preview=True), display)
    finally:
        display.close()
    run = open_run(config.output, TABLES)
    seeds = nsmallest(n, run.rows("seeds"), key=lambda row: row["ordinal"])
    ladders = [{**seed, "ladder": _ladder(run, seed["seed_id"])} for seed in seeds]
    lines = [line for ladder in ladders for line in _shown(ladder)]
    told = book_lines(GENERATION, outcome.figures, outcome.tally)
    return Report([*lines, *told], {"ladders": ladders, **outcome.figures})


def _ladder(run: RunReader, seed_id: str) -> list[dict[str, Any]]:
    (levels,) = run.rows_of(seed_id, ["trajectories"]).values()
    return sorted(levels, key=lambda row: -row["level"])


def _shown(ladder: dict[str, Any]) -> list[str]:
    """A ladder as a table for the terminal; texts are untrusted and shown as they are, without markup."""
    table = Table(title=escape(f"{ladder['seed_id']} ({ladder['label']}, {ladder['image']})"), expand=True)
    for column in ("level", "rated", "rounds", "answer", "rationale"):
        table.add_column(column, ratio=1 if column == "rationale" else None)
    for row in ladder["ladder"]:
        text = row["text"] or f"{row['outcome']}: {row['reason']}"
        cells = (row["level"], row["rating"], row["rounds"], row["answer"] or "", text)
        table.add_row(*(escape(str("" if cell is None else cell)) for cell in cells))
    console = Console(width=Console().width, color_system=None)
    with console.capture() as capture:
        console.print(table)
    return capture.get().splitlines()
