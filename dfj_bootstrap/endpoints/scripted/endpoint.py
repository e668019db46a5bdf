"""A rehearsal: the real client against a server in its own process that invents, replays and misbehaves.

Everything behind ``backend: openai`` takes part (limits, retries, waits, journal, cost), and nothing leaves
the machine: the server listens on a free port of 127.0.0.1, one for each worker and entry of ``models``.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dfj_bootstrap.calls.call import Call, Reply
from dfj_bootstrap.config.models import Faults, ScriptedModel
from dfj_bootstrap.endpoints.openai.endpoint import OpenAIEndpoint, as_openai
from dfj_bootstrap.endpoints.scripted.replay import Recording
from dfj_bootstrap.endpoints.scripted.server import Behaviour, ModelServer

_KINDS = {
    "server_errors": "500",
    "too_many_requests": "429",
    "dropped": "drop",
    "hangs": "hang",
    "broken": "garbage_body",
    "garbage": "garbage",
    "cut_off": "cut_off",
    "refusals": "refusal",
}
"""The fields of ``Faults`` as the server calls them."""


class ScriptedEndpoint(OpenAIEndpoint):
    """An entry of ``models`` with ``backend: scripted``; its server starts with the first call."""

    _trust_env = False

    def __init__(self, name: str, config: ScriptedModel, **client: Any) -> None:
        """Bind the server's port.

        Args:
            client: as for ``PaidEndpoint``.

        Raises:
            ConfigError: the recorded answers can't be read.
        """
        recording = Recording.read(config.replay) if config.replay else Recording()
        self._server = ModelServer(behaviour_of(config), recording)
        self._starting: asyncio.Task[None] | None = None
        super().__init__(name, as_openai(config, self._server.base_url), "none", **client)

    async def complete(self, call: Call) -> Reply:
        if self._starting is None:
            self._starting = asyncio.create_task(self._server.start())
        await asyncio.shield(self._starting)
        return await super().complete(call)

    async def aclose(self) -> None:
        """Close all connections, then the server."""
        await super().aclose()
        await self._server.close()


def behaviour_of(config: ScriptedModel) -> Behaviour:
    """What the configuration asks of the server."""
    faults = config.faults
    return Behaviour(
        rates={_KINDS[name]: getattr(faults, name) for name in Faults.model_fields},
        retry_after="" if config.retry_after_s is None else f"{config.retry_after_s:g}",
        latency_s=config.latency_s,
        off_level=config.off_level,
        rng_seed=config.rng_seed,
    )
