"""What every endpoint that is called over a network has in common: limits, pictures, prices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from pydantic import Field, field_validator, model_validator

from dfj_bootstrap.config.addresses import problem_of_base_url, problem_of_variable
from dfj_bootstrap.config.section import Section
from dfj_bootstrap.domain.resizing import FACTOR, MAX_PIXELS, MIN_PIXELS, PixelLimits


class Prices(Section):
    """USD per million tokens."""

    input: float = Field(ge=0)
    """USD per million input tokens."""
    output: float = Field(ge=0)
    """USD per million output tokens."""
    cached: float | None = Field(default=None, ge=0)
    """USD per million cached input tokens; default: as `input`."""


class PaidModel(Section):
    """What every endpoint that is called over a network has in common."""

    model: str
    """The model's name as the server knows it."""
    send_images: bool = True
    """Whether the image goes with each call; off for text-only models."""
    max_pixels: int = Field(default=MAX_PIXELS, ge=FACTOR**2)
    """The most pixels (width × height) of the image as it is sent; a larger one is scaled down."""
    min_pixels: int = Field(default=MIN_PIXELS, ge=1, le=64_000_000)
    """The least pixels of the image as it is sent; a smaller one is scaled up."""
    max_in_flight: int = Field(default=64, ge=1, le=100_000)
    """The most calls in flight at once, over all workers; fewer where the server shows that it can't."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """The most requests per minute, over all workers."""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    """The most tokens per minute, in and out, over all workers."""
    timeout_s: float = Field(default=120, gt=0, le=86_400)
    """Seconds after which a call without an answer counts as dropped."""
    max_attempts: int = Field(default=5, ge=1, le=100)
    """Network attempts per call (5xx, timeouts, dropped connections) before its seed is failed."""
    prices: Prices | None = None
    """What it costs; default: from a price library, and uncounted where that doesn't know the model."""

    @field_validator("base_url", check_fields=False)
    @classmethod
    def _an_address_without_secrets(cls, value: str | None) -> str | None:
        return _without_problem(value, problem_of_base_url)

    @field_validator("api_key_env", check_fields=False)
    @classmethod
    def _a_name_and_no_key(cls, value: str | None) -> str | None:
        return _without_problem(value, problem_of_variable)

    @model_validator(mode="after")
    def _pixels_ordered(self) -> Self:
        if self.min_pixels > self.max_pixels:
            raise ValueError(f"min_pixels ({self.min_pixels}) is above max_pixels ({self.max_pixels})")
        return self

    @property
    def asked_as(self) -> str:
        """What requests name."""
        return self.model

    @property
    def pixels(self) -> PixelLimits:
        """How large an image is sent."""
        return PixelLimits(self.min_pixels, self.max_pixels)

    @property
    def most_thinking(self) -> int:
        """The most tokens that are paid as output on top of what an answer may have."""
        return 0


def _without_problem(value: str | None, problem_of: Callable[[str], str]) -> str | None:
    problem = problem_of(value) if value is not None else ""
    if problem:
        raise ValueError(problem)
    return value
