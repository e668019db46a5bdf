"""The files of ``swift infer``: a row for each call, and its answers. Pure, but for the files themselves.

A result has neither its row's id nor its number, and a row that can't be read may be left out. What it does
have is the row's own text and pictures, and those make the match: rows that are alike in both are the same
question, so either answer is one to both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from dfj_bootstrap.calls.call import IMAGE, Call
from dfj_bootstrap.domain.resizing import PixelLimits
from dfj_bootstrap.endpoints.wire import encodable, loads, mapping, reply_form
from dfj_bootstrap.intake.images import shown_bytes

_TAG = "<image>"
_WHOLE = PixelLimits(1, 2**63)
"""The picture as it is in the dataset: ms-swift scales it, as it did in training."""

Question: TypeAlias = tuple[str, tuple[str, ...]]
"""A row's text, and the names of its pictures' files."""


def write_rows(calls: Sequence[Call], folder: Path) -> Path:
    """Write a JSONL file of rows, with the pictures beside it; each picture once.

    Raises:
        SeedsError: a picture is gone, or another one, since the rows were read.
    """
    path = folder / "rows.jsonl"
    with path.open("wb") as file:
        for call in calls:
            _write_picture(call, folder)
            text, names = question_of(call)
            row = {
                "messages": [{"role": "user", "content": text}],
                "images": [str(folder / name) for name in names],
            }
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    return path


def question_of(call: Call) -> Question:
    """What a call's row asks; without a form of the reply where the call has none."""
    form = f"\n\n{reply_form(call)}" if call.fields else ""
    text = encodable("".join(_TAG if part == IMAGE else part for part in call.parts) + form)
    return text, (_picture_name(call),) * call.parts.count(IMAGE)


def read_answers(path: Path, questions: Sequence[Question]) -> dict[int, str]:
    """The answers in a file of results, by the number of the question; what isn't one is passed over."""
    waiting: dict[Question, list[int]] = defaultdict(list)
    for number, question in enumerate(questions):
        waiting[question].append(number)
    found = {}
    for question, answer in _results(path):
        if waiting.get(question):
            found[waiting[question].pop(0)] = answer
    return found


def _results(path: Path) -> Iterator[tuple[Question, str]]:
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    for line in lines:
        try:
            result = mapping(loads(line))
        except ValueError:
            continue
        answer, question = result.get("response"), _question_in(result)
        if isinstance(answer, str) and question is not None:
            yield question, encodable(answer)


def _question_in(result: Any) -> Question | None:
    """The question that a result repeats."""
    messages, images = result.get("messages"), result.get("images") or []
    if not isinstance(messages, list) or not isinstance(images, list):
        return None
    texts = [
        mapping(message).get("content") for message in messages if mapping(message).get("role") == "user"
    ]
    if len(texts) != 1 or not isinstance(texts[0], str):
        return None
    return texts[0], tuple(_name(image) for image in images)


def _name(image: Any) -> str:
    """A picture's file: results name it as a path, bare or in an object."""
    return Path(str(image.get("path") if isinstance(image, dict) else image)).name


def _picture_name(call: Call) -> str:
    return f"{call.image.digest}{call.image.suffix}" if call.image else ""


def _write_picture(call: Call, folder: Path) -> None:
    path = folder / _picture_name(call)
    if call.image is not None and IMAGE in call.parts and not path.exists():
        path.write_bytes(shown_bytes(call.image, _WHOLE)[0])
