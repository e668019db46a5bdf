"""``dfj preview``."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dfj_bootstrap.app.previews import preview_config
from dfj_bootstrap.app.start import Options, generate
from dfj_bootstrap.cli.display import open_display
from dfj_bootstrap.cli.report import Report, book_lines
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.runs.planned import read_summary
from dfj_bootstrap.runs.tables import read_table


def preview_run(config: Config, n: int, *, quiet: bool) -> Report:
    """Run ``n`` seeds in a folder beside the run's own and show their ladders."""
    config = preview_config(config)
    before = read_summary(config.output)
    limit = max(n, before.total if before else 0)
    display = open_display(quiet=quiet)
    try:
        outcome = generate(config, Options(limit=limit, assemble=False), display)
    finally:
        display.close()
    seeds = sorted(read_table(config.output, "seeds"), key=lambda row: row["ordinal"])[:n]
    chosen = {row["seed_id"] for row in seeds}
    levels = [row for row in read_table(config.output, "trajectories") if row["seed_id"] in chosen]
    ladders = [{**seed, "ladder": _ladder(seed["seed_id"], levels)} for seed in seeds]
    lines = [line for ladder in ladders for line in _shown(ladder)]
    return Report([*lines, *book_lines(outcome.books, outcome.tally)], {"ladders": ladders, **outcome.books})


def _ladder(seed_id: str, levels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    own = [row for row in levels if row["seed_id"] == seed_id]
    return sorted(own, key=lambda row: -row["level"])


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
