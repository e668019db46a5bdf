"""Who plays the roles, by configuration. The one place that knows every backend."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dfj_bootstrap.calls.call import Endpoint
from dfj_bootstrap.calls.journalled import JournalledEndpoint
from dfj_bootstrap.config.models import GeminiModel, OpenAIModel, PaidModel, ScriptedModel, VLLMModel
from dfj_bootstrap.config.roles import ROLES, Role
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.domain.model_names import public_name
from dfj_bootstrap.endpoints.keys import key_of, key_variable
from dfj_bootstrap.endpoints.scripted.replay import check_replay
from dfj_bootstrap.endpoints.vllm.command import check_vllm
from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.limits.allowance import Grant
from dfj_bootstrap.limits.allowances import Allowances
from dfj_bootstrap.limits.gate import Gate, whole_of
from dfj_bootstrap.limits.purse import Purse
from dfj_bootstrap.policy.fidelity import Window
from dfj_bootstrap.prompting.templates import load_prompt
from dfj_bootstrap.roles.identity import identity_of
from dfj_bootstrap.roles.model import ModelEvaluator, ModelGenerator, ModelParaphraser, ModelWriter
from dfj_bootstrap.roles.model_asking import Line
from dfj_bootstrap.roles.recorded import RecordedSimilarity
from dfj_bootstrap.roles.rules import RulesEvaluator, RulesGenerator, RulesParaphraser, RulesWriter
from dfj_bootstrap.roles.usability import Usability
from dfj_bootstrap.runs.journal import Records
from dfj_bootstrap.similarity.sentence import check_available
from dfj_bootstrap.stages.ladder import Recipe
from dfj_bootstrap.stages.paraphrase import ParaphraseOptions
from dfj_bootstrap.stages.protocols import Evaluator, Generator, Paraphraser, Roles, Similarity, Writer

if TYPE_CHECKING:
    from dfj_bootstrap.endpoints.vllm.endpoint import Replicas

_SEEDS_AT_ONCE = 8
"""Seeds in progress where no calls are: rules only compute, and more would only take memory."""

Encode = Callable[[list[str]], Awaitable[Any]]
Count = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Backends:
    """What a worker opens once and shares among its partitions."""

    endpoints: Mapping[str, Endpoint]
    similarity: Similarity
    seeds_at_once: int
    allowances: Allowances = field(default_factory=lambda: Allowances({}, Purse()))
    usability: Usability = field(default_factory=Usability)

    def stop_admission(self) -> None:
        """The worker stops: nothing more is sent."""
        for endpoint in self.endpoints.values():
            endpoint.stop_admission()

    async def aclose(self) -> None:
        for endpoint in self.endpoints.values():
            await endpoint.aclose()


class Cast:
    """The roles for one partition: the worker's backends behind that partition's journal."""

    def __init__(
        self,
        config: Config,
        backends: Backends,
        journal: Records,
        count: Count,
        behind: Callable[[Endpoint, Records, Count], JournalledEndpoint] = JournalledEndpoint,
    ) -> None:
        """``behind`` puts an endpoint behind the journal."""
        self._config = config
        self._backends = backends
        self._endpoints = {
            name: behind(endpoint, journal, count) for name, endpoint in backends.endpoints.items()
        }
        self.roles = Roles(
            self._writer(), self._generator(), self._evaluator(), self._paraphraser(),
            _recorded(config, backends.similarity, journal),
        )  # fmt: skip

    async def settle(self) -> None:
        """Wait until every question of this partition has ended."""
        for endpoint in self._endpoints.values():
            await endpoint.settle()

    async def drain(self, grace_s: float) -> None:
        """Let calls in flight be answered and recorded, for so long at the most."""
        for endpoint in self._endpoints.values():
            await endpoint.drain(grace_s)

    def _line(self, role: Role) -> Line | None:
        """The way to a role's model and those that step in; ``None`` where the embedded rules play it."""
        line: Line | None = None
        for name in reversed((role.model, *role.fallback)):
            model = self._config.models[name]
            if isinstance(model, PaidModel):
                usability = self._backends.usability
                line = Line(self._endpoints[name], name, model.model, model.send_images, line, usability)
        return line

    def _writer(self) -> Writer:
        role = self._config.writer
        line = self._line(role)
        return ModelWriter(line, role, load_prompt(role.prompt)) if line else RulesWriter()

    def _generator(self) -> Generator:
        role = self._config.generator
        line = self._line(role)
        return ModelGenerator(line, role, load_prompt(role.prompt)) if line else RulesGenerator()

    def _evaluator(self) -> Evaluator:
        role = self._config.evaluator
        line = self._line(role)
        if line is None:
            return RulesEvaluator()
        return ModelEvaluator(line, role, load_prompt(role.prompt), load_prompt(role.justify_prompt))

    def _paraphraser(self) -> Paraphraser:
        role = self._config.paraphraser
        line = self._line(role)
        return ModelParaphraser(line, role, load_prompt(role.prompt)) if line else RulesParaphraser()


def open_backends(
    config: Config,
    workers: int = 1,
    encode: Encode | None = None,
    replicas: Mapping[str, Replicas] | None = None,
) -> Backends:
    """Open what one of ``workers`` workers needs; no call goes out before its allowances are granted.

    Args:
        encode: embeds texts elsewhere (on the node's encoder actor); default: in this process.
        replicas: vLLM's servers by the model's name, where they are kept elsewhere; default: children of this
            process, from the first call on.
    """
    models = _models_in_use(config)
    purse = Purse()
    gates = {name: Gate(name, model, model.prices, purse) for name, model in models.items()}
    endpoints = {
        name: _open(name, model, config, replicas, gate=gates[name], tracing=config.tracing_headers)
        for name, model in models.items()
    }
    slots = sum(model.max_in_flight for model in models.values()) // workers
    seeds_at_once = max(_SEEDS_AT_ONCE, slots)  # in a seed's last calls only one may be in flight
    allowances, usability = Allowances(gates, purse), Usability(config.max_unusable_share)
    return Backends(endpoints, _similarity(config, encode), seeds_at_once, allowances, usability)


def vllm_models(config: Config) -> dict[str, VLLMModel]:
    """The models in use that the run serves itself."""
    return {name: model for name, model in _models_in_use(config).items() if isinstance(model, VLLMModel)}


def limits_of(config: Config) -> dict[str, Grant]:
    """All that may be done at each endpoint in use, over all workers."""
    return {name: whole_of(model) for name, model in _models_in_use(config).items()}


def workers_of(config: Config) -> int:
    """Worker actors that the configuration comes to: never more than an endpoint has calls in flight."""
    limits = [model.max_in_flight for model in _models_in_use(config).values()]
    return min([config.engine.workers, *limits])


def check_backends(config: Config) -> None:
    """Find out, before anything is spent or started, whether keys, extras, addresses and proxies will do.

    Raises:
        ConfigError: naming what is missing or wrong, and what to do.
    """
    from dfj_bootstrap.endpoints.prices import prices_of

    check_available(config.similarity)
    for name, model in _models_in_use(config).items():
        if config.budget_usd is not None and prices_of(model) is None:
            raise ConfigError(
                f"models.{name}: budget_usd needs to know what {model.model} costs; "
                "give its `prices` (USD per million tokens)"
            )
        if isinstance(model, ScriptedModel):
            check_replay(model)
            continue
        if isinstance(model, VLLMModel):
            if config.engine.kind == "local":
                check_vllm(model)  # under Ray the nodes with GPUs need it, and say so themselves
            continue
        gate = Gate(name, model, model.prices, Purse())
        _open(name, model, config, None, gate=gate, tracing=False)  # nothing is connected before a call


def keys_in_use(config: Config) -> dict[str, str]:
    """The name of each model in use → the environment variable that its key is taken from, if any."""
    variables = {name: key_variable(model) for name, model in _models_in_use(config).items()}
    return {name: variable for name, variable in variables.items() if os.environ.get(variable)}


def recipe_of(config: Config) -> Recipe:
    """What the stages need to know."""
    window = Window(config.similarity.min, config.similarity.max)
    options = ParaphraseOptions(config.paraphraser.count, config.paraphraser.max_tries, window)
    return Recipe(config.refine.gate, config.refine.threshold, config.refine.max_rounds, options)


_RULES_NOTE = (
    "**Demonstration data.** The embedded rules corrupt the gold's claims in a controlled way and rate texts "
    "by matching claims. Their prose is templated, in English, and blind to the picture. That is good for "
    "trying the pipeline, a loader or a training job out; it is not good for training a judge that people "
    "rely on."
)
"""What the card says plainly of data in which the rules had a part."""


def backend_note(config: Config) -> str:
    """Which models made the data, and what data of such making is good for, for the dataset's cards."""
    identity = identity_of(config)
    made = [f"{name}: {_maker(config, name, who)}" for name, who in identity.items()]
    similarity = config.similarity
    checked = similarity.model if similarity.backend == "sentence-transformers" else similarity.backend
    note = "; ".join([*made, f"similarity: {public_name(checked)}"]) + "."
    embedded = any(who["backend"] == "rules" for who in identity.values())
    return f"{note}\n\n{_RULES_NOTE}" if embedded else note


def _maker(config: Config, role: str, who: Mapping[str, Any]) -> str:
    """Who played a role, and who stepped in where that refused."""
    if who["backend"] == "scripted":
        return "a script (a rehearsal: its texts say nothing about the images)"
    names = [config.models[name] for name in getattr(config, role).fallback]
    others = [f" or {public_name(model.model)}" for model in names if isinstance(model, PaidModel)]
    return "".join([public_name(who["model"]) if "model" in who else "the embedded rules", *others])


def _models_in_use(config: Config) -> dict[str, PaidModel]:
    roles = [getattr(config, role) for role in ROLES]
    names = dict.fromkeys(name for role in roles for name in (role.model, *role.fallback))
    return {name: model for name in names if isinstance(model := config.models[name], PaidModel)}


def _open(
    name: str, model: PaidModel, config: Config, replicas: Mapping[str, Replicas] | None, **client: Any
) -> Endpoint:
    """The endpoint of a model; ``client``: what all of them take, its gate and whether to trace."""
    if isinstance(model, ScriptedModel):
        from dfj_bootstrap.endpoints.scripted.endpoint import ScriptedEndpoint

        return ScriptedEndpoint(name, model, **client)
    if isinstance(model, VLLMModel):
        from dfj_bootstrap.endpoints.vllm.endpoint import VLLMEndpoint, local_replicas

        servers = replicas[name] if replicas else local_replicas(name, model, config.output)
        return VLLMEndpoint(name, model, servers, **client)
    key = key_of(name, model)
    if isinstance(model, OpenAIModel):
        from dfj_bootstrap.endpoints.openai.endpoint import OpenAIEndpoint

        return OpenAIEndpoint(name, model, key, **client)
    if isinstance(model, GeminiModel):
        from dfj_bootstrap.endpoints.gemini.endpoint import GeminiEndpoint

        return GeminiEndpoint(name, model, key, key_name=key_variable(model), **client)
    raise TypeError(f"no endpoint for a {type(model).__name__}")


def _similarity(config: Config, encode: Encode | None) -> Similarity:
    if config.similarity.backend == "sentence-transformers":
        from dfj_bootstrap.similarity.sentence import BatchingSimilarity, SentenceSimilarity

        return BatchingSimilarity(encode) if encode else SentenceSimilarity(config.similarity.model)
    from dfj_bootstrap.similarity.lexical import LexicalSimilarity, NoSimilarity

    return LexicalSimilarity() if config.similarity.backend == "lexical" else NoSimilarity()


def _recorded(config: Config, similarity: Similarity, journal: Records) -> Similarity:
    """Verdicts of a model are facts; what is computed from the texts alone needs no record."""
    if config.similarity.backend != "sentence-transformers":
        return similarity
    return RecordedSimilarity(similarity, config.similarity.model, journal)
