"""One embedding model per node, in an actor of its own, for all workers there."""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from dfj_bootstrap.cluster.trouble import WorkerDied, told
from dfj_bootstrap.config.run import RunConfig
from dfj_bootstrap.errors import RunError
from dfj_bootstrap.similarity.sentence import Encoder

_TRIES = 4
"""The actor dies with the worker that happened to start it; another one then starts it again."""


def shared_encoder(config: RunConfig, run_id: str) -> Callable[[list[str]], Awaitable[Any]] | None:
    """A function that encodes texts on this node's encoder actor; ``None`` where no model is asked for."""
    compares_by = config.compares_by
    if compares_by is None or compares_by.backend != "sentence-transformers":
        return None
    return _SharedEncoder(compares_by.model, run_id).encode


class NodeEncoder:
    """The encoder as an actor. It asks for no CPU of Ray's, so Ray would give it one thread: it takes all.

    An error at its making would end the actor, and reach nobody as itself: it is kept for whoever asks.
    """

    def __init__(self, model: str) -> None:
        try:
            self._encode = Encoder(model).encode  # first: it says what is missing, torch included
            import torch

            torch.set_num_threads(len(os.sched_getaffinity(0)))
        except Exception as error:
            self._encode = partial(_refuse, error)

    def encode(self, texts: list[str]) -> list[list[float]]:
        """See ``Encoder.encode``."""
        return self._encode(texts)


def _refuse(error: Exception, texts: list[str]) -> list[list[float]]:
    raise error


class _SharedEncoder:
    """A worker's way to the encoder. It keeps the handle: an actor ends when nobody holds it any more."""

    def __init__(self, model: str, run_id: str) -> None:
        self._model = model
        self._run_id = run_id
        self._actor: Any = self._found_or_started()  # it loads while the first levels are refined

    async def encode(self, texts: list[str]) -> Any:
        """One vector a text.

        Raises:
            RunError: the encoder can't work, or dies each time; says why.
        """
        for deaths in range(1, _TRIES + 1):
            try:
                self._actor = self._actor or self._found_or_started()
                return await told(self._actor.encode.remote(texts))
            except WorkerDied as death:
                self._actor = None
                last = death
            if deaths < _TRIES:
                await asyncio.sleep(2.0 ** (deaths - 1) * random.uniform(0.5, 1))
        raise RunError(
            f"similarity.model: {_TRIES} encoders in a row died on node {socket.gethostname()}: {last.why}; "
            "look for memory limits there, then run again"
        )

    def _found_or_started(self) -> Any:
        node = ray.get_runtime_context().get_node_id()
        options = {
            "name": f"dfj-encoder-{self._run_id}-{node}",
            "get_if_exists": True,
            "num_cpus": 0,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False),
        }
        return ray.remote(NodeEncoder).options(**options).remote(self._model)
