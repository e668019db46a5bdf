"""The endpoints: ways to reach a model, their limits and their prices."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from dfj_bootstrap.config.paid import PaidModel, Prices
from dfj_bootstrap.config.section import Section

FREE = Prices(input=0, output=0)
"""What costs nothing by the token."""


def _as_words(value: Any) -> Any:
    """Arguments of a command as texts, where YAML made numbers of them."""
    plain = isinstance(value, list)
    return [str(each) if type(each) in (int, float) else each for each in value] if plain else value


Words = Annotated[list[str], BeforeValidator(_as_words)]
"""Arguments of a command."""

THINKING_ROOM = 8192
"""Tokens that a model may think where nothing else is configured: about as far as it goes by itself."""

_REASONS = re.compile(r"(?:.*/)?(?:o[1-9]|gpt-[5-9])")
"""Names of OpenAI's models that reason before they answer, a gateway's prefix or not."""

Safety = Literal["BLOCK_NONE", "BLOCK_ONLY_HIGH", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_LOW_AND_ABOVE"]
"""The thresholds of Gemini's adjustable safety filters, by Google's names."""


class OpenAIModel(PaidModel):
    """Any server that speaks the OpenAI chat completions API."""

    backend: Literal["openai"]
    """`openai`."""
    base_url: str | None = None
    """The server's address, e.g. `http://127.0.0.1:8000/v1`; default: OpenAI's own."""
    api_key_env: str = "OPENAI_API_KEY"
    """The environment variable that holds the key; it may stand in a `.env` beside the config."""
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    """How much a reasoning model thinks before it answers, as the server takes it; default: it decides."""
    reasoning_tokens: int | None = Field(default=None, ge=0, le=1_000_000)
    """Tokens for that, paid as output and on top of `max_tokens`; default: 8192 for `o…`, `gpt-5…` on."""

    @property
    def most_thinking(self) -> int:
        if self.reasoning_tokens is not None:
            return self.reasoning_tokens
        return THINKING_ROOM if _REASONS.match(self.model) else 0


class GeminiModel(PaidModel):
    """Google's Gemini API; needs the extra `gemini`."""

    backend: Literal["gemini"]
    """`gemini`."""
    base_url: str | None = None
    """The address of a gateway, e.g. `http://127.0.0.1:8000`; default: Google's own."""
    api_key_env: str | None = None
    """The environment variable that holds the key; default: `GOOGLE_API_KEY`, else `GEMINI_API_KEY`."""
    safety: Safety | None = None
    """From which probability of harm on answers are blocked, e.g. `BLOCK_NONE`; default: the model's own."""
    thinking_budget: int | None = Field(default=None, ge=0, le=1_000_000)
    """Tokens for thinking, paid as output and on top of `max_tokens`; 0: none; default: the model decides."""
    thinking_level: Literal["minimal", "low", "medium", "high"] | None = None
    """How much Gemini 3 and newer think; sent instead of the budget, which is then only room for it."""

    @property
    def most_thinking(self) -> int:
        return THINKING_ROOM if self.thinking_budget is None else self.thinking_budget


class VLLMModel(PaidModel):
    """A model that the run itself serves with vLLM; needs the extra `vllm`, or the `vllm` command."""

    backend: Literal["vllm"]
    """`vllm`."""
    model: str
    """A hub model or the absolute path of a folder, as `vllm serve` takes it."""
    replicas: int = Field(default=1, ge=1, le=1024)
    """Servers; the calls of one seed go to one of them, and `max_in_flight` counts over all."""
    gpus_per_replica: int = Field(default=1, ge=0, le=1024)
    """GPUs of each server; more than one: tensor parallel; 0: on the CPU."""
    args: Words = Field(default=[])
    """Further arguments of `vllm serve`, e.g. `["--max-model-len", 8192]`."""
    adapter: str | None = None
    """A LoRA adapter among `args` (`--lora-modules NAME=PATH`), by its name: asked instead of the model."""
    startup_timeout_s: float = Field(default=900, gt=0, le=86_400)
    """Seconds that a server may take from its start until it answers; a download counts."""

    @property
    def asked_as(self) -> str:
        return self.adapter or self.model

    @model_validator(mode="after")
    def _adapter_is_served(self) -> Self:
        if self.adapter and not ("--lora-modules" in self.args and self.adapter in " ".join(self.args)):
            raise ValueError(f"adapter: no --lora-modules in `args` serves {self.adapter!r}")
        return self

    @field_validator("args")
    @classmethod
    def _not_ours(cls, args: list[str]) -> list[str]:
        return _without(args, ("--host", "--port", "--api-key", "--served-model-name"))


class SwiftModel(PaidModel):
    """A model that ms-swift's `swift infer` asks, a process for each chunk of calls; on the local engine."""

    backend: Literal["swift"]
    """`swift`."""
    model: str
    """A model's folder, or its hub name: a judge, or what the adapter was trained from."""
    adapter: Path | None = None
    """A LoRA adapter's folder, e.g. a `checkpoint-N` of `dfj train`; default: the model alone."""
    command: Path | None = None
    """The `swift` command of ms-swift's environment; default: found as by `dfj train`."""
    chunk: int = Field(default=256, ge=1, le=100_000)
    """Calls that one process answers at the most; each process loads the model anew."""
    batch: int = Field(default=16, ge=1, le=100_000)
    """Calls that the model answers at once (`max_batch_size`), and after which answers are written."""
    timeout_s: float = Field(default=7200, gt=0, le=86_400)
    """Seconds that a process may take for its chunk, loading the model included."""
    args: Words = Field(default=[])
    """Further arguments of `swift infer`, e.g. `["--infer_backend", "vllm"]`."""

    @model_validator(mode="before")
    @classmethod
    def _a_chunk_is_in_flight(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        chunk = data.get("chunk", cls.model_fields["chunk"].default)
        if data.get("max_in_flight", chunk) != chunk:
            raise ValueError("`max_in_flight` is what `chunk` says here; leave it out")
        for name in ("requests_per_minute", "tokens_per_minute", "max_attempts"):
            usual = cls.model_fields[name].default
            if data.get(name, usual) != usual:
                raise ValueError(f"`{name}` is for servers, and `swift infer` is none; leave it out")
        return {**data, "max_in_flight": chunk}

    @model_validator(mode="after")
    def _costs_nothing(self) -> Self:
        if self.prices not in (None, FREE):
            raise ValueError("`prices`: `swift infer` tells no tokens that could be priced; leave it out")
        return self

    @field_validator("args")
    @classmethod
    def _not_ours(cls, args: list[str]) -> list[str]:
        return _without(args, _OF_THE_RUN)


_OF_THE_RUN = (
    "--model", "--adapters", "--val-dataset", "--result-path", "--max-new-tokens", "--temperature",
    "--stream", "--max-batch-size", "--write-batch-size",
)  # fmt: skip
"""Flags of ``swift infer`` that aren't the user's."""


class Faults(Section):
    """Shares of the requests to a scripted model that go wrong, each from 0 to 1; together at most 1."""

    server_errors: float = Field(default=0, ge=0, le=1)
    """Answered with a 500."""
    too_many_requests: float = Field(default=0, ge=0, le=1)
    """Answered with a 429 and a `Retry-After`."""
    dropped: float = Field(default=0, ge=0, le=1)
    """The connection is dropped."""
    hangs: float = Field(default=0, ge=0, le=1)
    """Never answered: `timeout_s` ends them."""
    broken: float = Field(default=0, ge=0, le=1)
    """Answered with half a JSON object."""
    garbage: float = Field(default=0, ge=0, le=1)
    """Answered, and paid, with a text that can't be parsed."""
    cut_off: float = Field(default=0, ge=0, le=1)
    """Answered with a text that ends at the token limit."""
    refusals: float = Field(default=0, ge=0, le=1)
    """Refused by the model."""

    @model_validator(mode="after")
    def _not_more_than_all(self) -> Faults:
        if sum(self.model_dump().values()) > 1:
            raise ValueError("the shares add up to more than 1")
        return self


class ScriptedModel(PaidModel):
    """A rehearsal: a server inside each worker invents or replays answers, behind the real client."""

    backend: Literal["scripted"]
    """`scripted`."""
    model: str = "scripted"
    """A name for the texts' origin."""
    latency_s: float = Field(default=0.05, ge=0, le=86_400)
    """Mean seconds to an answer; each one takes between half and one and a half of it."""
    off_level: float = Field(default=0.3, ge=0, le=1)
    """The share of generated texts that miss the level they were asked for."""
    retry_after_s: float | None = Field(default=0.2, ge=0, le=86_400)
    """What a 429 asks to wait; null: it doesn't say."""
    faults: Faults = Faults()
    replay: Path | None = None
    """Recorded answers, JSON lines as `dfj calls RUN --json` prints them; what isn't in it is invented."""
    rng_seed: int = 0
    """Moves which requests go wrong."""


class RulesModel(Section):
    """The embedded rules: no key, no GPU, deterministic, free; its calls are not journalled or counted."""

    backend: Literal["rules"]
    """`rules`."""


Model = Annotated[
    OpenAIModel | GeminiModel | VLLMModel | SwiftModel | ScriptedModel | RulesModel,
    Field(discriminator="backend"),
]


def _without(args: list[str], ours: Iterable[str]) -> list[str]:
    """Arguments that name none of ours.

    Raises:
        ValueError: one does.
    """
    named = {each.split("=")[0].replace("_", "-") for each in args}
    for name in ours:
        if name in named:
            raise ValueError(f"{name} is set by the run itself")
    return args
