"""How ``swift infer`` is run: the published command line, with our own files and limits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dfj_bootstrap.calls.call import Call
from dfj_bootstrap.config.models import SwiftModel
from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.ms_swift.command import find_swift, not_installed, without_ours
from dfj_bootstrap.ms_swift.families import picture_limits

PUBLISHED: Mapping[str, str] = {"torch_dtype": "bfloat16", "stream": "false", "use_hf": "true"}
"""Flags of the published script that are the same for every model and chunk."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """What all calls of one process have in common, since they are flags."""

    temperature: float
    max_tokens: int

    @classmethod
    def of(cls, call: Call) -> Sampling:
        return cls(call.temperature, call.max_tokens)


def check_swift(name: str, model: SwiftModel, engine: str) -> None:
    """Find out whether a model can be asked on this machine, as far as that shows without starting it.

    Raises:
        ConfigError: there is no ms-swift or no such adapter, or the engine is not the local one.
    """
    if engine != "local":
        raise ConfigError(
            f"models.{name}: `swift infer` takes GPUs of this machine that Ray knows nothing of; "
            "set engine.kind: local, or serve the model by backend: vllm"
        )
    swift_command(name, model)
    if model.adapter is not None and not (model.adapter / "adapter_config.json").is_file():
        raise ConfigError(
            f"models.{name}.adapter: {model.adapter} holds no adapter: there is no adapter_config.json; "
            "name a checkpoint-N of a training"
        )


def swift_command(name: str, model: SwiftModel) -> Path:
    """The ``swift`` command: as configured, else as ``dfj train`` finds it.

    Raises:
        ConfigError: there is none.
    """
    if model.command is None:
        found = find_swift()
        if found is None:
            raise not_installed()
        return found
    if not os.access(model.command, os.X_OK) or model.command.is_dir():
        raise ConfigError(
            f"models.{name}.command: {model.command} is no command; "
            "name the `swift` of ms-swift's environment"
        )
    return model.command


def infer_command(
    swift: Path, model: SwiftModel, sampling: Sampling, batch: int, rows: Path, results: Path
) -> list[str]:
    """The command line of one process; the model's own ``args`` come last, so that they win.

    Args:
        batch: rows at once; as often results are written, else every thousand rows.
    """
    flags = {
        "model": model.model,
        **({"adapters": str(model.adapter)} if model.adapter else {}),
        "val_dataset": str(rows),
        "max_new_tokens": str(sampling.max_tokens),
        "temperature": f"{sampling.temperature:g}",
        "max_batch_size": str(batch),
        "write_batch_size": str(batch),
        **PUBLISHED,
        **picture_limits(model.model, model.pixels).flags,
        "result_path": str(results),
    }
    words = [word for name, value in flags.items() for word in (f"--{name}", value)]
    return [str(swift), "infer", *words, *model.args]


def infer_environment(model: SwiftModel) -> dict[str, str]:
    """All variables of a process; those of the log's level since it is read, see ``inference.py``."""
    ours = {"LOG_LEVEL": "INFO", **picture_limits(model.model, model.pixels).env}
    return without_ours({**os.environ, **ours})
