"""Who made the data, in the words of its cards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dfj_bootstrap.config.paid import PaidModel
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.domain.model_names import public_name

_RULES_NOTE = (
    "**Demonstration data.** The embedded rules corrupt the gold's claims in a controlled way and rate texts "
    "by matching claims. Their prose is templated, in English, and blind to the picture. That is good for "
    "trying the pipeline, a loader or a training job out; it is not good for training a judge that people "
    "rely on."
)
"""What the card says plainly of data in which the rules had a part."""


def backend_note(config: Config, identity: Mapping[str, Any]) -> str:
    """Which models made the data, and what data of such making is good for, for the dataset's cards."""
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
