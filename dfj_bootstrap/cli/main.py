"""``dfj``: the commands and their exit codes.

0 done · 2 the run can't go on · 3 done but some seeds failed technically · 4 stopped at the budget ·
130 interrupted, resumable. ``verify`` alone: 1 the dataset isn't as it was written.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from dfj_bootstrap import __version__
from dfj_bootstrap.cli.signals import set_up_signals
from dfj_bootstrap.cli.terminal import printable, set_up_logging, set_up_streams, write_lines

app = typer.Typer(
    name="dfj",
    help="Grow graded rationale ladders into DFJ-Meta, the training data of a reasoning judge.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

MEANINGS = {
    0: "done",
    2: "the run cannot go on",
    3: "done, but some seeds failed for technical reasons: run again to retry just those",
    4: "stopped at the budget: run again with a larger budget_usd to go on",
    130: "interrupted; run again to go on",
}
"""What an exit code means, for the last line of a job's log."""

_INTERRUPTED = 130

_USAGE_ERROR: type[BaseException] = typer.BadParameter.__mro__[1]
""":class:`UsageError`, which the CLI library does not export by name."""

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="The YAML configuration.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a value, e.g. refine.max_rounds=2."),
]
Output = Annotated[Path | None, typer.Option("--output", help="The run folder, instead of the config's.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks (before or after a command).")
    ] = False,
) -> None:
    """Every command has --help with an example."""
    del debug  # read by run(), so that it may stand anywhere
    if version:
        typer.echo(__version__)
        raise typer.Exit
    set_up_logging()


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

    Example: dfj check configs/demo.yaml
    """
    from dfj_bootstrap.cli.check import check_run

    _print(check_run(_load(config, overrides), live=live), as_json)


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

    _print(plan_run(_load(config, overrides, output), limit), as_json)


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

    _print(preview_run(_load(config, overrides), n, quiet=as_json), as_json)


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
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Run it, or go on where it stopped: the same output folder resumes, and nothing is paid twice.

    Example: dfj generate configs/demo.yaml --set engine.kind=local
    """
    from dfj_bootstrap.cli.generate import generate_run

    loaded = _load(config, overrides, output)
    report = generate_run(loaded, limit=limit, retry_rejected=retry_rejected, quiet=as_json, yes=yes)
    _print(report, as_json)


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
        _print(status_of(run), as_json)


@app.command()
def verify(run: RunPath, as_json: AsJson = False) -> None:
    """Is every byte of the dataset as it was written? Exit code 1 names each file changed, missing or extra.

    Example: dfj verify runs/demo
    """
    from dfj_bootstrap.cli.verify import verify_run

    _print(verify_run(run), as_json)


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


def _load(path: Path, overrides: list[str] | None, output: Path | None = None) -> Any:
    from dfj_bootstrap.config.file import load_config
    from dfj_bootstrap.errors import ConfigError
    from dfj_bootstrap.local_paths import local_path

    _load_keys(path.resolve().parent / ".env")
    config = load_config(path, overrides or [])
    if output is not None:
        config = config.model_copy(update={"output": local_path("--output", output, Path.cwd())})
    if not config.output.name:
        raise ConfigError(f"{path}: `output`: {config.output} can't be a run folder; name a folder inside it")
    return config


def _load_keys(path: Path) -> None:
    """Take what is not in the environment, or empty there, from a ``.env`` beside the config."""
    import os

    from dotenv import dotenv_values

    from dfj_bootstrap.cli.env_file import check_env_file

    check_env_file(path)
    for name, value in dotenv_values(path).items():
        if value and not os.environ.get(name, "").strip():
            os.environ[name] = value


def _print(report: Any, as_json: bool) -> None:
    """A report is data for scripts and lines for people."""
    if as_json:
        import orjson

        write_lines(orjson.dumps(report.data, option=orjson.OPT_INDENT_2).decode())
    else:
        write_lines(printable("\n".join(report.lines)))
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def run(arguments: list[str]) -> int:
    """Run ``dfj`` with arguments and return its exit code; errors are one sentence on standard error."""
    from dfj_bootstrap.errors import BudgetSpent, DfjError

    debug = "--debug" in arguments
    set_up_signals()
    set_up_streams()
    try:
        result = app([a for a in arguments if a != "--debug"], prog_name="dfj", standalone_mode=False)
    except BudgetSpent as error:
        return _fail(str(error), 4, debug)
    except DfjError as error:
        return _fail(str(error), 2, debug)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted; run again to go on", _INTERRUPTED, debug)
    except OSError as error:
        return _fail(_of_system(error), 2, debug)
    except _USAGE_ERROR as error:
        error.show()  # type: ignore[attr-defined]
        return 2
    if result == _INTERRUPTED:  # some versions of the CLI library turn the interrupt into this code
        return _fail("interrupted; run again to go on", _INTERRUPTED, debug)
    return result if isinstance(result, int) else 0


def _of_system(error: OSError) -> str:
    """What the operating system refused, and for which file."""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def _fail(message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    sys.stderr.write(f"dfj: {printable(' '.join(message.split()))}\n")
    return code


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))
