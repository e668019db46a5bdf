"""The roles of a job: who plays them, by which prompt, and how they sample."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field

from dfj_bootstrap.config.section import Section

ROLES = ("writer", "generator", "evaluator", "paraphraser")
"""The roles that a model or the rules can play, by their name in the configuration."""


class Role(Section):
    """What a role that is played by a model needs."""

    model: str = "rules"
    """The name of an entry of `models`."""
    temperature: float = Field(default=0.0, ge=0, le=2)
    """Sampling temperature."""
    max_tokens: int = Field(default=700, ge=1, le=1_000_000)
    """The most tokens an answer may have."""
    fallback: list[str] = Field(default=[])
    """Further entries of `models`: where a model refuses to answer, the next one takes over that call."""
    rng_seed: int | None = None
    """For servers that can repeat their sampling: each call sends a `seed` drawn from this and its place."""
    logprobs: bool = False
    """Ask for the log-probabilities of the answer's tokens; `dfj calls` shows them."""

    def bare(self) -> Self:
        """The same model in this role, with all else as it comes."""
        return type(self)(model=self.model)

    @property
    def decides_answers(self) -> dict[str, Any]:
        """What changes the answers besides model, prompts and sampling."""
        return {}


class WriterRole(Role):
    """Writes gold rationales, only where a seed has annotations and no gold rationale."""

    prompt: str = "writer/v1"
    """A shipped prompt (`role/version`) or the path of your own file."""


class GeneratorRole(Role):
    """Writes rationales of levels 1–4."""

    prompt: str = "generator/v1"
    """A shipped prompt (`role/version`) or the path of your own file."""
    temperature: float = Field(default=0.9, ge=0, le=2)
    """Sampling temperature."""


class EvaluatorRole(Role):
    """Rates candidates without knowing the intended level."""

    prompt: str = "evaluator/v1"
    """A shipped prompt (`role/version`) or the path of your own file."""
    justify_prompt: str = "evaluator/justify-v1"
    """The prompt that asks for an argument for a given score."""
    max_tokens: int = Field(default=500, ge=1, le=1_000_000)
    """The most tokens an answer may have."""


class ParaphraserRole(Role):
    """Rewords accepted rationales."""

    prompt: str = "paraphraser/v1"
    """A shipped prompt (`role/version`) or the path of your own file."""
    temperature: float = Field(default=0.9, ge=0, le=2)
    """Sampling temperature."""
    count: int = Field(default=5, ge=0, le=100)
    """Paraphrases wanted of each accepted rationale."""
    max_tries: int = Field(default=3, ge=1, le=100)
    """Tries at each paraphrase before it is given up."""
