"""The commands about the judge: its training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dfj_bootstrap.cli.app import AsJson, app, show


@app.command()
def train(
    source: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="A run folder, or any folder or JSONL in the published schema."),
    ],
    task: Annotated[str, typer.Option("--task", help="pointwise or pairwise.")],
    model: Annotated[
        str, typer.Option("--model", metavar="M", help="3B, 7B, a hub's name, or a model's folder.")
    ] = "7B",
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help="Default: training/TASK-MODEL in the run.")
    ] = None,
    gpus: Annotated[int, typer.Option("--gpus", metavar="N", min=0, help="On each node; 0: on the CPU.")] = 2,
    nodes: Annotated[int, typer.Option("--nodes", metavar="N", min=1, help="Several need Ray.")] = 1,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="FLAG=VALUE", help="A flag of ms-swift, or a VARIABLE; empty: leave it out."
        ),
    ] = None,
    backend: Annotated[str, typer.Option("--backend", help="swift, so far.")] = "swift",
    address: Annotated[
        str | None,
        typer.Option("--address", help="Train on a Ray: HOST:PORT, auto, or local for one of its own."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print exactly what would run, and don't.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Only see whether everything is right.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="There must be a training in the output folder to go on with.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a judge by the published recipe, or go on where that stopped: ms-swift, here or on Ray's GPUs.

    Example: dfj train runs/demo --task pointwise --model 3B --dry-run
    """
    from dfj_bootstrap.cli.train import Asked, train_judge

    asked = Asked(source, task, model, output, gpus, nodes, tuple(overrides or ()), backend, address)
    show(train_judge(asked, dry_run=dry_run, check=check, resume=resume), as_json)
