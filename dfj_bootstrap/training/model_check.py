"""Whether a model is one that a judge can be trained from, as far as that shows without loading it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from dfj_bootstrap.ms_swift.families import model_config
from dfj_bootstrap.training.preflight import FAILED, OK, Check
from dfj_bootstrap.training.recipe import MODELS

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_SHORT = " or ".join(MODELS)


def resolved_model(model: str) -> str:
    """A model by its short name (``3B``, ``7B``), a folder by its absolute path, or a hub's name as it is."""
    folder = Path(model).expanduser()
    return str(folder.resolve()) if folder.is_dir() else MODELS.get(model.upper(), model)


def model_check(model: str, environment: Mapping[str, str] = os.environ) -> Check:
    """A folder must hold a model that takes pictures; a hub's name must be one, and be there when offline."""
    why = _of_folder(model) if Path(model).is_dir() else _of_hub(model, environment)
    return Check("model", FAILED, f"--model {model}: {why}") if why else Check("model", OK, model)


def _of_folder(model: str) -> str:
    config = model_config(model)
    if not config:
        return "this folder holds no model: there is no config.json that can be read"
    if not any(word in key for key in config for word in ("vision", "visual", "image", "img")):
        return "this model takes no pictures: its config.json has no vision part"
    return ""


def _of_hub(model: str, environment: Mapping[str, str]) -> str:
    if not _HUB_NAME.fullmatch(model) or model.startswith((".", "/", "~")):
        return f"neither a folder here nor a hub's ORG/NAME; e.g. {_SHORT}"
    offline = environment.get("HF_HUB_OFFLINE", "0").lower() not in ("", "0", "false")
    if offline and not (_cache(environment) / f"models--{model.replace('/', '--')}").is_dir():
        return "HF_HUB_OFFLINE is set and the model isn't in the cache; name its folder, or unset that"
    return ""


def _cache(environment: Mapping[str, str]) -> Path:
    home = Path(environment.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    return Path(environment.get("HF_HUB_CACHE") or home / "hub").expanduser()
