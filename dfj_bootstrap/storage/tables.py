"""The tables of a run: what was made, row by row, in Parquet parts of one partition and epoch each.

Invariants:

- A part is written whole or not at all, ladder by ladder, so that memory doesn't grow with the partition.
- Rows stand in the order in which the ladders were given: same ladders, same bytes.
- Only the parts of one epoch belong together.

The columns are described in ``docs/data-format.md``.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dfj_bootstrap.domain.rationale import GOLD_LEVEL
from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.domain.trajectory import (
    Accepted,
    Evaluation,
    Failed,
    Ladder,
    Paraphrase,
    Provenance,
    Rejected,
    Round,
    Trajectory,
)
from dfj_bootstrap.errors import DamagedPart, RunFolderError
from dfj_bootstrap.policy.acceptance import OFF_CLASS, OFF_LEVEL
from dfj_bootstrap.storage.atomic import replacing

ROWS_PER_GROUP = 2000
"""Rows that are held in memory, per table, before they are written."""

_STRING, _INT, _FLOAT, _BOOL = pa.string(), pa.int64(), pa.float64(), pa.bool_()

SEEDS = pa.schema(
    {
        "seed_id": _STRING, "ordinal": _INT, "image": _STRING, "image_digest": _STRING,
        "image_path": _STRING, "image_width": _INT, "image_height": _INT, "image_suffix": _STRING,
        "image_verbatim": _BOOL, "label": _STRING, "group": _STRING, "split": _STRING,
        "source": _STRING, "licence": _STRING, "outcome": _STRING, "failure": _STRING,
        "gold": _STRING, "gold_origin": _STRING, "gold_rating": _INT, "gold_low": _BOOL,
    }
)  # fmt: skip

ROUNDS = pa.schema(
    {
        "seed_id": _STRING, "level": _INT, "sample": _INT, "round": _INT, "candidate": _STRING,
        "answer": _STRING, "rating": _INT, "feedback": _STRING, "accepted": _BOOL, "reason": _STRING,
        "generator_model": _STRING, "evaluator_model": _STRING, "generator_prompt": _STRING,
        "evaluator_prompt": _STRING, "input_tokens": _INT, "output_tokens": _INT,
        "cached_tokens": _INT, "cost_usd": _FLOAT,
    }
)  # fmt: skip

TRAJECTORIES = pa.schema(
    {
        "seed_id": _STRING, "level": _INT, "outcome": _STRING, "reason": _STRING, "raw": _STRING,
        "rounds": _INT, "sample": _INT, "text": _STRING, "answer": _STRING, "rating": _INT,
        "critique": _STRING,
    }
)  # fmt: skip

PARAPHRASES = pa.schema(
    {
        "seed_id": _STRING, "level": _INT, "index": _INT, "try": _INT, "text": _STRING,
        "answer": _STRING, "similarity": _FLOAT, "outcome": _STRING, "reason": _STRING,
        "raw": _STRING, "model": _STRING, "prompt": _STRING, "input_tokens": _INT,
        "output_tokens": _INT, "cached_tokens": _INT, "cost_usd": _FLOAT, "variant": _INT,
    }
)  # fmt: skip

TABLES = {"seeds": SEEDS, "rounds": ROUNDS, "trajectories": TRAJECTORIES, "paraphrases": PARAPHRASES}
"""Name → schema; ``seeds`` holds one row per seed, ``trajectories`` one per seed and level."""

_NAME = re.compile(r"part-(\d{4,})-e(\d{4,})\.parquet")

Row = tuple[Any, ...]


def write_part(run: Path, partition: int, epoch: int, ladders: Iterable[tuple[Seed, Ladder]]) -> None:
    """Write a partition's part of all four tables, in the order of ``ladders``.

    Raises:
        RunFolderError: the folder can't be written or the disk is full.
    """
    try:
        with ExitStack() as stack:
            parts = {
                table: stack.enter_context(_writing(part_path(run, table, partition, epoch), schema))
                for table, schema in TABLES.items()
            }
            for seed, ladder in ladders:
                parts["seeds"].add([_seed_row(seed, ladder)])
                parts["rounds"].add(row for t in ladder.trajectories for row in _round_rows(t))
                parts["trajectories"].add(_trajectory_row(t) for t in ladder.trajectories)
                parts["paraphrases"].add(_paraphrase_rows(ladder))
    except OSError as error:
        raise RunFolderError(f"{run / 'tables'}: cannot write the tables: {error.strerror}") from error


def part_path(run: Path, table: str, partition: int, epoch: int) -> Path:
    """Where a part of a table stands."""
    return run / "tables" / table / f"part-{partition:04d}-e{epoch:04d}.parquet"


def newest_parts(run: Path) -> dict[int, int]:
    """Partition → the newest epoch of which all four parts are there."""
    whole = set.intersection(*(set(_parts(run, table)) for table in TABLES))
    return dict(sorted(whole))


def read_part(
    run: Path, table: str, partition: int, epoch: int, columns: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """The rows of one part, in their order; ``columns`` chooses some.

    Raises:
        DamagedPart: it is missing, or can't be read as what it was written as.
    """
    path = part_path(run, table, partition, epoch)
    # Not through the dataset reader: it would take part of the path for a partition column.
    with _damage_told(path, partition), pq.ParquetFile(path) as part:
        if missing := set(TABLES[table].names).difference(part.schema_arrow.names):
            raise ValueError(f"no column {min(missing)}")
        rows: list[dict[str, Any]] = part.read(columns=columns, use_threads=False).to_pylist()
    return rows


@contextmanager
def _damage_told(path: Path, partition: int) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT):
            raise  # of the disk or of rights: the file may well be whole
        raise DamagedPart(
            f"{path}: missing or damaged; remove it and run again: it is made again from the journal",
            partition,
        ) from None


def read_table(run: Path, table: str) -> Iterator[dict[str, Any]]:
    """All rows of a table that count, partition by partition."""
    for partition, epoch in sorted(newest_parts(run).items()):
        yield from read_part(run, table, partition, epoch)


def drop_older_parts(run: Path, partition: int, epoch: int) -> None:
    """Remove a partition's parts of epochs before ``epoch``."""
    for table in TABLES:
        for older in range(epoch):
            part_path(run, table, partition, older).unlink(missing_ok=True)


def _parts(run: Path, table: str) -> Iterator[tuple[int, int]]:
    """Partition and epoch of every part of a table."""
    folder = run / "tables" / table
    if folder.is_dir():
        for entry in folder.iterdir():
            if match := _NAME.fullmatch(entry.name):
                yield int(match[1]), int(match[2])


@contextmanager
def _writing(path: Path, schema: pa.Schema) -> Iterator[_Rows]:
    """A part to fill, under its temporary name until it is left without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as file:
        rows = _Rows(file, schema)
        yield rows
        rows.flush()


class _Rows:
    """Rows on their way into a part, written in groups."""

    def __init__(self, file: Any, schema: pa.Schema) -> None:
        self._file, self._schema = file, schema
        self._waiting: list[Row] = []

    def add(self, rows: Iterable[Row]) -> None:
        self._waiting.extend(rows)
        if len(self._waiting) >= ROWS_PER_GROUP:
            self.flush()

    def flush(self) -> None:
        if not self._waiting:
            return
        columns = zip(*self._waiting, strict=True)
        arrays = [pa.array(c, field.type) for c, field in zip(columns, self._schema, strict=True)]
        self._file.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._waiting.clear()


def _seed_row(seed: Seed, ladder: Ladder) -> Row:
    image = seed.image
    gold = seed.gold if seed.gold is not None else _written_gold(ladder)
    origin = None if gold is None else "written" if seed.gold is None else "given"
    return (
        seed.id, seed.ordinal, image.name, image.digest, image.path, image.width, image.height,
        image.suffix, image.verbatim, str(seed.label), seed.group, seed.split and str(seed.split),
        seed.source, seed.licence, str(ladder.outcome), _failure(ladder), gold, origin,
        ladder.gold_rating, ladder.gold_low,
    )  # fmt: skip


def _written_gold(ladder: Ladder) -> str | None:
    for trajectory in ladder.trajectories:
        if trajectory.brief.level == GOLD_LEVEL and trajectory.rounds:
            return trajectory.rounds[0].candidate.rationale.reasoning
    return None


def _failure(ladder: Ladder) -> str:
    """The first technical failure of a seed, wherever it happened."""
    failures = (t.outcome.error for t in ladder.trajectories if isinstance(t.outcome, Failed))
    return ladder.failure or next(failures, "")


def _round_rows(trajectory: Trajectory) -> Iterator[Row]:
    last = len(trajectory.rounds) - 1
    for i, round_ in enumerate(trajectory.rounds):
        accepted = i == last and isinstance(trajectory.outcome, Accepted)
        reason = _reason(trajectory) if i == last else _off(trajectory.brief.level, round_)
        yield _round_row(trajectory, round_, accepted, reason)


def _round_row(trajectory: Trajectory, round_: Round, accepted: bool, reason: str) -> Row:
    brief, candidate, evaluation = trajectory.brief, round_.candidate, round_.evaluation
    wrote, rated = candidate.provenance, evaluation.provenance if evaluation else Provenance()
    return (
        brief.seed_id, brief.level, brief.sample, round_.index, candidate.rationale.reasoning,
        str(candidate.rationale.answer), *_rating(evaluation), accepted, reason, wrote.model,
        rated.model, wrote.prompt, rated.prompt, wrote.input_tokens + rated.input_tokens,
        wrote.output_tokens + rated.output_tokens, wrote.cached_tokens + rated.cached_tokens,
        wrote.cost_usd + rated.cost_usd,
    )  # fmt: skip


def _off(level: int, round_: Round) -> str:
    """Why there was another round after this one."""
    return OFF_CLASS if round_.evaluation and round_.evaluation.rating == level else OFF_LEVEL


def _rating(evaluation: Evaluation | None) -> tuple[int | None, str | None]:
    return (evaluation.rating, evaluation.feedback) if evaluation else (None, None)


def _trajectory_row(trajectory: Trajectory) -> Row:
    brief, outcome, accepted = trajectory.brief, trajectory.outcome, trajectory.accepted
    evaluation = trajectory.rounds[-1].evaluation if trajectory.rounds else None
    return (
        brief.seed_id, brief.level, type(outcome).__name__.lower(), _reason(trajectory),
        outcome.raw if isinstance(outcome, Rejected) else "", len(trajectory.rounds), brief.sample,
        accepted and accepted.reasoning, accepted and str(accepted.answer), _rating(evaluation)[0],
        outcome.critique if isinstance(outcome, Accepted) else None,
    )  # fmt: skip


def _reason(trajectory: Trajectory) -> str:
    outcome = trajectory.outcome
    if isinstance(outcome, Failed):
        return outcome.error
    return outcome.reason if isinstance(outcome, Rejected) else ""


def _paraphrase_rows(ladder: Ladder) -> Iterator[Row]:
    """Every try, with its place among the accepted ones of its level."""
    standing: dict[int, int] = {}
    for paraphrase in sorted(ladder.paraphrases, key=lambda p: (p.level, p.index, p.try_index)):
        variant = None
        if paraphrase.accepted:
            variant = standing.get(paraphrase.level, 0)
            standing[paraphrase.level] = variant + 1
        yield _paraphrase_row(ladder.seed_id, paraphrase, variant)


def _paraphrase_row(seed_id: str, tried: Paraphrase, variant: int | None) -> Row:
    text, made = tried.rationale, tried.provenance
    return (
        seed_id, tried.level, tried.index, tried.try_index, text and text.reasoning,
        text and str(text.answer), tried.similarity, "accepted" if tried.accepted else "rejected",
        tried.reason, tried.raw, made.model, made.prompt, made.input_tokens, made.output_tokens,
        made.cached_tokens, made.cost_usd, variant,
    )  # fmt: skip
