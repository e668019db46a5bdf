"""The commands that hold predictions against what is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dfj_bootstrap.cli.app import app


@app.command()
def score(
    predictions: Annotated[
        list[Path],
        typer.Argument(metavar="PREDICTIONS", help="Files of predictions, or their folders: a column each."),
    ],
    human: Annotated[
        Path | None, typer.Option("--human", metavar="FILE", help="People's ratings of the same rows.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task", help="pointwise, pairwise, detection or rationales; default: as the rows are."
        ),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="table, json, markdown or latex.")] = "table",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    with_published: Annotated[
        bool, typer.Option("--with-published", help="Put published figures beside.")
    ] = False,
    encoder: Annotated[
        str | None,
        typer.Option("--encoder", metavar="MODEL", help="For BERTScore: a model's name, or its folder."),
    ] = None,
) -> None:
    """The field's tables from predictions, each figure with its 95 % interval over images.

    Example: dfj score judged/predictions.jsonl base/predictions.jsonl --format markdown
    """
    from dfj_bootstrap.cli.score import Wanted, print_scores

    print_scores(predictions, Wanted(human, task, "json" if as_json else form, with_published, encoder))
