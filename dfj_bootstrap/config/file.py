"""From a YAML file to a configuration: read strictly, overridden key by key, mistakes in one sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from dfj_bootstrap.config.jobs import CONFIGS, is_of_another_job
from dfj_bootstrap.config.models import Model, RulesModel
from dfj_bootstrap.config.run import RunConfig
from dfj_bootstrap.config.section import Section, nearest
from dfj_bootstrap.config.strict_yaml import parse_yaml
from dfj_bootstrap.errors import ConfigError

C = TypeVar("C", bound=RunConfig)


def load_config(kind: type[C], path: Path, overrides: Sequence[str] = ()) -> C:
    """Read a YAML config; relative paths resolve against the config's own folder.

    One file may serve several jobs: what only another one knows is left out where it stands in the file,
    but not where it is an override, which would do nothing.

    Args:
        kind: of the job.
        path: the YAML file.
        overrides: ``a.b=value`` strings, the value parsed as YAML; they win over the file.

    Raises:
        ConfigError: naming the file, the field and the fix.
    """
    tree = {key: value for key, value in _read_yaml(path).items() if not is_of_another_job(key, kind)}
    for override in overrides:
        _set(tree, override)
    try:
        config = kind.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_sentence(error, kind)}") from None
    try:
        return config.resolved(path.resolve().parent)
    except (ConfigError, RuntimeError) as error:  # or no home folder for a `~name`
        raise ConfigError(f"{path}: {error}") from None


def kind_in(path: Path) -> type[RunConfig]:
    """Of which job a YAML file is: the first whose needed keys it has; generation's where it has none's.

    Raises:
        ConfigError: the file can't be read.
    """
    keys = _read_yaml(path).keys()
    return next((kind for kind in CONFIGS if _needed(kind) <= keys), CONFIGS[0])


def _needed(kind: type[RunConfig]) -> set[str]:
    return {name for name, field in kind.model_fields.items() if field.is_required()}


def _read_yaml(path: Path) -> dict[str, Any]:
    """The tree of a YAML file.

    Raises:
        ConfigError: it can't be read, is not YAML, or holds no mapping; with line and column.
    """
    try:
        tree = parse_yaml(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the config: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: not valid YAML: not UTF-8 text (byte {error.start + 1}); save it as UTF-8"
        ) from None
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{path}{_mark(error)}: not valid YAML: {error.problem}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: the config must be a mapping such as `seeds: seeds.jsonl`")
    return tree


def _mark(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark
    return f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _set(tree: dict[str, Any], override: str) -> None:
    """Apply one ``a.b=value``, the value read as YAML.

    Raises:
        ConfigError: the override has no such form.
    """
    key, equals, text = override.partition("=")
    if not equals or not all(key.split(".")):
        raise ConfigError(f"--set {override}: write it as KEY=VALUE, e.g. --set refine.max_rounds=2")
    *parents, leaf = key.split(".")
    node = tree
    for parent in parents:
        child = node.get(parent)
        if child is None:
            child = node[parent] = {}
        if not isinstance(child, dict):
            raise ConfigError(f"--set {override}: `{parent}` holds a value, not a section")
        node = child
    try:
        node[leaf] = parse_yaml(text)
    except (yaml.YAMLError, RecursionError, ValueError):
        raise ConfigError(f"--set {override}: the value is not valid YAML") from None


def _sentence(error: ValidationError, config: type[RunConfig]) -> str:
    """The first problem, an unknown key before others: it tends to be why another one is missing."""
    problems = error.errors(include_url=False)
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if not problem["loc"]:
        return f"{_what(problem, ())}{more}"
    where, section = _place(problem["loc"], config)
    return f"`{where}`: {_what(problem, section.model_fields)}{more}"


def _what(problem: Any, known: Iterable[str]) -> str:
    kind, limits = problem["type"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key{nearest(str(problem['loc'][-1]), known)}"
    if kind == "union_tag_invalid":
        tags = [tag.strip(" '") for tag in limits["expected_tags"].split(",")]
        return f"unknown {_bare(limits)} {_shown(limits['tag'])}{nearest(str(limits['tag']), tags)}"
    if kind == "value_error":
        return str(limits["error"])
    if kind == "literal_error":
        return f"must be {limits['expected']}, not {_shown(problem['input'])}"
    fixed = {
        "missing": "missing; it has no default",
        "union_tag_not_found": f"needs a {_bare(limits)}",
        "invalid_key": "keys must be words; put quotes around it",
    }
    return fixed.get(kind) or f"{_wanted(kind, limits, problem['msg'])}, not {_shown(problem['input'])}"


def _bare(limits: dict[str, Any]) -> str:
    return f"`{str(limits.get('discriminator', '')).strip(chr(39))}`"


_WANTED = {
    "int": "must be a whole number",
    "float": "must be a number",
    "bool": "must be true or false",
    "string": "must be text",
    "model": "must be a section of `key: value` lines",
    "dict": "must be a section of `key: value` lines",
    "finite": "must be a finite number",
    "path": "must be a path",
}
_BOUNDS = {
    "greater_than": ("gt", "must be more than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
}


def _wanted(kind: str, limits: dict[str, Any], message: str) -> str:
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"{words} {limits[name]:.15g}"
    return _WANTED.get(kind.split("_", maxsplit=1)[0], message[:1].lower() + message[1:])


def _shown(value: object) -> str:
    if value is None:
        return "empty"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


_BACKENDS: dict[int | str, type[Section]] = {
    get_args(kind.model_fields["backend"].annotation)[0]: kind for kind in get_args(get_args(Model)[0])
}


def _place(location: tuple[int | str, ...], config: type[RunConfig]) -> tuple[str, type[BaseModel]]:
    """The dotted key of a place, and its section; pydantic puts the backend in behind a model's name."""
    keys = list(location)
    section: type[BaseModel] = config
    inner = keys[:-1]
    if keys[0] == "models" and len(keys) > 2:
        section = _BACKENDS.get(keys.pop(2), RulesModel)
        inner = keys[2:-1]
    for key in inner:
        field = section.model_fields.get(str(key))
        section = _section_in(field.annotation, section) if field else section
    return ".".join(map(str, keys)), section


def _backends() -> dict[str, type[BaseModel]]:
    """The section of each backend, by its tag."""
    union, *_ = get_args(Model)
    return {get_args(one.model_fields["backend"].annotation)[0]: one for one in get_args(union)}


def _section_in(annotation: Any, otherwise: type[BaseModel]) -> type[BaseModel]:
    kinds = [annotation, *get_args(annotation)]
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), otherwise)
