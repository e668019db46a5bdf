"""Writes what is generated in the docs: run ``python -m docs.generate``.

That is ``configuration.md``, from the configuration's models, and ``images/rooms.svg``, from the contract on
imports.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dfj_bootstrap.config.detect import DetectConfig
from dfj_bootstrap.config.judge import JudgeConfig
from dfj_bootstrap.config.run import RunConfig
from dfj_bootstrap.config.tree import Config
from docs import rooms

TARGET = Path(__file__).with_name("configuration.md")
"""The file that is generated."""

_INTRO = """\
# Configuration

Generated from `dfj_bootstrap/config/` by `make docs`; don't edit.

One YAML file. An unknown key is an error that names the nearest right one. Relative paths resolve against the
config's own folder. `--set a.b=value` overrides a key, e.g. `--set refine.max_rounds=2`; the value is read as
YAML. Keys to servers never stand in the file, only the names of the environment variables that hold them (a
`.env` beside the config is read; each of its lines is `NAME=VALUE`). `run.json` in the run folder holds the
resolved config.

Numbers are written as in YAML 1.2 (`1e3` is one, `1:30` isn't), dates are texts, and a key that stands twice
is an error. Paths are of this machine: `~` is the home folder, but variables (`$HOME`), placeholders
(`{date}`) and addresses (`s3://…`, `gs://…`) are refused, since they would only become folders of that name.
To write to a bucket, mount it or copy the run folder afterwards.

One file may serve several commands: each reads the keys that it knows, and passes over what only another one
knows. A key that none of them knows is the error.

The least that runs:

```yaml
seeds: seeds.jsonl
```

## What may change between two starts of one run

- **Freely:** limits, timeouts, prices, `base_url`, keys, `engine`, `tracing_headers`, `max_unusable_share`;
  rows may be added.
- **Freely, and decided anew from the recorded answers:** `refine`, `similarity`, `paraphraser.count` and
  `max_tries`, `dataset`.
- **By a new version:** a field that the run's version didn't know must be at its default; where rules that
  decide have changed, everything is decided anew from the recorded answers.
- **Never** (exit code 2, which names the key; use another output folder): what the answers depend on, that is
  a role's model and how it is shown pictures, prompts, sampling and `max_tokens`; a seed's row or picture.
"""

_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path"}


def render() -> str:
    """The whole file."""
    parts = [_INTRO, "## The top level\n", _table(Config)]
    parts += [_section(name, kind) for kind, name in _first_places(sections(Config)).items()]
    seen = set(_first_places(sections(Config)))
    for command, job in OTHER_JOBS.items():
        parts += [f"## `{command}`, the top level\n", f"{_doc(job)} {_BESIDE}\n", _table(job, _of_a_job(job))]
        own = {kind: name for kind, name in _first_places(sections(job)).items() if kind not in seen}
        parts += [_section(name, kind) for kind, name in own.items()]
        seen |= set(own)
    return "\n".join(parts).rstrip() + "\n"


OTHER_JOBS: dict[str, type[RunConfig]] = {"dfj judge": JudgeConfig, "dfj detect": DetectConfig}
"""What other commands are configured by."""

_BESIDE = "Beside these keys it has `output`, `models`, `engine` and what else is no matter of one job."


def _section(name: str, kind: type[BaseModel]) -> str:
    return "\n".join([f"## {_heading(name, kind)}\n", f"{_doc(kind)}\n", _table(kind)])


def _of_a_job(job: type[RunConfig]) -> list[str]:
    """The fields that not every job has."""
    return [name for name in job.model_fields if name not in RunConfig.model_fields]


def every_section() -> list[tuple[str, type[BaseModel]]]:
    """Dotted name and model of every section of every job."""
    return [each for job in (Config, *OTHER_JOBS.values()) for each in sections(job)]


def sections(kind: type[BaseModel], path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Dotted name and model of everything below a section, in the order of the file."""
    for field_name, field in _fields(kind).items():
        name = f"{path}.{field_name}".lstrip(".")
        for inner in _models_in(field.annotation):
            named = f"{name}.NAME" if typing.get_origin(field.annotation) is dict else name
            yield named, inner
            yield from sections(inner, named)


def _fields(kind: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a section; at the top level those of the job before those that every job has."""
    own = [name for name in kind.__annotations__ if issubclass(kind, RunConfig)]
    return {name: kind.model_fields[name] for name in dict.fromkeys([*own, *kind.model_fields])}


def _first_places(found: Iterable[tuple[str, type[BaseModel]]]) -> dict[type[BaseModel], str]:
    """Each model once, at the first of its places."""
    places: dict[type[BaseModel], str] = {}
    for name, kind in found:
        places.setdefault(kind, name)
    return places


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that an annotation speaks of: itself, or the members of a union or dict."""
    if _is_section(annotation):
        return [annotation]
    return [model for inner in typing.get_args(annotation) for model in _models_in(inner)]


def _heading(name: str, kind: type[BaseModel]) -> str:
    backend = kind.model_fields.get("backend")
    many = name.endswith(".NAME") and backend is not None
    return f"`{name}`, backend {_words(backend.annotation)}" if many and backend else f"`{name}`"


def _is_section(kind: Any) -> typing.TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _table(kind: type[BaseModel], names: Collection[str] | None = None) -> str:
    rows = [_row(name, field) for name, field in _fields(kind).items() if names is None or name in names]
    return "\n".join(["| key | type | default | |", "|---|---|---|---|", *rows, ""])


def _row(name: str, field: FieldInfo) -> str:
    described = field.description or _doc(field.annotation)
    cells = (f"`{name}`", _type(field), _default(field), " ".join(described.split()))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _type(field: FieldInfo) -> str:
    return _words(field.annotation) + "".join(f", {limit}" for limit in _limits(field))


def _words(kind: Any) -> str:
    if _is_section(kind):
        return "section"
    arguments = typing.get_args(kind)
    match typing.get_origin(kind):
        case typing.Literal:
            return " or ".join(f"`{value}`" for value in arguments)
        case typing.Union | types.UnionType:
            return " or ".join(_words(a) for a in arguments if a is not type(None))
        case origin if origin is list:
            return f"list of {_words(arguments[0])}s"
        case origin if origin is dict:
            return "sections by name"
    return _WORDS[kind]


def _limits(field: FieldInfo) -> Iterator[str]:
    for limit in field.metadata:
        if isinstance(limit, Ge):
            yield f"≥ {limit.ge}"
        elif isinstance(limit, Gt):
            yield f"> {limit.gt}"
        elif isinstance(limit, Le):
            yield f"≤ {limit.le}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default()
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, dict):
        return "the rules"
    if isinstance(value, Path):
        return f"`{value}`"
    return "–" if value is None else f"`{json.dumps(value)}`".replace('"', "")


def _doc(kind: Any) -> str:
    return (kind.__doc__ or "").strip()


def main() -> None:
    """Write the files."""
    TARGET.write_text(render(), encoding="utf-8")
    rooms.TARGET.write_text(rooms.render(), encoding="utf-8")


if __name__ == "__main__":
    main()
