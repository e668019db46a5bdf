"""``dfj generate`` as an operation: the job of generation, and the dataset made of what it has come to."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

from dfj_bootstrap import __version__
from dfj_bootstrap.app.basis import digest_of
from dfj_bootstrap.app.makers import backend_note
from dfj_bootstrap.app.start import Display, Options, Outcome, Worked, start
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.dataset.assembly import assemble
from dfj_bootstrap.dataset.checksums import visible_damage
from dfj_bootstrap.dataset.ladder_tables import TABLES
from dfj_bootstrap.dataset.records import judge_prompts
from dfj_bootstrap.storage.reader import RunReader
from dfj_bootstrap.tasks.generate import Generate

_LOG = logging.getLogger(__name__)


def generate(
    config: Config, display: Display, *, limit: int | None = None, retry_rejected: bool = False
) -> Outcome:
    """Run a configuration, or go on where its run folder stands, up to the assembled dataset.

    Raises:
        BudgetSpent, RunError, KeyboardInterrupt: as ``start``.
    """
    assembling = _Assembling(config, display)
    return start(Generate(config, retry_rejected), Options(limit, finish=assembling.finish), display)


class _Assembling:
    """Makes ``dfj-meta`` anew where it isn't what the run has come to by now."""

    def __init__(self, config: Config, display: Display) -> None:
        self._config = config
        self._display = display

    def finish(self, worked: Worked) -> tuple[dict[str, Any], bool]:
        """The dataset's summary, and whether it had to be made anew."""
        note = backend_note(self._config, worked.manifest["identity"])
        basis = self._basis(worked, note)
        before = dict(worked.manifest.get("dataset") or {})
        if before.get("basis") == basis:
            damage = visible_damage(worked.run)
            if not damage:
                return before, False
            _LOG.warning("%s: %s: the dataset is written again from the tables", worked.run, damage)
        self._display.phase("assembling", "writing the dataset")
        reader = RunReader(worked.run, worked.manifest, TABLES)
        summary = assemble(reader, self._config, note)
        return {"basis": basis, **_plain(asdict(summary))}, True

    def _basis(self, worked: Worked, note: str) -> str:
        options = self._config.dataset.model_dump(mode="json")
        made_from = [options, asdict(judge_prompts()), note, __version__]
        return digest_of([*made_from, worked.epochs])


def _plain(value: Any) -> Any:
    """Enum keys as the words they stand for, so that scripts can read them."""
    return {str(key): _plain(inner) for key, inner in value.items()} if isinstance(value, dict) else value
