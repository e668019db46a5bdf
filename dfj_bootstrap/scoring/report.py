"""All systems side by side, with people and published figures: as data, and as blocks of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from dfj_bootstrap.scoring.bootstrap import RESAMPLES, RNG_SEED
from dfj_bootstrap.scoring.facts import Task
from dfj_bootstrap.scoring.figures import Figure, nested
from dfj_bootstrap.scoring.published import Published
from dfj_bootstrap.scoring.systems import System

_DASH = "–"
_RATERS = "raters."


@dataclass(frozen=True)
class Scoring:
    """What ``dfj score`` has found.

    Attributes:
        raters: how far people agree with each other; empty without ``--human``.
        encoder: which one BERTScore is by, and its layer.
    """

    task: Task
    systems: Sequence[System]
    raters: Mapping[str, Figure] = field(default_factory=dict)
    published: Sequence[Published] = ()
    encoder: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """One object for scripts; of a single system what it has stands at the top as well."""
        found: dict[str, Any] = {
            **(self.systems[0].as_json() if len(self.systems) == 1 else {}),
            "task": str(self.task),
            "systems": [system.as_json() for system in self.systems],
            "interval": {"by": "image", "resamples": RESAMPLES, "rng_seed": RNG_SEED, "level": 0.95},
        }
        if self.raters:
            found["raters"] = nested(self.raters)
        if self.encoder:
            found["encoder"] = dict(self.encoder)
        if self.published:
            found["published"] = [
                {"name": each.name, "source": each.source, **nested(each.figures)} for each in self.published
            ]
        return found


@dataclass(frozen=True)
class Block:
    """A table: one heading per column, and texts."""

    heading: Sequence[str]
    rows: Sequence[Sequence[str]]


def blocks(scoring: Scoring) -> list[Block]:
    """The figures, a column per system; below them a row per judge beside the published ones; confusions."""
    names = names_of(scoring.systems)
    heading = ["", *names, *(["people"] if scoring.raters else [])]
    beside = [_beside(scoring, names)] if scoring.published else []
    return [Block(heading, _rows(scoring)), *beside, *_confusions(scoring.systems, names)]


def names_of(systems: Sequence[System]) -> list[str]:
    """The model where it is known and tells the systems apart, else the file."""
    names = [system.model or _stem(system) for system in systems]
    twice = {name for name in names if names.count(name) > 1}
    return [
        f"{name} ({_stem(system)})" if name in twice else name
        for name, system in zip(names, systems, strict=True)
    ]


def _stem(system: System) -> str:
    path = PurePath(system.file)
    return str(path.parent / path.stem) if path.stem == "predictions" else path.stem


def _rows(scoring: Scoring) -> list[list[str]]:
    blank = [_DASH] if scoring.raters else []
    own = [name for system in scoring.systems for name in system.figures]
    names = dict.fromkeys([*own, *(f"{_RATERS}{name}" for name in scoring.raters)])
    return [
        ["n", *(str(system.n) for system in scoring.systems), *blank],
        ["unusable", *(str(system.unusable) for system in scoring.systems), *blank],
        *(_row(name, scoring) for name in names),
    ]


def _row(name: str, scoring: Scoring) -> list[str]:
    own = [_cell(system.figures.get(name), system.n) for system in scoring.systems]
    people = [_cell(_of_people(name, scoring), None)] if scoring.raters else []
    return [_heading(name, scoring), *own, *people]


def _of_people(name: str, scoring: Scoring) -> Figure | None:
    return scoring.raters.get(name.removeprefix(_RATERS)) if name.startswith(_RATERS) else None


def _heading(name: str, scoring: Scoring) -> str:
    return f"{name} by {scoring.encoder['model']}" if name == "bertscore" and scoring.encoder else name


def _beside(scoring: Scoring, names: Sequence[str]) -> Block:
    """The field's table: a row per judge, and a column for each figure that somebody has published."""
    columns = list(dict.fromkeys(name for each in scoring.published for name in each.figures))
    own = [
        [name, *(_cell(system.figures.get(column), system.n) for column in columns)]
        for name, system in zip(names, scoring.systems, strict=True)
    ]
    people = [["people", *(_cell(_of_people(column, scoring), None) for column in columns)]]
    published = [
        [f"{each.name} (published)", *(_number(each.figures.get(column)) for column in columns)]
        for each in scoring.published
    ]
    return Block(
        ["", *(_heading(column, scoring) for column in columns)],
        [*own, *(people if scoring.raters else []), *published],
    )


def _cell(figure: Figure | None, rows: int | None) -> str:
    if figure is None or figure.value is None:
        return _DASH
    interval = "" if figure.low is None else f" [{_number(figure.low)}, {_number(figure.high)}]"
    return f"{_number(figure.value)}{interval}" + ("" if figure.n == rows else f" n={figure.n}")


def _number(value: float | None) -> str:
    return _DASH if value is None else f"{round(value, 3) + 0.0:.3f}"  # no minus before a nought


def _confusions(systems: Sequence[System], names: Sequence[str]) -> list[Block]:
    found = []
    for system, name in zip(systems, names, strict=True):
        confusion = system.more.get("confusion")
        if confusion and any(map(any, (*confusion["counts"], confusion["unusable"]))):
            true, called, counts, unusable = confusion.values()
            rows = [
                [str(value), *map(str, row), str(none)]
                for value, row, none in zip(true, counts, unusable, strict=True)
            ]
            found.append(Block([f"{name}: right \\ said", *map(str, called), "unusable"], rows))
    return found


def notes(scoring: Scoring) -> list[str]:
    """Why figures or intervals are missing, where published ones are from, and what the intervals are."""
    missing: dict[str, list[str]] = {}
    for name, system in zip(names_of(scoring.systems), scoring.systems, strict=True):
        for figure_name, figure in system.figures.items():
            if figure.why:
                missing.setdefault(f"{name}: {figure.why}", []).append(figure_name)
    for figure_name, figure in scoring.raters.items():
        if figure.why:
            missing.setdefault(f"people: {figure.why}", []).append(f"raters.{figure_name}")
    lines = [f"{why} ({', '.join(names)})" for why, names in missing.items()]
    lines.append(f"[95 % interval], from {RESAMPLES} resamples of the images")
    sources = list(dict.fromkeys(each.source for each in scoring.published))
    return [*lines, *(["published: " + "; ".join(sources)] if sources else [])]
