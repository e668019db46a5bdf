"""Recorded answers for the scripted server: JSON lines, such as ``dfj calls RUN --json`` prints.

A line holds an ``answer`` and says with any of ``role``, ``seed``, ``level``, ``round`` and ``prompt`` which
requests it is for; what it leaves out (or gives as null) matches anything. The lines that say most win; among
several that say the same the request's digest draws, so that the same request always gets the same answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import orjson

from dfj_bootstrap.config.models import ScriptedModel
from dfj_bootstrap.endpoints.scripted.roles import draw
from dfj_bootstrap.errors import ConfigError

FIELDS = ("role", "seed", "level", "round", "prompt")
"""By which an answer may say what it is for."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An answer; ``finish`` is one of ``Finish``."""

    answer: str
    finish: str = "stop"


class Recording:
    """Answers by what they are for; a prompt is held as its digest."""

    def __init__(self, lines: Iterable[Mapping[str, Any]] = ()) -> None:
        """Raises ``ValueError`` where a line has no answer."""
        self._answers: dict[tuple[str, ...], dict[tuple[str, ...], list[Recorded]]] = defaultdict(dict)
        for line in lines:
            answer, finish = line.get("answer"), line.get("finish") or "stop"
            if not isinstance(answer, str):
                raise ValueError("a line needs an `answer`, the model's reply as text")
            shape = tuple(name for name in FIELDS if line.get(name) is not None)
            self._answers[shape].setdefault(_values(line, shape), []).append(Recorded(answer, str(finish)))
        self._shapes = sorted(self._answers, key=len, reverse=True)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file of JSON lines.

        Raises:
            ConfigError: it can't be read, or a line is no answer.
        """
        try:
            return cls(orjson.loads(line) for line in path.read_bytes().splitlines() if line.strip())
        except OSError as error:
            raise ConfigError(f"{path}: cannot read the recorded answers: {error.strerror}") from None
        except (ValueError, AttributeError) as error:
            raise ConfigError(
                f"{path}: these are no recorded answers, one JSON object a line: {error}"
            ) from None

    def find(self, request: Mapping[str, Any], digest: str) -> Recorded | None:
        """The answer for a request that is described by ``FIELDS``; ``digest`` is the request's."""
        for shape in self._shapes:
            found = self._answers[shape].get(_values(request, shape))
            if found:
                return found[int(draw("recorded", digest) * len(found))]
        return None


def check_replay(config: ScriptedModel) -> None:
    """Find out before a run whether its recorded answers are there.

    Raises:
        ConfigError: they aren't, or they are something else.
    """
    if config.replay:
        Recording.read(config.replay)


def _values(fields: Mapping[str, Any], shape: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_value(name, fields.get(name)) for name in shape)


def _value(name: str, value: Any) -> str:
    text = str(value)
    return blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest() if name == "prompt" else text
