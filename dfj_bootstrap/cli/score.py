"""``dfj score``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dfj_bootstrap.cli.app import show
from dfj_bootstrap.cli.report import Report
from dfj_bootstrap.errors import ConfigError, PredictionsError
from dfj_bootstrap.intake.json_lines import BadLine, read_lines
from dfj_bootstrap.scoring.facts import Task

if TYPE_CHECKING:
    from dfj_bootstrap.scoring.encoder import Encoder
    from dfj_bootstrap.scoring.humans import Humans
    from dfj_bootstrap.scoring.report import Scoring
    from dfj_bootstrap.scoring.rows import Predictions, Source

_NEEDED = ("rouge_score", "sacrebleu", "scipy", "sklearn", "statsmodels")
_RATED = (Task.POINTWISE, Task.PAIRWISE)

_Choice = TypeVar("_Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of the command, as they were given."""

    human: Path | None = None
    task: str | None = None
    form: str = "table"
    with_published: bool = False
    encoder: str | None = None


def print_scores(files: Sequence[Path], wanted: Wanted) -> None:
    """Read, score and print.

    Raises:
        PredictionsError: a file can't be scored as it is.
        ConfigError: the extra isn't installed, or an option says what can't be.
    """
    if any(find_spec(name) is None for name in _NEEDED):
        raise ConfigError('`dfj score` needs an extra: pip install "dfj-bootstrap[score]"')
    from dfj_bootstrap.scoring.report import blocks, notes
    from dfj_bootstrap.scoring.tables import Format, rendered

    form = _choice(Format, "--format", wanted.form)
    scoring = _scored(files, wanted)
    if form is Format.JSON:
        show(Report([], scoring.as_json()), as_json=True)
    else:
        show(Report(rendered(blocks(scoring), notes(scoring), form), {}), as_json=False)


def _scored(files: Sequence[Path], wanted: Wanted) -> Scoring:
    from dfj_bootstrap.scoring.published import PUBLISHED
    from dfj_bootstrap.scoring.report import Scoring
    from dfj_bootstrap.scoring.systems import score, score_raters

    task, read = _read_all(files, _choice(Task, "--task", wanted.task) if wanted.task else None)
    humans = _read_humans(wanted.human, task, read) if wanted.human else None
    encoder = _encoder(wanted.encoder, task)
    return Scoring(
        task,
        [score(predictions, task, humans, encoder) for predictions in read],
        score_raters(humans, task, read) if humans else {},
        PUBLISHED[task] if wanted.with_published else (),
        {"model": encoder.name, "layer": encoder.layer} if encoder else None,
    )


def _choice(kind: type[_Choice], option: str, given: str) -> _Choice:
    if given in list(kind):
        return kind(given)
    raise ConfigError(f"{option} {given}: should be one of {', '.join(kind)}")


def _encoder(model: str | None, task: Task) -> Encoder | None:
    if model is None:
        return None
    if task is not Task.RATIONALES:
        raise ConfigError("--encoder is for rationales; add --task rationales")
    from dfj_bootstrap.scoring.encoder import Encoder

    return Encoder(model)


def _read_all(files: Sequence[Path], asked: Task | None) -> tuple[Task, list[Predictions[Any]]]:
    """All files, which must be of one task."""
    from dfj_bootstrap.scoring.rows import read_predictions

    read: list[Predictions[Any]] = []
    first = None
    for file in files:
        task, predictions = read_predictions(_lines(file), asked)
        first = first or task
        if task is not first:
            raise PredictionsError(
                f"{file}: holds {task} predictions, {files[0]} {first} ones; score them apart"
            )
        read.append(predictions)
    assert first is not None
    return first, read


def _lines(file: Path) -> Iterator[Source]:
    from dfj_bootstrap.scoring.rows import Source

    file = file / "predictions.jsonl" if file.is_dir() else file
    found = False
    for line in read_lines(file):
        if isinstance(line, BadLine):
            raise PredictionsError(f"{file}:{line.number}: {line.why}")
        found = True
        yield Source(str(file), line.number, line.data)
    if not found:
        raise PredictionsError(f"{file}: the file is empty; give the predictions.jsonl of `dfj judge`")


def _read_humans(file: Path, task: Task, read: Sequence[Predictions[Any]]) -> Humans:
    from dfj_bootstrap.scoring.humans import read_humans, read_triplets

    if task not in _RATED:
        raise ConfigError(f"--human: people rate pointwise and pairwise rows; these are {task}")
    if file.suffix == ".json":
        humans = read_triplets(str(file), _document(file), task)
    else:
        humans = read_humans(_lines(file), task)
    if not any(row.id in humans for predictions in read for row in predictions.rows):
        raise PredictionsError(f"{file}: no id in it is that of a prediction; is it of the same rows?")
    return humans


def _document(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise PredictionsError(f"{file}: not valid JSON: {error}") from None
