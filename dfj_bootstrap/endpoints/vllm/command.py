"""How vLLM is run on a machine: command line, free port, shares of the GPUs. Imports nothing of vLLM."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Mapping
from importlib.util import find_spec

from dfj_bootstrap.config.models import VLLMModel
from dfj_bootstrap.errors import ConfigError


def check_vllm(model: VLLMModel) -> None:
    """Find out whether a model can be served on this machine, as far as that shows without starting it.

    Raises:
        ConfigError: vLLM isn't installed, or there are too few GPUs.
    """
    vllm_command()
    gpu_shares(model, os.environ)


def serve_command(model: VLLMModel, host: str, port: int) -> list[str]:
    """The command of one replica; the model's own ``args`` come last, so that they win.

    Raises:
        ConfigError: vLLM isn't installed.
    """
    parallel = ["--tensor-parallel-size", str(model.gpus_per_replica)] if model.gpus_per_replica > 1 else []
    ours = ["--host", host, "--port", str(port), "--enable-prompt-tokens-details"]  # counts cached tokens
    return [*vllm_command(), "serve", model.model, *ours, *parallel, *model.args]


def vllm_command() -> list[str]:
    """How to run vLLM's command line: from this environment, else from the search path.

    Raises:
        ConfigError: vLLM isn't installed.
    """
    spec = find_spec("vllm")
    if spec is not None and spec.origin:
        return [sys.executable, "-m", "vllm.entrypoints.cli.main"]
    found = shutil.which("vllm")
    if found is None:
        raise ConfigError(
            'the backend `vllm` needs an extra: pip install "dfj-bootstrap[vllm]", or put the `vllm` command '
            "of another environment on the PATH"
        )
    return [found]


def free_port(host: str) -> int:
    """A port that nobody listens on at this moment."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as free:
        port: int = free.getsockname()[1]
        return port


def gpu_shares(model: VLLMModel, environment: Mapping[str, str]) -> list[dict[str, str]]:
    """The variables that give each replica its own GPUs of this machine, in order.

    Raises:
        ConfigError: ``CUDA_VISIBLE_DEVICES`` names fewer than are asked for.
    """
    each = model.gpus_per_replica
    if not each:
        return [{} for _ in range(model.replicas)]
    wanted = each * model.replicas
    named = environment.get("CUDA_VISIBLE_DEVICES")
    devices = [str(n) for n in range(wanted)] if named is None else [n for n in named.split(",") if n.strip()]
    if len(devices) < wanted:
        raise ConfigError(
            f"{model.replicas} vLLM replicas of {each} GPUs need {wanted}, and CUDA_VISIBLE_DEVICES names "
            f"{len(devices)}; change `replicas` or `gpus_per_replica` (0: on the CPU)"
        )
    return [
        {"CUDA_VISIBLE_DEVICES": ",".join(devices[index * each : (index + 1) * each])}
        for index in range(model.replicas)
    ]
