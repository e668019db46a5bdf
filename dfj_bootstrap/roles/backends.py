"""What a worker opens: a way to each model in use, behind its limits. Here every backend is known."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dfj_bootstrap.calls.call import Endpoint
from dfj_bootstrap.config.models import GeminiModel, OpenAIModel, ScriptedModel, SwiftModel, VLLMModel
from dfj_bootstrap.config.paid import PaidModel
from dfj_bootstrap.config.run import RunConfig
from dfj_bootstrap.config.sections import SimilarityConfig
from dfj_bootstrap.endpoints.keys import key_of, key_variable
from dfj_bootstrap.limits.exchange import Grant, whole_of
from dfj_bootstrap.limits.gate import Gate
from dfj_bootstrap.limits.purse import Purse
from dfj_bootstrap.limits.worker import WorkerLimits
from dfj_bootstrap.roles.usability import Usability
from dfj_bootstrap.stages.protocols import Similarity

if TYPE_CHECKING:
    from dfj_bootstrap.endpoints.vllm.endpoint import Replicas

_ITEMS_AT_ONCE = 8
"""Items in progress where no calls are: rules only compute, and more would only take memory."""

Encode = Callable[[list[str]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Backends:
    """What a worker opens once and shares among its partitions."""

    endpoints: Mapping[str, Endpoint]
    similarity: Similarity
    items_at_once: int
    limits: WorkerLimits = field(default_factory=lambda: WorkerLimits({}, Purse()))
    usability: Usability = field(default_factory=Usability)

    def stop_admission(self) -> None:
        """The worker stops: nothing more is sent."""
        for endpoint in self.endpoints.values():
            endpoint.stop_admission()

    async def aclose(self) -> None:
        for endpoint in self.endpoints.values():
            await endpoint.aclose()


def open_backends(
    config: RunConfig,
    workers: int = 1,
    encode: Encode | None = None,
    replicas: Mapping[str, Replicas] | None = None,
) -> Backends:
    """Open what one of ``workers`` workers needs; no call goes out before its allowance is told.

    Args:
        encode: embeds texts elsewhere (on the node's encoder actor); default: in this process.
        replicas: vLLM's servers by the model's name, where they are kept elsewhere; default: children of this
            process, from the first call on.
    """
    models = config.paid_models
    purse = Purse()
    gates = {name: Gate(name, model, model.prices, purse) for name, model in models.items()}
    endpoints = {
        name: open_endpoint(name, model, config, replicas, gate=gates[name], tracing=config.tracing_headers)
        for name, model in models.items()
    }
    slots = sum(model.max_in_flight for model in models.values()) // workers
    items_at_once = max(_ITEMS_AT_ONCE, slots)  # in an item's last calls only one may be in flight
    limits, usability = WorkerLimits(gates, purse), Usability(config.max_unusable_share)
    return Backends(endpoints, _similarity(config.compares_by, encode), items_at_once, limits, usability)


def vllm_models(config: RunConfig) -> dict[str, VLLMModel]:
    """The models in use that the run serves itself."""
    return {name: model for name, model in config.paid_models.items() if isinstance(model, VLLMModel)}


def limits_of(config: RunConfig) -> dict[str, Grant]:
    """All that may be done at each endpoint in use, over all workers."""
    return {name: whole_of(model) for name, model in config.paid_models.items()}


def workers_of(config: RunConfig) -> int:
    """Worker actors that the configuration comes to: never more than an endpoint has calls in flight."""
    limits = [model.max_in_flight for model in config.paid_models.values()]
    return min([config.engine.workers, *limits])


def open_endpoint(
    name: str, model: PaidModel, config: RunConfig, replicas: Mapping[str, Replicas] | None, **client: Any
) -> Endpoint:
    """The endpoint of a model; ``client``: what all of them take, its gate and whether to trace."""
    if isinstance(model, ScriptedModel):
        from dfj_bootstrap.endpoints.scripted.endpoint import ScriptedEndpoint

        return ScriptedEndpoint(name, model, **client)
    if isinstance(model, VLLMModel):
        from dfj_bootstrap.endpoints.vllm.endpoint import VLLMEndpoint, local_replicas

        servers = replicas[name] if replicas else local_replicas(name, model, config.output)
        return VLLMEndpoint(name, model, servers, **client)
    if isinstance(model, SwiftModel):
        from dfj_bootstrap.endpoints.swift.endpoint import SwiftEndpoint

        return SwiftEndpoint(name, model, config.output)  # its limit is its chunk: no gate, no probe
    key = key_of(name, model)
    if isinstance(model, OpenAIModel):
        from dfj_bootstrap.endpoints.openai.endpoint import OpenAIEndpoint

        return OpenAIEndpoint(name, model, key, **client)
    if isinstance(model, GeminiModel):
        from dfj_bootstrap.endpoints.gemini.endpoint import GeminiEndpoint

        return GeminiEndpoint(name, model, key, key_name=key_variable(model), **client)
    raise TypeError(f"no endpoint for a {type(model).__name__}")


def _similarity(config: SimilarityConfig | None, encode: Encode | None) -> Similarity:
    if config is not None and config.backend == "sentence-transformers":
        from dfj_bootstrap.similarity.sentence import BatchingSimilarity, SentenceSimilarity

        return BatchingSimilarity(encode) if encode else SentenceSimilarity(config.model)
    from dfj_bootstrap.similarity.lexical import LexicalSimilarity, NoSimilarity

    return LexicalSimilarity() if config is not None and config.backend == "lexical" else NoSimilarity()
