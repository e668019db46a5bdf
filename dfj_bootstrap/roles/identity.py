"""What the paid answers of a run depend on: it may not change between two starts.

A later version may know more fields and roles than the one that started a run, or fewer. They are compared on
what both know. Where only this version knows a field, the run was made as by its default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from dfj_bootstrap.config.models import GeminiModel, Model, OpenAIModel, SwiftModel, VLLMModel
from dfj_bootstrap.config.paid import PaidModel
from dfj_bootstrap.config.roles import Role
from dfj_bootstrap.config.run import RunConfig
from dfj_bootstrap.endpoints.swift.adapter import adapter_digest
from dfj_bootstrap.prompting.templates import Form, check_placeholders, load_prompt
from dfj_bootstrap.storage.manifest import difference

RULES_VERSION = 1
"""Of the texts that the rules make: a run isn't continued with another one."""

_FROM_THE_START = (
    "backend",
    "endpoint",
    "model",
    "send_images",
    "pixels",
    "thinking_budget",
    "reasoning_effort",
)

Forms: TypeAlias = Mapping[str, Mapping[str, Form]]
"""Role → the fields of its configuration that name prompts → what those must hold."""


def identity_of(config: RunConfig, forms: Forms) -> dict[str, Any]:
    """What the paid answers depend on, by role: it may not change between two starts of one run.

    Raises:
        ConfigError: a prompt isn't there, or has wrong placeholders.
    """
    return {name: _of_role(config, role, forms.get(name, {})) for name, role in config.roles.items()}


def default_identity_of(config: RunConfig, forms: Forms) -> dict[str, Any]:
    """The identity where the roles are played by the same models, and all else is left as it comes."""
    models = {name: _bare(model) for name, model in config.models.items()}
    bare = {name: role.bare() for name, role in config.roles.items()}
    return identity_of(config.model_copy(update={"models": models, **bare}), forms)


def made_with_another(manifest: Mapping[str, Any], config: RunConfig, forms: Forms) -> str:
    """In what a run's answers differ from those that a configuration would get; empty where in nothing."""
    now, usual = identity_of(config, forms), default_identity_of(config, forms)
    return difference(manifest.get("identity", {}), now, usual)


def _bare(model: Model) -> Model:
    if not isinstance(model, PaidModel):
        return model
    return type(model).model_validate({"backend": model.backend, "model": model.model})


def _of_role(config: RunConfig, role: Role, forms: Mapping[str, Form]) -> dict[str, Any]:
    model = config.models[role.model]
    if not isinstance(model, PaidModel):
        return {"backend": model.backend, "version": RULES_VERSION}
    prompts = {name: load_prompt(getattr(role, name)) for name in forms}
    for name, form in forms.items():
        check_placeholders(prompts[name], form)
    return {
        **_of_model(config, role.model),
        "fallback": "; ".join(_sentence(_of_model(config, name)) for name in role.fallback),
        "temperature": role.temperature,
        "max_tokens": role.max_tokens,
        "rng_seed": role.rng_seed,
        **role.decides_answers,
        **{name: prompt.digest for name, prompt in prompts.items()},
    }


def _of_model(config: RunConfig, name: str) -> dict[str, Any]:
    model = config.models[name]
    assert isinstance(model, PaidModel)
    return {
        "backend": config.models[name].backend,
        "endpoint": name,
        "model": model.model,
        "send_images": model.send_images,
        "pixels": f"{model.min_pixels}–{model.max_pixels}" if model.send_images else None,
        **(_thinking(model) if isinstance(model, GeminiModel) else {}),
        **({"reasoning_effort": model.reasoning_effort} if isinstance(model, OpenAIModel) else {}),
        **({"adapter": model.adapter} if isinstance(model, VLLMModel) else {}),
        **({"adapter": adapter_digest(model.adapter)} if isinstance(model, SwiftModel) else {}),
    }


def _thinking(model: GeminiModel) -> dict[str, Any]:
    return {"thinking_budget": model.thinking_budget, "thinking_level": model.thinking_level}


def _sentence(identity: Mapping[str, Any]) -> str:
    """A model as a text, which is compared as a whole: a field of a later version joins where it is set."""
    told = {key: value for key, value in identity.items() if key in _FROM_THE_START or value is not None}
    return ", ".join(f"{key} {value}" for key, value in told.items())
