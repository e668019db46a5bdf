"""The ``dfj`` application: what all its commands share. The commands register themselves here.

A command's function holds its options and its help; the work is in a module of its own, imported when it
runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dfj_bootstrap import __version__
from dfj_bootstrap.cli.terminal import printable, set_up_logging, write_lines

_ORDER = (
    "init", "check", "plan", "preview", "generate", "status", "show", "verify", "calls",
    "train", "judge", "detect", "score",
)  # fmt: skip
"""The commands as the help lists them: in the order in which people come to need them."""


class _Commands(TyperGroup):
    def list_commands(self, context: Any) -> list[str]:
        """Names in our order; a command that has no place there comes last."""
        names = super().list_commands(context)
        return sorted(names, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))


app = typer.Typer(
    name="dfj",
    cls=_Commands,
    help="Grow graded rationale ladders into DFJ-Meta, the training data of a reasoning judge.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

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


def load(path: Path, overrides: list[str] | None, output: Path | None = None, kind: Any = None) -> Any:
    """The configuration in a file; ``kind``: of the job, where that isn't generation."""
    from dfj_bootstrap.config.file import load_config
    from dfj_bootstrap.config.tree import Config
    from dfj_bootstrap.errors import ConfigError
    from dfj_bootstrap.local_paths import local_path

    _load_keys(path.resolve().parent / ".env")
    config = load_config(kind or Config, path, overrides or [])
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


def show(report: Any, as_json: bool) -> None:
    """A report is data for scripts and lines for people."""
    if as_json:
        import orjson

        write_lines(orjson.dumps(report.data, option=orjson.OPT_INDENT_2).decode())
    else:
        write_lines(printable("\n".join(report.lines)))
    if report.exit_code:
        raise typer.Exit(report.exit_code)
