"""The commands that ask a model about pictures and texts that are there already."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dfj_bootstrap.cli.app import AsJson, ConfigPath, Output, Overrides, app, load, show

Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N good rows.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask before a run that is likely to cost much.")]


@app.command()
def judge(
    config: ConfigPath,
    rows: Annotated[
        Path | None,
        typer.Option("--input", metavar="FILE", help="The rows, as JSONL."),
    ] = None,
    output: Output = None,
    task: Annotated[
        str | None,
        typer.Option(metavar="TASK", help="pointwise, pairwise or claims; default: as the rows are."),
    ] = None,
    both_orders: Annotated[
        bool, typer.Option("--both-orders", help="Show each pair in the other order too.")
    ] = False,
    limit: Limit = None,
    image: Annotated[Path | None, typer.Option(help="One example: its picture.")] = None,
    label: Annotated[str | None, typer.Option(help="Its true class: real, fake or edited.")] = None,
    candidate: Annotated[str | None, typer.Option(help="The text to judge.")] = None,
    candidate_b: Annotated[str | None, typer.Option(help="The text to compare it with.")] = None,
    yes: Yes = False,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Have a judge score rationales, choose between two, or match claims; the same output folder resumes.

    Example: dfj judge configs/judge.yaml --input test/data.jsonl --output runs/judged
    """
    from dfj_bootstrap.cli.judge import Example, judge_example, judge_run, judged_config
    from dfj_bootstrap.config.judge import JudgeConfig

    example = Example.given(image, label, candidate, candidate_b)
    loaded = load(config, overrides, output, JudgeConfig)
    wanted = judged_config(loaded, rows, task, both_orders=both_orders)
    if example:
        show(judge_example(wanted, example), as_json)
    else:
        show(judge_run(wanted, limit=limit, quiet=as_json, yes=yes), as_json)


@app.command()
def detect(
    config: ConfigPath,
    rows: Annotated[
        Path | None,
        typer.Option("--input", metavar="FILE|FOLDER", help="Rows (JSONL) or a folder of pictures."),
    ] = None,
    output: Output = None,
    limit: Limit = None,
    yes: Yes = False,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Have a model say of each picture whether it is real, fake or edited, and why.

    Example: dfj detect configs/judge.yaml --input pictures/ --output runs/detected
    """
    from dfj_bootstrap.cli.judge import detect_run, with_input
    from dfj_bootstrap.config.detect import DetectConfig

    loaded = load(config, overrides, output, DetectConfig)
    show(detect_run(with_input(loaded, rows), limit=limit, quiet=as_json, yes=yes), as_json)
