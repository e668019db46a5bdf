"""A second job, as short as a job can be: one call for each row of a JSON Lines file.

As a program it is ``dfj`` with one command more, so that tests start it as people start generation:
``python -m tests.support.ask ask CONFIG``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from dfj_bootstrap.app.start import Options, start
from dfj_bootstrap.calls.call import Place
from dfj_bootstrap.cli.app import ConfigPath, app, load
from dfj_bootstrap.cli.display import open_display
from dfj_bootstrap.cli.main import run
from dfj_bootstrap.config.roles import Role
from dfj_bootstrap.config.run import RunConfig
from dfj_bootstrap.domain.rationale import Label
from dfj_bootstrap.errors import CallFailed, Unusable
from dfj_bootstrap.intake.json_rows import JsonRows
from dfj_bootstrap.prompting.replies import RATIONALE_FIELDS, read_rationale
from dfj_bootstrap.roles.casting import Cast
from dfj_bootstrap.roles.identity import Forms
from dfj_bootstrap.roles.model_asking import Question
from dfj_bootstrap.storage.ledger import Ledger, Unit
from dfj_bootstrap.storage.tables import Row, Schema
from dfj_bootstrap.tasks import registry


class AskConfig(RunConfig):
    """What the job is configured by."""

    rows: Path
    asker: Role


@dataclass(frozen=True)
class Ask:
    """Ask for a rationale for each row."""

    config: AskConfig
    name: ClassVar[str] = "ask"
    forms: ClassVar[Forms] = {}
    decides: ClassVar[Sequence[Any]] = ()
    ledger: ClassVar[Ledger] = Ledger((Unit("rows", ("ok", "failed")),), unsettled=("rows.failed",))
    tables: ClassVar[Mapping[str, Schema]] = {"answers": pa.schema([("id", "string"), ("text", "string")])}

    @property
    def items(self) -> JsonRows:
        return JsonRows((self.config.rows,))

    async def do(self, item: Mapping[str, Any], cast: Cast) -> str:
        question = Question("", (f"text: {item['text']}",), None, RATIONALE_FIELDS, Place(item["id"]), "")
        try:
            (text, _), _ = await cast.speaker("asker").ask(question, _read)
        except (CallFailed, Unusable):
            text = ""
        cast.count("rows.ok" if text else "rows.failed", 1)
        return text

    def rows(self, item: Mapping[str, Any], done: str) -> Mapping[str, Sequence[Row]]:
        return {"answers": [(item["id"], done)]}


def _read(text: str, cut_off: bool) -> tuple[str, Label]:
    return read_rationale(text, cut_off=cut_off)


def _ask(config: Mapping[str, Any]) -> Ask:
    return Ask(AskConfig.model_validate(config))


@app.command()
def ask(config: ConfigPath) -> None:
    """Ask for each row. Example: python -m tests.support.ask ask config.yaml"""
    display = open_display()
    try:
        start(Ask(load(config, None, kind=AskConfig)), Options(), display)
    finally:
        display.close()


def register() -> None:
    """Let a run of this job be read with its prompts."""
    registry.KNOWN["ask"] = registry.Known(Ask.ledger, _ask)


if __name__ == "__main__":
    register()
    sys.exit(run(sys.argv[1:]))
