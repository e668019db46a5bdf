"""What the configuration of every job of calls has: models, engine, run folder, money."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from dfj_bootstrap.config.models import Model, RulesModel, SwiftModel
from dfj_bootstrap.config.paid import PaidModel
from dfj_bootstrap.config.roles import Role
from dfj_bootstrap.config.section import Section, nearest
from dfj_bootstrap.config.sections import EngineConfig, SimilarityConfig
from dfj_bootstrap.config.values import trouble_with
from dfj_bootstrap.local_paths import local_path


class RunConfig(Section):
    """A run of any job; the job's own configuration adds its roles, as fields, and what else it needs."""

    output: Path = Path("runs/default")
    """The run folder."""
    models: dict[str, Model] = Field(default={"rules": RulesModel(backend="rules")})
    """Endpoints by name; roles refer to them. `rules` is always there."""
    engine: EngineConfig = EngineConfig()
    budget_usd: float | None = Field(default=None, gt=0)
    """USD that a run may cost over its whole life; it stops before a call that might not fit."""
    max_unusable_share: float | None = Field(default=0.8, gt=0, le=1)
    """The run stops where more than this share of a role's last 50 replies can't be used; null: never."""
    tracing_headers: bool = True
    """Send `X-DFJ-*` headers, so that a gateway can route and account for calls."""
    confirm_above_usd: float = Field(default=5.0, ge=0)
    """`dfj generate` asks before a new run whose likely cost in USD is above this, unless given `--yes`."""

    @property
    def roles(self) -> Mapping[str, Role]:
        """Who takes part, by the name in the configuration."""
        return {name: value for name, value in self if isinstance(value, Role)}

    @property
    def paid_models(self) -> Mapping[str, PaidModel]:
        """The models in use that are called over a network, by name: of the roles, in their order."""
        names = dict.fromkeys(name for role in self.roles.values() for name in (role.model, *role.fallback))
        return {name: model for name in names if isinstance(model := self.models[name], PaidModel)}

    @property
    def compares_by(self) -> SimilarityConfig | None:
        """How the job compares texts, if it does."""
        return None

    def resolved(self, base: Path) -> Self:
        """With every path absolute, as seen from a folder.

        Raises:
            ConfigError: one can't be a path of this machine.
        """
        update: dict[str, Any] = {
            **{name: _absolute(name, value, base) for name, value in self if isinstance(value, Path | list)},
            **{name: _with_prompts(role, base) for name, role in self.roles.items()},
            "models": {name: _with_paths(name, model, base) for name, model in self.models.items()},
        }
        return self.model_copy(update=update)

    @field_validator("output", mode="before")
    @classmethod
    def _a_path(cls, value: Any) -> Any:
        return path_text(value)

    @model_validator(mode="before")
    @classmethod
    def _rules_always_there(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("models"), dict):
            return {**data, "models": {"rules": {"backend": "rules"}, **data["models"]}}
        return data

    @model_validator(mode="after")
    def _models_exist(self) -> Self:
        for name in self.models:
            why = trouble_with(name, str)
            if why:
                raise ValueError(f"models: the name {name!r} {why}")
        for name, role in self.roles.items():
            self._has(f"{name}.model", role.model)
            for other in role.fallback:
                self._has(f"{name}.fallback", other)
            paid = all(isinstance(self.models[one], PaidModel) for one in (role.model, *role.fallback))
            if role.fallback and not paid:
                raise ValueError(f"{name}.fallback: the rules refuse nothing and can't step in for a model")
            if len({role.model, *role.fallback}) <= len(role.fallback):
                raise ValueError(f"{name}.fallback: names a model twice, or the role's own")
        return self

    def _has(self, where: str, wanted: str) -> None:
        if wanted not in self.models:
            hint = nearest(wanted, self.models)
            raise ValueError(f"{where}: no model named {wanted!r} in `models`{hint}")


def path_text(value: Any) -> Any:
    """A value that can be a path, as it is.

    Raises:
        ValueError: it can't.
    """
    if value is None:
        raise ValueError("is empty (YAML reads `~` alone as nothing; put it in quotes)")
    if not isinstance(value, str | Path) or not str(value).strip() or "\0" in str(value):
        raise ValueError(f"{value!r} is not a path")
    return value


def own_files(section: Section, base: Path, *names: str) -> dict[str, str]:
    """Values that name a prompt or a model and are the user's own, where there is such a file."""
    values = {name: getattr(section, name) for name in names if hasattr(section, name)}
    paths = {name: (base / Path(value).expanduser()).resolve() for name, value in values.items()}
    return {name: str(path) for name, path in paths.items() if path.exists()}


def _absolute(name: str, value: Any, base: Path) -> Any:
    """A path, or those in a list, as seen from a folder; anything else as it is."""
    if isinstance(value, list):
        return [_absolute(name, each, base) for each in value]
    return local_path(name, value, base) if isinstance(value, Path) else value


def _with_prompts(role: Role, base: Path) -> Role:
    return role.model_copy(update=own_files(role, base, "prompt", "justify_prompt"))


def _with_paths(name: str, model: Model, base: Path) -> Model:
    update: dict[str, Any] = {
        key: local_path(f"models.{name}.{key}", value, base)
        for key, value in model
        if isinstance(value, Path)
    }
    if isinstance(model, SwiftModel):
        update |= own_files(model, base, "model")
    return model.model_copy(update=update)
