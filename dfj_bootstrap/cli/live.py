"""``dfj check --live``: what each model in use said to one tiny call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dfj_bootstrap.app.greet import speak_to_all
from dfj_bootstrap.cli.display import open_display
from dfj_bootstrap.cli.report import Report, money
from dfj_bootstrap.config.run import RunConfig

if TYPE_CHECKING:
    from dfj_bootstrap.tasks.greet import Spoken


def check_live(config: RunConfig) -> Report:
    """Ask each model in use once; the exit code is 2 where one can't be used.

    Raises:
        ConfigError: a key or an extra is missing.
    """
    spoken = speak_to_all(config, open_display(quiet=True))
    return Report(
        [_line(name, each) for name, each in spoken.items()] or ["no models are in use: nothing to call"],
        {name: asdict(each) for name, each in spoken.items()},
        exit_code=2 if any(each.problem for each in spoken.values()) else 0,
    )


def _line(name: str, spoken: Spoken) -> str:
    if spoken.problem:
        return f"{spoken.problem}"
    cost = "price not known" if spoken.cost_usd is None else _cost(spoken.cost_usd)
    return (
        f"models.{name}: {spoken.model} answered as {spoken.answered_as} in {spoken.latency_s:.2f} s; "
        f"structured output: {spoken.structured}; {cost}"
    )


def _cost(usd: float) -> str:
    return money(usd) if usd >= 1e-4 or not usd else f"${usd:.2g}"


def merged(report: Report, live: Report) -> Report:
    """What ``dfj check`` says, with what the models said."""
    data: Mapping[str, Any] = {**report.data, "live": live.data}
    return Report([*report.lines, *live.lines], data, max(report.exit_code, live.exit_code))
