"""``--set FLAG=VALUE``: any flag of ms-swift, and its variables, which are written in capitals. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field

from dfj_bootstrap.errors import ConfigError

_FLAG = re.compile(r"[a-z][a-z0-9_]*")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")

_SECRET = re.compile(r".*(token|key|secret|password)", re.IGNORECASE)

_OWN = {
    "dataset": "the rows are those of RUN",
    "val_dataset": "rows of the test split are for `dfj score`",
    "output_dir": "use --output",
    "model": "use --model",
    "add_version": "the output folder has to be the one that was asked for",
    "resume_from_checkpoint": "use --resume",
    "nproc_per_node": "use --gpus",
    "NPROC_PER_NODE": "use --gpus",
    "NNODES": "use --nodes",
    "NODE_RANK": "it is each node's own",
    "MASTER_ADDR": "it is found out at the start",
    "ROOT_IMAGE_DIR": "pictures lie beside the rows",
}
"""What can't be set, and what to do instead."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """Flags and variables; an empty value takes one out, so that ms-swift's own default holds."""

    flags: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)


def parse_overrides(given: Iterable[str]) -> Overrides:
    """Read ``FLAG=VALUE`` and ``VARIABLE=VALUE``; the last of a name counts.

    Raises:
        ConfigError: one can't be read, or is not to be set; says what to do.
    """
    found = Overrides()
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip().removeprefix("--")
        if name in _OWN:
            raise ConfigError(f"--set {name}: {_OWN[name]}")
        if _SECRET.fullmatch(name):
            raise ConfigError(f"--set {name}: it would be recorded; put it into the environment")
        if equals and _FLAG.fullmatch(name):
            found.flags[name] = value.strip()
        elif equals and _VARIABLE.fullmatch(name):
            found.env[name] = value.strip()
        else:
            raise ConfigError(
                f"--set {text}: write FLAG=VALUE, e.g. learning_rate=2e-6, or MAX_PIXELS=501760"
            )
    for name, value in found.flags.items():
        words(name, value)
    return found


def words(name: str, value: str) -> list[str]:
    """The arguments that a flag's value is: several where it has blanks, one where it is JSON.

    Raises:
        ConfigError: a quotation mark in it is never closed.
    """
    if value.startswith(("{", "[")):
        return [value]
    try:
        return shlex.split(value)
    except ValueError:
        raise ConfigError(f"--set {name}={value}: a quotation mark is not closed") from None
