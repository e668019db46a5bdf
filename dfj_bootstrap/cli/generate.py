"""``dfj generate``."""

from __future__ import annotations

import logging
from typing import Any

from dfj_bootstrap.app.generate import generate
from dfj_bootstrap.app.previews import adopt_preview
from dfj_bootstrap.app.start import Outcome
from dfj_bootstrap.cli.display import open_display
from dfj_bootstrap.cli.plan import confirm_cost, likely_cost, person
from dfj_bootstrap.cli.report import Report, book_lines, ending_line
from dfj_bootstrap.cli.status import status_of
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.storage.folder import check_run_folder
from dfj_bootstrap.tasks.generation_ledger import GENERATION

log = logging.getLogger(__name__)


def generate_run(
    config: Config, *, limit: int | None, retry_rejected: bool, quiet: bool, yes: bool = False
) -> Report:
    """Run or resume, showing progress on standard error; without ``yes``, a dear new run is asked about."""
    check_run_folder(config.output)
    if not yes:
        confirm_cost(config, lambda: likely_cost(config, limit), log.warning, person())
    adopt_preview(config)
    display = open_display(quiet=quiet)
    try:
        outcome = generate(config, display, limit=limit, retry_rejected=retry_rejected)
    finally:
        display.close()
    failed = bool(outcome.figures["seeds"]["failed"])
    data = {**status_of(config.output).data, **outcome.figures, "dataset": outcome.dataset}
    return Report(_lines(config, outcome), data, exit_code=3 if failed else 0)


def _lines(config: Config, outcome: Outcome) -> list[str]:
    return [
        ending_line(config.output, outcome, "seeds"),
        *book_lines(GENERATION, outcome.figures, outcome.tally),
        *_dataset_lines(outcome.dataset),
        *_where(config),
    ]


def _dataset_lines(dataset: dict[str, Any]) -> list[str]:
    rows = dataset.get("counts", {})
    lines = [
        f"dataset      {kind}: " + ", ".join(f"{n} {split}" for split, n in splits.items()) + " rows"
        for kind, splits in rows.items()
    ]
    left_out = {reason: n for reason, n in dataset.get("left_out", {}).items() if n}
    if left_out:
        lines.append("             left out: " + ", ".join(f"{n} {reason}" for reason, n in left_out.items()))
    return lines


def _where(config: Config) -> list[str]:
    run = config.output
    return [
        "where to look",
        f"  {run}/dfj-meta/                   the dataset: JSONL and Parquet, with a card each",
        f"  {run}/tables/                     every round, trajectory and paraphrase, rejected ones too",
        f"  {run}/refused.jsonl               input rows that were refused, and why",
        f"  dfj status {run}",
    ]
