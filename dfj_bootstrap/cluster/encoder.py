"""One embedding model per node, in an actor of its own, for all workers there."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

import ray
from ray.exceptions import RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from dfj_bootstrap.config import Config
from dfj_bootstrap.similarity.sentence import Encoder

_TRIES = 3
"""The actor dies with the worker that happened to start it; another one then starts it again."""


def shared_encoder(config: Config, run_id: str) -> Callable[[list[str]], Awaitable[Any]] | None:
    """A function that encodes texts on this node's encoder actor; ``None`` where no model is asked for."""
    if config.similarity.backend != "sentence-transformers":
        return None
    return _SharedEncoder(config.similarity.model, run_id).encode


class NodeEncoder(Encoder):
    """The encoder as an actor. It asks for no CPU of Ray's, so Ray would give it one thread: it takes all."""

    def __init__(self, model: str) -> None:
        import torch

        torch.set_num_threads(len(os.sched_getaffinity(0)))
        super().__init__(model)


class _SharedEncoder:
    """A worker's way to the encoder. It keeps the handle: an actor ends when nobody holds it any more."""

    def __init__(self, model: str, run_id: str) -> None:
        self._model = model
        self._run_id = run_id
        self._actor: Any = self._found_or_started()  # it loads while the first levels are refined

    async def encode(self, texts: list[str]) -> Any:
        for left in reversed(range(_TRIES)):
            self._actor = self._actor or self._found_or_started()
            try:
                return await self._actor.encode.remote(texts)
            except RayActorError:
                self._actor = None
                if not left:
                    raise
        raise AssertionError

    def _found_or_started(self) -> Any:
        node = ray.get_runtime_context().get_node_id()
        options = {
            "name": f"dfj-encoder-{self._run_id}-{node}",
            "get_if_exists": True,
            "num_cpus": 0,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False),
        }
        return ray.remote(NodeEncoder).options(**options).remote(self._model)
