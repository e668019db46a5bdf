"""What can be found out about the backends before anything is spent or started."""

from __future__ import annotations

import os

from dfj_bootstrap.config.models import ScriptedModel, SwiftModel, VLLMModel
from dfj_bootstrap.config.run import RunConfig
from dfj_bootstrap.endpoints.keys import key_variable
from dfj_bootstrap.endpoints.scripted.replay import check_replay
from dfj_bootstrap.endpoints.swift.command import check_swift
from dfj_bootstrap.endpoints.vllm.command import check_vllm
from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.limits.gate import Gate
from dfj_bootstrap.limits.purse import Purse
from dfj_bootstrap.roles.backends import open_endpoint
from dfj_bootstrap.similarity.sentence import check_available


def check_backends(config: RunConfig) -> None:
    """Find out, before anything is spent or started, whether keys, extras, addresses and proxies will do.

    Raises:
        ConfigError: naming what is missing or wrong, and what to do.
    """
    from dfj_bootstrap.endpoints.prices import prices_of

    if config.compares_by is not None:
        check_available(config.compares_by)
    for name, model in config.paid_models.items():
        if isinstance(model, SwiftModel):
            check_swift(name, model, config.engine.kind)
            continue
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
        open_endpoint(name, model, config, None, gate=gate, tracing=False)


def keys_in_use(config: RunConfig) -> dict[str, str]:
    """The name of each model in use → the environment variable that its key is taken from, if any."""
    variables = {name: key_variable(model) for name, model in config.paid_models.items()}
    return {name: variable for name, variable in variables.items() if os.environ.get(variable)}
