"""``dfj``: the commands and their exit codes.

0 done · 2 the run can't go on · 3 done but some failed technically · 4 stopped at the budget ·
130 interrupted, resumable. ``verify`` alone: 1 the dataset isn't as it was written. ``train`` alone: the
trainer's own code where it failed.
"""

from __future__ import annotations

import sys
import traceback

import typer

from dfj_bootstrap.cli import making, predicting, reading, scoring, training
from dfj_bootstrap.cli.app import app
from dfj_bootstrap.cli.signals import set_up_signals
from dfj_bootstrap.cli.terminal import printable, set_up_streams

COMMANDS = (making, predicting, reading, scoring, training)
"""Modules whose commands are registered by their import."""

MEANINGS = {
    0: "done",
    2: "the run cannot go on",
    3: "done, but some failed for technical reasons: run again to retry just those",
    4: "stopped at the budget: run again with a larger budget_usd to go on",
    130: "interrupted; run again to go on",
}
"""What an exit code means, for the last line of a job's log."""

_INTERRUPTED = 130

_USAGE_ERROR: type[BaseException] = typer.BadParameter.__mro__[1]
""":class:`UsageError`, which the CLI library does not export by name."""


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


def run_job(command: str) -> int:
    """Run a command as an entry point of its own, whose last log line says how it ended."""
    code = run([command, *sys.argv[1:]])
    sys.stderr.write(f"exit code {code}: {MEANINGS.get(code, 'see the lines above')}\n")
    return code


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))
