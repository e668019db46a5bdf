"""The commands that make a corpus: from a first config to a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dfj_bootstrap.cli.app import AsJson, ConfigPath, Output, Overrides, app, load, show
from dfj_bootstrap.cli.terminal import printable, write_lines


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
) -> None:
    """Start here: a minimal config and a few example seeds.

    Example: dfj init my-run && dfj generate my-run/config.yaml
    """
    from dfj_bootstrap.cli.init import write_starter

    write_lines(printable("\n".join(write_starter(directory))))


@app.command()
def check(
    config: ConfigPath,
    live: Annotated[bool, typer.Option("--live", help="Also make one tiny call per model.")] = False,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Is everything right before money is spent? Config, prompts, keys, every seed row and image.

    A config that is only a judge's or a detector's is looked at as such.

    Example: dfj check configs/demo.yaml
    """
    from dfj_bootstrap.cli.check import check_run
    from dfj_bootstrap.config.file import kind_in

    show(check_run(load(config, overrides, kind=kind_in(config)), live=live), as_json)


@app.command()
def plan(
    config: ConfigPath,
    output: Output = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N good rows.")] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """What will it take? Calls, tokens, cost and hours as low – likely – high, before anything is spent.

    Example: dfj plan configs/openai.yaml
    """
    from dfj_bootstrap.cli.plan import plan_run

    show(plan_run(load(config, overrides, output), limit), as_json)


@app.command()
def preview(
    config: ConfigPath,
    n: Annotated[int, typer.Option("--n", min=1, help="How many seeds.")] = 3,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Run a few seeds and show their ladders. What it pays for, a later `dfj generate` takes over.

    Example: dfj preview configs/demo.yaml --n 1
    """
    from dfj_bootstrap.cli.preview import preview_run

    show(preview_run(load(config, overrides), n, quiet=as_json), as_json)


@app.command()
def generate(
    config: ConfigPath,
    output: Output = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N good rows.")] = None,
    retry_rejected: Annotated[
        bool, typer.Option("--retry-rejected", help="Give rejected levels another go.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Don't ask before a run that is likely to cost much.")
    ] = False,
    then_train: Annotated[
        str | None,
        typer.Option("--then-train", metavar="TASK", help="Then train a judge on it: pointwise or pairwise."),
    ] = None,
    train_model: Annotated[
        str, typer.Option("--train-model", metavar="M", help="As --model of dfj train.")
    ] = "7B",
    train_gpus: Annotated[int, typer.Option("--train-gpus", metavar="N", min=0, help="As --gpus of it.")] = 2,
    train_set: Annotated[
        list[str] | None, typer.Option("--train-set", metavar="FLAG=VALUE", help="As --set of it.")
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Run it, or go on where it stopped: the same output folder resumes, and nothing is paid twice.

    Example: dfj generate configs/demo.yaml --set engine.kind=local
    """
    from dfj_bootstrap.cli.generate import generate_run

    loaded, chain = load(config, overrides, output), None
    if then_train is not None:
        from dfj_bootstrap.cli.then_train import Chain

        chain = Chain(then_train, train_model, train_gpus, tuple(train_set or ()))
        chain.check()
    report = generate_run(loaded, limit=limit, retry_rejected=retry_rejected, quiet=as_json, yes=yes)
    show(chain.train(loaded, report) if chain else report, as_json)
