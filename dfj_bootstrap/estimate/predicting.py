"""What a judge or a detector is likely to cost, by the questions that it asks about the first rows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from dfj_bootstrap.config.paid import PaidModel
from dfj_bootstrap.config.predicting import PredictingConfig
from dfj_bootstrap.errors import SeedsError
from dfj_bootstrap.estimate.course import Load, Range
from dfj_bootstrap.estimate.forecast import SAMPLE
from dfj_bootstrap.estimate.parts import parts_of
from dfj_bootstrap.estimate.sizes import input_tokens, size_of
from dfj_bootstrap.intake.picture_rows import PictureRow, PictureRows
from dfj_bootstrap.intake.plan import make_plan
from dfj_bootstrap.storage.planned import PlanSummary, read_partition
from dfj_bootstrap.tasks.asking import Asked

Questions = Callable[[PictureRow], list[Asked]]


def likely_cost(
    config: PredictingConfig, role: str, items: PictureRows, questions: Questions, limit: int | None
) -> Range | None:
    """USD of a run that starts now; ``None`` where no price is known, or no row is good.

    Args:
        role: who is asked.
    """
    model = config.models[config.roles[role].model]
    assert isinstance(model, PaidModel)
    most, load, lines = config.roles[role].max_tokens, Load(), items.look_through()[1]
    try:
        with tempfile.TemporaryDirectory(prefix="dfj-plan-") as scratch:
            plan = make_plan(Path(scratch), items, limit=min(limit or SAMPLE, SAMPLE), trial=True)
            for row in _rows(Path(scratch), plan, items):
                for asked in questions(row):
                    size = size_of(model, input_tokens(model, asked.parts, row.image), asked.likely, most)
                    load += Load(Range.exactly(1), size.input, size.output)
    except SeedsError:
        return None
    scale = 1.0 if plan.complete else min(limit or lines, lines) / plan.total
    (part,), _ = parts_of(config, {role: load.scaled(max(1.0, scale))}, {})
    return part.cost


def _rows(folder: Path, plan: PlanSummary, items: PictureRows) -> Iterator[PictureRow]:
    for partition in range(plan.partitions):
        yield from read_partition(folder, partition, items.from_row)
