"""Asking one model about rows with a picture: what ``judge`` and ``detect`` have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from dfj_bootstrap.calls.call import Place
from dfj_bootstrap.config.paid import PaidModel
from dfj_bootstrap.config.predicting import PredictingConfig, Predictor
from dfj_bootstrap.domain.model_names import public_name
from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.intake.item_rows import RowRefused
from dfj_bootstrap.intake.json_rows import GivenRows, JsonRows
from dfj_bootstrap.intake.judged_rows import row_id
from dfj_bootstrap.intake.picture_rows import Check, PictureFolder, PictureRow, PictureRows
from dfj_bootstrap.prompting import judging
from dfj_bootstrap.prompting.judging import Opinion
from dfj_bootstrap.prompting.replies import Reader, Schema
from dfj_bootstrap.prompting.templates import Prompt, placeholders
from dfj_bootstrap.roles.casting import Cast
from dfj_bootstrap.roles.model_asking import Question, Speaker
from dfj_bootstrap.tasks.predictions import Answer, Predicted, answer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about a row.

    Attributes:
        prompt: digest of the prompt that made it, if one did.
        likely: tokens of a usual answer: a short reasoning, and a score, a choice or a class.
    """

    parts: tuple[str, ...]
    prompt: str = ""
    likely: int = 150

    @classmethod
    def turn(cls, turn: str) -> Self:
        """A user's turn as it stands in the row."""
        return cls(judging.whole_turn(turn))


def filled(prompt: Prompt, values: Mapping[str, str | None]) -> Asked:
    """The question that a prompt makes of what a row shows.

    Raises:
        RowRefused: the row lacks what the prompt tells.
    """
    return Asked(judging.question(prompt, told(prompt, values)), prompt.digest)


def told(prompt: Prompt, values: Mapping[str, str | None]) -> dict[str, str]:
    """What a row shows; of what it doesn't, the value is ``None``.

    Raises:
        RowRefused: the row lacks what the prompt tells.
    """
    for wanted in placeholders(prompt.text):
        if wanted in values and values[wanted] is None:
            field = "label" if wanted == "ground_truth_label" else wanted
            raise RowRefused(field, f"missing; the prompt tells it ({{{wanted}}})")
    return {key: value for key, value in values.items() if value is not None}


def items_of(config: PredictingConfig, given: GivenRows | None, check: Check) -> PictureRows:
    """The rows of a job: given ones, those of the input's lines, or the pictures of the folder that it is.

    Raises:
        ConfigError: there is no input.
    """
    if config.input is None:
        raise ConfigError("no rows to work on; name their file with --input, or as `input`")
    if given is not None:
        return PictureRows(given, config.input, check)
    if config.input.is_dir():
        return PictureRows(PictureFolder(config.input), config.input, check)
    root = config.input_root or config.input.parent
    return PictureRows(JsonRows((config.input,), row_id), root, check)


def asker(config: PredictingConfig, role: str) -> str:
    """Who is asked, as predictions name it; whatever the server calls itself, all of them say the same."""
    model = config.models[config.roles[role].model]
    assert isinstance(model, PaidModel)
    return public_name(model.asked_as)


@dataclass(frozen=True, slots=True)
class Asking:
    """A way to one model, and what is kept of what it says.

    Attributes:
        fields: the form of the answers, where the server is to force them into it.
        model: its name in predictions.
    """

    speaker: Speaker
    fields: Schema
    model: str

    @classmethod
    def of(cls, config: PredictingConfig, role: str, fields: Schema, cast: Cast) -> Self:
        settings = config.roles[role]
        assert isinstance(settings, Predictor)
        return cls(cast.speaker(role, settings.tries), fields, asker(config, role))

    async def all(self, row: PictureRow, asked: Sequence[Asked], read: Reader[Opinion[T]]) -> list[Answer[T]]:
        """The answers to a row's questions, asked one after the other."""
        return [await self._one(row, number, each, read) for number, each in enumerate(asked)]

    async def _one(self, row: PictureRow, number: int, asked: Asked, read: Reader[Opinion[T]]) -> Answer[T]:
        place = Place(row.id, round_index=number)
        label = str(row.data.get("label") or "").strip().lower()
        question = Question(asked.prompt, asked.parts, row.image, self.fields, place, label)
        return await answer(self.speaker, question, read)

    def predicted(self, verdict: Mapping[str, Any], said: Sequence[Answer[Any]]) -> Predicted:
        """What is kept of a row."""
        return Predicted({**verdict, "model": self.model}, [each.made for each in said])
