"""The configuration of generation: one strict tree, with a default for everything that can have one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import ValidationInfo, field_validator

from dfj_bootstrap.config.roles import EvaluatorRole, GeneratorRole, ParaphraserRole, WriterRole
from dfj_bootstrap.config.run import RunConfig, own_files, path_text
from dfj_bootstrap.config.sections import DatasetConfig, RefineConfig, SimilarityConfig


class Config(RunConfig):
    """A whole run."""

    seeds: Path | list[Path]
    """The seeds file, or a list of them (JSONL)."""
    image_root: Path | None = None
    """The folder that image paths are relative to and must not leave; default: the seeds file's own."""
    writer: WriterRole = WriterRole()
    generator: GeneratorRole = GeneratorRole()
    evaluator: EvaluatorRole = EvaluatorRole()
    paraphraser: ParaphraserRole = ParaphraserRole()
    similarity: SimilarityConfig = SimilarityConfig()
    refine: RefineConfig = RefineConfig()
    dataset: DatasetConfig = DatasetConfig()

    def resolved(self, base: Path) -> Self:
        similarity = self.similarity.model_copy(update=own_files(self.similarity, base, "model"))
        return super().resolved(base).model_copy(update={"similarity": similarity})

    @field_validator("seeds", "image_root", mode="before")
    @classmethod
    def _paths_are_texts(cls, value: Any, info: ValidationInfo) -> Any:
        several = info.field_name == "seeds" and isinstance(value, list)
        optional = info.field_name == "image_root" and value is None
        if several and not value:
            raise ValueError("names no file")
        for text in value if several else [] if optional else [value]:
            path_text(text)
        return value

    @property
    def seed_files(self) -> list[Path]:
        return self.seeds if isinstance(self.seeds, list) else [self.seeds]

    @property
    def compares_by(self) -> SimilarityConfig:
        return self.similarity
