"""A detector over pictures: the class of each, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from dfj_bootstrap.config.detect import DetectConfig
from dfj_bootstrap.intake.json_rows import JsonObject
from dfj_bootstrap.intake.judged_rows import shown_by
from dfj_bootstrap.intake.picture_rows import PictureRow, PictureRows
from dfj_bootstrap.prompting import judging
from dfj_bootstrap.prompting.templates import Prompt, load_prompt
from dfj_bootstrap.roles.casting import Cast
from dfj_bootstrap.roles.identity import Forms
from dfj_bootstrap.storage.ledger import Ledger
from dfj_bootstrap.storage.tables import Row, Schema
from dfj_bootstrap.tasks.asking import Asked, Asking, filled, items_of
from dfj_bootstrap.tasks.prediction_ledger import PREDICTIONS
from dfj_bootstrap.tasks.predictions import TABLES, Predicted


@dataclass(frozen=True)
class Detect:
    """Say of each picture what it is."""

    name: ClassVar[str] = "detect"
    forms: ClassVar[Forms] = {"detector": {"prompt": judging.DETECTOR}}
    ledger: ClassVar[Ledger] = PREDICTIONS
    tables: ClassVar[Mapping[str, Schema]] = TABLES

    config: DetectConfig

    @property
    def decides(self) -> Sequence[Any]:
        return [self.config.detector.tries]

    @property
    def items(self) -> PictureRows:
        return items_of(self.config, None, self.question)

    async def do(self, row: PictureRow, cast: Cast) -> Predicted:
        asking = cast.once(self._asking)
        said = await asking.all(row, [self.question(row.data)], judging.read_label_opinion)
        (only,) = said
        why = {"why": only.why} if only.why else {}
        told = {"status": only.status, "label": only.value, "rationale": only.reasoning, "raw": only.raw}
        return asking.predicted({**told, **why}, said).enter(cast)

    def rows(self, row: PictureRow, done: Predicted) -> Mapping[str, Sequence[Row]]:
        return done.rows(row)

    def question(self, row: JsonObject) -> Asked:
        """What a row is asked; its label is never told.

        Raises:
            RowRefused: the row can't be asked about.
        """
        shown = shown_by(row)
        if shown.turn is not None:
            return Asked.turn(shown.turn)
        return filled(self._prompt, {"query": shown.query})

    @cached_property
    def _prompt(self) -> Prompt:
        return load_prompt(self.config.detector.prompt)

    def _asking(self, cast: Cast) -> Asking:
        fields = judging.LABEL_FIELDS if self.config.detector.json_schema else {}
        return Asking.of(self.config, "detector", fields, cast)
