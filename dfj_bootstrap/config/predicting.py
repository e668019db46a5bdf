"""What jobs have in common that ask one model about each row and keep what it says as a prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from dfj_bootstrap.config.models import RulesModel
from dfj_bootstrap.config.roles import Role
from dfj_bootstrap.config.run import RunConfig, path_text


class Predictor(Role):
    """Who is asked: a model; the embedded rules don't look at pictures."""

    model: str
    """The name of an entry of `models`."""
    prompt: str = ""
    """A shipped prompt (`role/version`) or the path of your own file."""
    max_tokens: int = Field(default=2048, ge=1, le=1_000_000)
    """The most tokens an answer may have."""
    json_schema: bool = False
    """Have the server force its answers into a JSON schema; a trained judge has a form of its own."""
    tries: int = Field(default=1, ge=1, le=10)
    """How often a question is asked until its answer can be read; at temperature 0 the same comes again."""

    def bare(self) -> Self:
        """The prompt is what makes it the role that it is."""
        return type(self)(model=self.model, prompt=self.prompt)

    @property
    def decides_answers(self) -> dict[str, Any]:
        return {"json_schema": self.json_schema}

    @field_validator("fallback")
    @classmethod
    def _speaks_for_itself(cls, value: list[str]) -> list[str]:
        if value:
            raise ValueError("predictions are of one model; run another one into an output folder of its own")
        return value


class PredictingConfig(RunConfig):
    """A run over rows with a picture each."""

    input: Path | None = None
    """The rows file (JSONL); mostly given as `--input`."""
    input_root: Path | None = None
    """The folder that the rows' image paths are relative to and must not leave; default: the file's own."""

    @field_validator("input", "input_root", mode="before")
    @classmethod
    def _paths_are_texts(cls, value: Any) -> Any:
        return None if value is None else path_text(value)

    @model_validator(mode="after")
    def _models_look(self) -> Self:
        for name, role in self.roles.items():
            if isinstance(self.models[role.model], RulesModel):
                raise ValueError(f"{name}.model: the embedded rules can't see; name a model in `models`")
        return self
