"""A judge over rows: a score for each text, a choice between two, or what a text and a reference share.

What is asked follows from the row. A row of the published schema is the whole question itself, since that
is what a judge was trained on; of any other row the prompt makes one. A pointwise judge scores the two texts
of a pair one after the other, and the higher score is its choice. Claims are matched by the texts alone: the
picture is shown only where the prompt places it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from dfj_bootstrap.config.judge import JudgeConfig
from dfj_bootstrap.intake.item_rows import RowRefused
from dfj_bootstrap.intake.json_rows import GivenRows, JsonObject
from dfj_bootstrap.intake.judged_rows import Shown, reference_of, texts_of, written_before
from dfj_bootstrap.intake.picture_rows import PictureRow, PictureRows
from dfj_bootstrap.prompting import judging, matching
from dfj_bootstrap.prompting.replies import Schema as Fields
from dfj_bootstrap.prompting.templates import Prompt, load_prompt
from dfj_bootstrap.roles.casting import Cast
from dfj_bootstrap.roles.identity import Forms
from dfj_bootstrap.storage.ledger import Ledger
from dfj_bootstrap.storage.tables import Row, Schema
from dfj_bootstrap.tasks import verdicts
from dfj_bootstrap.tasks.asking import Asked, Asking, filled, items_of, told
from dfj_bootstrap.tasks.prediction_ledger import PREDICTIONS
from dfj_bootstrap.tasks.predictions import TABLES, Predicted

_FORMS = {"pairwise": judging.PAIRWISE, "claims": judging.CLAIMS}
_LIKELY = 600
"""Tokens of the claims and entities of two texts."""


@dataclass(frozen=True)
class Judge:
    """Judge each row.

    Attributes:
        config: with its task.
        given: the rows, where they don't stand in a file.
    """

    name: ClassVar[str] = "judge"
    ledger: ClassVar[Ledger] = PREDICTIONS
    tables: ClassVar[Mapping[str, Schema]] = TABLES

    config: JudgeConfig
    given: GivenRows | None = None

    @property
    def forms(self) -> Forms:
        return {"judge": {"prompt": _FORMS.get(self.config.task or "", judging.POINTWISE)}}

    @property
    def decides(self) -> Sequence[Any]:
        judge = self.config.judge
        return [self.config.task, self.config.both_orders, judge.ties, judge.tries]

    @property
    def items(self) -> PictureRows:
        return items_of(self.config, self.given, self.questions)

    async def do(self, row: PictureRow, cast: Cast) -> Predicted:
        asking = cast.once(self._asking)
        questions = self.questions(row.data)
        if self._chooses:
            read = judging.choice_reader(ties=self.config.judge.ties)
            choices = await asking.all(row, questions, read)
            return asking.predicted(verdicts.chosen(choices), choices).enter(cast)
        if self._matches:
            matches = await asking.all(row, questions, matching.read_matching)
            found = {**verdicts.matched(matches), **written_before(row.data)}
            return asking.predicted(found, matches).enter(cast)
        scores = await asking.all(row, questions, judging.read_opinion)
        verdict = verdicts.preferred(scores) if len(scores) > 1 else verdicts.scored(scores)
        return asking.predicted({**verdict, **written_before(row.data)}, scores).enter(cast)

    def rows(self, row: PictureRow, done: Predicted) -> Mapping[str, Sequence[Row]]:
        return done.rows(row)

    def questions(self, row: JsonObject) -> list[Asked]:
        """What a row is asked, one question after the other.

        Raises:
            RowRefused: it isn't one for this judge.
        """
        shown = texts_of(row)
        if self._matches:
            return [self._comparison(shown, reference_of(row))]
        return self._choices(shown) if self._chooses else self._scores(shown)

    @property
    def _chooses(self) -> bool:
        return self.config.task == "pairwise"

    @property
    def _matches(self) -> bool:
        return self.config.task == "claims"

    def _comparison(self, shown: Shown, reference: str) -> Asked:
        """What a text and its reference have in common."""
        if shown.turn is not None or shown.pair:
            raise RowRefused("", "claims are matched with those of one `candidate`, or of one `rationale`")
        (text,) = shown.texts
        values = {"reference": reference, **self._values(shown), "candidate_response": text}
        parts = judging.question_on_texts(self._prompt, told(self._prompt, values))
        return Asked(parts, self._prompt.digest, _LIKELY)

    def _choices(self, shown: Shown) -> list[Asked]:
        """Which of two is better, and once more in the other order where that is wanted."""
        if not shown.pair and (shown.turn is None or shown.texts):
            raise RowRefused("", "the row has one text; this judge chooses between two (--task pairwise)")
        orders = (False, True) if self.config.both_orders else (False,)
        if shown.turn is not None:
            return [Asked.turn(shown.swapped_turn() if swapped else shown.turn) for swapped in orders]
        names = ("response_a", "response_b")
        both = [shown.texts[::-1] if swapped else shown.texts for swapped in orders]
        return [self._filled(shown, dict(zip(names, texts, strict=True))) for texts in both]

    def _scores(self, shown: Shown) -> list[Asked]:
        """How good a text is, or each of two."""
        if shown.turn is not None and not shown.pair:
            return [Asked.turn(shown.turn)]
        if shown.pair and len(shown.texts) != 2:
            raise RowRefused(
                "messages",
                "the row compares two texts, which can't be told from the rest of the user's turn; "
                "this judge scores one at a time (--task pointwise)",
            )
        return [self._filled(shown, {"candidate_response": text}) for text in shown.texts]

    def _filled(self, shown: Shown, texts: Mapping[str, str]) -> Asked:
        return filled(self._prompt, {**self._values(shown), **texts})

    def _values(self, shown: Shown) -> dict[str, str | None]:
        return {"ground_truth_label": shown.label, "query": shown.query}

    @cached_property
    def _prompt(self) -> Prompt:
        return load_prompt(self.config.judge.prompt)

    def _asking(self, cast: Cast) -> Asking:
        return Asking.of(self.config, "judge", self._fields if self.config.judge.json_schema else {}, cast)

    @property
    def _fields(self) -> Fields:
        if self._matches:
            return matching.MATCH_FIELDS
        return judging.choice_fields(ties=self.config.judge.ties) if self._chooses else judging.SCORE_FIELDS
