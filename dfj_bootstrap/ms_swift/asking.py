"""Asks an installed ms-swift what only it knows."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.ms_swift import ask_swift
from dfj_bootstrap.ms_swift.command import VARIABLE, without_ours

_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
"""For questions: a model that isn't at hand isn't fetched to measure rows."""


@dataclass(frozen=True, slots=True)
class About:
    """What an installed ms-swift says of itself."""

    version: str
    flags: tuple[str, ...]
    gpus: int


class Swift:
    """A conversation with an installed ms-swift; imports it once, which takes some ten seconds."""

    def __init__(self, command: Path, process: subprocess.Popen[str]) -> None:
        self.command = command
        self._process = process

    def about(self) -> About:
        """Its version and flags.

        Raises:
            ConfigError: this is no ms-swift, or it doesn't start.
        """
        said = self._ask({"ask": "about"})
        return About(said["version"], tuple(said["flags"]), said["gpus"])

    def check(self, argv: Sequence[str]) -> None:
        """Have its own argument classes read a command line.

        Raises:
            ConfigError: they refuse it.
        """
        wrong = self._ask({"ask": "parse", "argv": list(argv[2:])})["wrong"]
        if wrong:
            raise ConfigError(f"ms-swift refuses the flags: {wrong}; change them by --set FLAG=VALUE")

    def open_measure(self, argv: Sequence[str]) -> None:
        """Get ready to measure rows as the command line would have them.

        Raises:
            ConfigError: the model can't be loaded, or isn't known to it.
        """
        self._ask({"ask": "open", "argv": list(argv[2:])})

    def lengths(self, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """The tokens of rows of ``messages`` and ``sizes``.

        Raises:
            ConfigError: they can't be measured.
        """
        found: list[int] = self._ask({"ask": "lengths", "rows": list(rows)})["lengths"]
        return found

    def _ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            said = self._process.stdout.readline()
        except BrokenPipeError:
            said = ""
        if not said:
            raise ConfigError(f"{self.command}: the Python beside it does not answer; is that ms-swift?")
        answer: dict[str, Any] = json.loads(said)
        if "error" in answer:
            raise ConfigError(f"ms-swift says: {answer['error']}")
        return answer


@contextmanager
def asking(command: Path, env: Mapping[str, str]) -> Iterator[Swift]:
    """Ask the ms-swift of a command, by the Python beside it.

    Args:
        env: variables of the job, since limits of pictures change their tokens.

    Raises:
        ConfigError: there is no Python beside the command.
    """
    python = command.parent / "python"
    if not python.exists():
        raise ConfigError(f"{command}: there is no `python` beside it; name ms-swift's `swift` in {VARIABLE}")
    with subprocess.Popen(
        [str(python), ask_swift.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        env=without_ours({**os.environ, **env, **_OFFLINE}),
        start_new_session=True,  # Ctrl-C is for us to hear
    ) as process:
        try:
            yield Swift(command, process)
        finally:
            process.kill()
            with suppress(BrokenPipeError):  # what it did not read any more
                assert process.stdin
                process.stdin.close()
