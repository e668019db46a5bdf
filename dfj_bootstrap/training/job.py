"""A training as a value: what would run is what runs. Pure.

Invariant: ``argv`` and ``env`` are whole. Nothing is added where it is launched but what only a node can
know: its rank, the first node's address, and, under Ray, which GPUs it was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.ms_swift.families import picture_limits
from dfj_bootstrap.training.overrides import Overrides, words
from dfj_bootstrap.training.recipe import ADDED, Task, recipe

RENAMED: Mapping[str, tuple[str, ...]] = {"tuner_type": ("train_type",)}
"""Flag of ms-swift 4 → what older versions call it."""

FIRST_NODE = "ADDRESS-OF-NODE-0"
"""Stands for the first node's address until there is one."""

_PORT = "29500"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asks for.

    Attributes:
        devices: the GPUs by their names, where they are known: not under Ray, which chooses.
    """

    task: Task
    model: str
    output: Path
    gpus: int
    nodes: int = 1
    overrides: Overrides = field(default_factory=Overrides)
    devices: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """One training.

    Attributes:
        rows: the JSONL file that is trained on, pictures relative to its folder.
        records: rows that will be trained on, which the trainer must confirm.
        flags: name → value, as in ``argv``.
        env: on top of the environment of whoever launches it.
        gpus: on each node; 0 trains on the CPU.
    """

    task: Task
    model: str
    rows: Path
    records: int
    output: Path
    flags: Mapping[str, str]
    argv: tuple[str, ...]
    env: Mapping[str, str]
    gpus: int
    nodes: int = 1

    def as_data(self) -> dict[str, Any]:
        """As ``--dry-run --json`` shows it."""
        shown = {"argv": list(self.argv), "env": dict(self.env), "gpus": self.gpus, "records": self.records}
        return shown if self.nodes == 1 else shown | {"nodes": self.nodes}

    def on_node(self, rank: int, address: str, port: int) -> TrainingJob:
        """The job as one of several nodes runs it."""
        place = {"NODE_RANK": str(rank), "MASTER_ADDR": address, "MASTER_PORT": str(port)}
        return replace(self, env={**self.env, **place})


def make_job(
    wanted: Wanted,
    rows: Path,
    records: int,
    *,
    command: str,
    known: Iterable[str] | None = None,
    images: Path | None = None,
    resume: Path | None = None,
) -> TrainingJob:
    """Lay the recipe, the model's limits and the overrides together.

    Args:
        known: the flags of the ms-swift that is installed; ``None`` where that isn't known.
        images: the folder that pictures are relative to; default: that of the rows.
        resume: the checkpoint to go on from.

    Raises:
        ConfigError: an override names a flag that this ms-swift doesn't know.
    """
    own = {"model": wanted.model, "dataset": str(rows), "output_dir": str(wanted.output)}
    own |= {"resume_from_checkpoint": str(resume)} if resume else {}
    flags = _spelled(own | _flags(wanted), known, wanted.overrides)
    argv = [command, "sft"]
    for name, value in flags.items():
        argv += [f"--{name}", *([value] if name in own else words(name, value))]
    return TrainingJob(
        task=wanted.task,
        model=wanted.model,
        rows=rows,
        records=records,
        output=wanted.output,
        flags=flags,
        argv=tuple(argv),
        env=_environment(wanted, images or rows.parent),
        gpus=wanted.gpus,
        nodes=wanted.nodes,
    )


def _flags(wanted: Wanted) -> dict[str, str]:
    on_cpu = {} if wanted.gpus else {"use_cpu": "true"}
    flags = recipe(wanted.task) | dict(picture_limits(wanted.model).flags) | on_cpu
    modern = {old: new for new, others in RENAMED.items() for old in others}
    flags |= {modern.get(name, name): value for name, value in wanted.overrides.flags.items()}
    return {name: value for name, value in flags.items() if value}


def _spelled(flags: Mapping[str, str], known: Iterable[str] | None, overrides: Overrides) -> dict[str, str]:
    """Flags as the installed version calls them; an addition of ours that it doesn't have falls away."""
    if known is None:
        return dict(flags)
    there = set(known)
    found = {}
    for name, value in flags.items():
        spelling = next((word for word in (name, *RENAMED.get(name, ())) if word in there), None)
        if spelling:
            found[spelling] = value
        elif name not in ADDED or name in overrides.flags:
            raise ConfigError(
                f"--set {name}: the ms-swift that is installed has no such flag{_near(name, there)}"
            )
    return found


def _near(name: str, there: Iterable[str]) -> str:
    near = get_close_matches(name, sorted(there), n=1)
    return f"; it has {near[0]}" if near else ""


def _environment(wanted: Wanted, images: Path) -> dict[str, str]:
    env = {**picture_limits(wanted.model).env, "ROOT_IMAGE_DIR": str(images)}
    if wanted.gpus:
        env["NPROC_PER_NODE"] = str(wanted.gpus)
    if wanted.devices is not None:
        env["CUDA_VISIBLE_DEVICES"] = ",".join(wanted.devices)
    if wanted.nodes > 1:
        env |= {"NNODES": str(wanted.nodes), "NODE_RANK": "0"}
        env |= {"MASTER_ADDR": FIRST_NODE, "MASTER_PORT": _PORT}
    env |= wanted.overrides.env
    return {name: value for name, value in env.items() if value or name == "CUDA_VISIBLE_DEVICES"}
