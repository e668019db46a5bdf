"""The commands that look at a run: how it stands, what was asked, one ladder, whether it is whole."""

from __future__ import annotations

from typing import Annotated

import typer

from dfj_bootstrap.cli.app import AsJson, RunPath, app, show


@app.command()
def status(
    run: RunPath,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again at every change until it ends.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """How a run stands: what is done, pending, accepted, rejected; calls, tokens and cost.

    Example: dfj status runs/demo --json
    """
    from dfj_bootstrap.cli.status import status_of, watch_status

    if watch:
        watch_status(run, as_json=as_json)
    else:
        show(status_of(run), as_json)


@app.command("show")
def show_one(
    run: RunPath,
    seed: Annotated[str, typer.Argument(metavar="SEED", help="The id of a seed.")],
    as_json: AsJson = False,
) -> None:
    """One ladder: of each level the rounds, with what changed, ratings and feedback, and its paraphrases.

    Example: dfj show runs/demo cup
    """
    from dfj_bootstrap.cli.show import show_ladder

    show_ladder(run, seed, as_json=as_json)


@app.command()
def verify(run: RunPath, as_json: AsJson = False) -> None:
    """Is every byte of the dataset as it was written? Exit code 1 names each file changed, missing or extra.

    Example: dfj verify runs/demo
    """
    from dfj_bootstrap.cli.verify import verify_run

    show(verify_run(run), as_json)


@app.command()
def calls(
    run: RunPath,
    seed: Annotated[str | None, typer.Option("--seed", metavar="ID", help="Of this seed only.")] = None,
    level: Annotated[
        int | None, typer.Option("--level", min=1, max=5, help="Of this level, ratings included.")
    ] = None,
    round_index: Annotated[
        int | None, typer.Option("--round", min=0, help="Of this round; for paraphrases, their index.")
    ] = None,
    role: Annotated[str | None, typer.Option("--role", help="Of this role, e.g. evaluator.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per call and line.")] = False,
) -> None:
    """What a model was asked and what it answered: every call of a run, from its folder alone.

    Example: dfj calls runs/openai --seed im_0001 --level 3
    """
    from dfj_bootstrap.cli.calls import Wanted, show_calls

    show_calls(run, Wanted(seed, level, round_index, role), as_json=as_json)
