"""The rows that a judge is trained on: where they are, and what is wrong with one. Each row alone.

Rows are those of the published schema, ours or somebody else's: other prompts, other keys beside ``messages``
and ``images``. Texts are untrusted; a row's id is shown, never obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from dfj_bootstrap.errors import RunError
from dfj_bootstrap.intake.json_lines import BadLine, read_lines
from dfj_bootstrap.training.recipe import Task

IMAGE = "<image>"
_SCORE = re.compile(r"<reasoning>(?P<reasoning>.*)</reasoning>\s*<score>(?P<said>[1-5])</score>", re.DOTALL)
_ANSWER = re.compile(r"<answer>(?P<said>[AB])</answer>")
_TARGETS = {Task.POINTWISE: _SCORE, Task.PAIRWISE: _ANSWER}
_FORMS = {
    Task.POINTWISE: "<reasoning>…</reasoning> and <score>1–5</score>",
    Task.PAIRWISE: "<answer>A</answer> or <answer>B</answer>",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a row.

    Attributes:
        check: the check that found it: ``rows``, ``roles``, ``tags``, ``targets`` or ``images``.
        row: the row's id, or its line where it has none.
    """

    check: str
    row: str
    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row as the checks see it.

    Attributes:
        said: what the target parses to: a score or a letter; empty where it doesn't.
        facts: ``label``, ``level``, ``level_a`` and ``level_b``, as far as the row has them.
    """

    id: str
    line: int
    messages: tuple[Mapping[str, str], ...]
    images: tuple[str, ...]
    said: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def find_rows(source: Path, task: Task) -> Path:
    """The file of training rows: of a run, a dataset's folder at any of its depths, or a file itself.

    Raises:
        RunError: there is none.
    """
    if source.is_file():
        return source
    name = f"dfj-meta-{task}"
    for inside in (f"dfj-meta/{name}/train", f"{name}/train", "train", "."):
        found = source / inside / "data.jsonl"
        if found.is_file() and not _of_other_task(found, task):
            return found
    if not source.exists():
        raise RunError(
            f"{source}: there is no such folder or file; give a run folder, or one with data.jsonl"
        )
    raise RunError(
        f"{source}: no {task} rows to train on here; give a run folder that is complete, "
        f"a folder that holds {name}/train/data.jsonl, or a JSONL file"
    )


def _of_other_task(rows: Path, task: Task) -> bool:
    other = next(t for t in Task if t is not task)
    return f"dfj-meta-{other}" in rows.resolve().parts


def read_rows(path: Path, task: Task) -> Iterator[Row | Fault]:
    """All rows in order; one that can't be read at all is a fault, others bring their faults along."""
    for line in read_lines(path):
        if isinstance(line, BadLine):
            yield Fault("rows", line.id or f"line {line.number}", line.number, line.why)
            continue
        row = _row(line.number, line.data, task)
        yield row
        if isinstance(row, Row):
            yield from _faults(row, task)


def _row(number: int, data: Mapping[str, Any], task: Task) -> Row | Fault:
    name = data["id"] if isinstance(data.get("id"), str) and data["id"] else f"line {number}"
    messages, images = data.get("messages"), data.get("images")
    images = [images] if isinstance(images, str) else images
    if not _are_messages(messages):
        return Fault("rows", name, number, "`messages` should be a list of objects with role and content")
    if not isinstance(images, list) or not images or not all(isinstance(i, str) and i for i in images):
        return Fault("rows", name, number, "`images` should be a list of paths, at least one")
    target = messages[-1]["content"] if messages[-1]["role"] == "assistant" else ""
    said = _TARGETS[task].fullmatch(target.strip())
    facts = {key: data[key] for key in ("label", "level", "level_a", "level_b") if key in data}
    return Row(name, number, tuple(messages), tuple(images), said["said"] if said else "", facts)


def _are_messages(messages: Any) -> TypeGuard[list[dict[str, str]]]:
    if not isinstance(messages, list) or not messages:
        return False
    return all(
        isinstance(m, dict) and isinstance(m.get("role"), str) and isinstance(m.get("content"), str)
        for m in messages
    )


def _faults(row: Row, task: Task) -> Iterator[Fault]:
    for check, why in (("roles", _roles(row)), ("tags", _tags(row)), ("targets", _target(row, task))):
        if why:
            yield Fault(check, row.id, row.line, why)


def _roles(row: Row) -> str:
    roles = [message["role"] for message in row.messages]
    turns = roles[1:] if roles[0] == "system" else roles
    wanted = ["user", "assistant"] * (len(turns) // 2)
    return (
        ""
        if turns and turns == wanted
        else f"user and assistant should take turns; these are {', '.join(roles)}"
    )


def _tags(row: Row) -> str:
    asked = sum(m["content"].count(IMAGE) for m in row.messages if m["role"] != "assistant")
    answered = sum(m["content"].count(IMAGE) for m in row.messages if m["role"] == "assistant")
    if answered:
        return f"the target holds {IMAGE}"
    return "" if asked == len(row.images) else f"{asked} {IMAGE} for {len(row.images)} images"


def _target(row: Row, task: Task) -> str:
    if not row.said:
        return f"the target should be {_FORMS[task]}"
    if task is Task.POINTWISE:
        level = row.facts.get("level", int(row.said))
        return "" if level == int(row.said) else f"the target's score is {row.said}, the row's level {level}"
    a, b = row.facts.get("level_a"), row.facts.get("level_b")
    if not isinstance(a, int) or not isinstance(b, int):
        return ""
    better = "A" if a > b else "B"
    return "" if row.said == better else f"the target prefers {row.said}, but levels are A {a} and B {b}"
