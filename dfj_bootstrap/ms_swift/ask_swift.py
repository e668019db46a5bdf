"""Answers questions about the ms-swift beside it: run by the Python of the trainer's environment, as a file.

A question is one line of JSON on standard input, its answer one on standard output; it imports nothing of
this package, which is not installed there. Nothing here takes a GPU.

- ``{"ask": "about"}``: its version, the flags of ``swift sft``, the GPUs that torch sees.
- ``{"ask": "parse", "argv": […]}``: what its own argument classes say of a command line.
- ``{"ask": "open", "argv": […]}``: get ready to measure rows for that command line.
- ``{"ask": "lengths", "rows": [{"messages", "sizes": [[width, height], …]}, …]}``: the tokens of each row.

A picture's tokens depend on its size alone, so that each size is measured once, with a blank one.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

_IMAGE = "<image>"
_UNBOUNDED = "10000000"


def _arguments() -> tuple[Any, Any]:
    """The classes of ``swift sft`` and of what all commands share: of version 4, else of version 3."""
    try:
        from swift.arguments import BaseArguments, SftArguments

        return SftArguments, BaseArguments
    except ImportError:
        from swift.llm import BaseArguments, TrainArguments

        return TrainArguments, BaseArguments


def about() -> dict[str, Any]:
    import torch
    from swift import __version__

    training, _ = _arguments()
    flags = [f.name for f in fields(training) if f.init]
    return {"version": __version__, "flags": flags, "gpus": torch.cuda.device_count()}


def parse(argv: list[str]) -> dict[str, Any]:
    """Let argparse read it; the class itself isn't built, since that would look for the model."""
    from transformers import HfArgumentParser

    training, _ = _arguments()
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            _, unknown = HfArgumentParser([training]).parse_known_args(argv)
    except SystemExit:
        return {"wrong": said.getvalue().strip().rpartition("error: ")[2]}
    return {"wrong": f"unknown arguments: {' '.join(unknown)}" if unknown else ""}


class Measure:
    """The tokens of rows, by the model's own template, tokenizer and picture rule."""

    def __init__(self, argv: list[str]) -> None:
        from swift.utils import parse_args

        _, base = _arguments()
        argv = [*argv, "--max_length", _UNBOUNDED, "--load_args", "false"]
        arguments, _ = parse_args(base, argv)
        _, processor = arguments.get_model_processor(load_model=False)
        self._template = arguments.get_template(processor)
        self._template.set_mode("train")
        self._pictures: dict[tuple[int, int], int] = {}

    def length(self, row: dict[str, Any]) -> int:
        texts = [{**m, "content": m["content"].replace(_IMAGE, "")} for m in row["messages"]]
        return self._encoded(texts, []) + sum(self._picture(width, height) for width, height in row["sizes"])

    def _picture(self, width: int, height: int) -> int:
        if (width, height) not in self._pictures:
            from PIL import Image

            answer = {"role": "assistant", "content": "A"}
            bare = self._encoded([{"role": "user", "content": "B"}, answer], [])
            turn = {"role": "user", "content": f"{_IMAGE}B"}
            whole = self._encoded([turn, answer], [Image.new("RGB", (width, height))])
            self._pictures[width, height] = whole - bare
        return self._pictures[width, height]

    def _encoded(self, messages: list[dict[str, str]], images: list[Any]) -> int:
        return len(self._template.encode({"messages": messages, "images": images})["input_ids"])


def _answer(question: dict[str, Any], state: dict[str, Measure]) -> Any:
    if question["ask"] == "about":
        return about()
    if question["ask"] == "parse":
        return parse(question["argv"])
    if question["ask"] == "open":
        state["measure"] = Measure(question["argv"])
        return {}
    return {"lengths": [state["measure"].length(row) for row in question["rows"]]}


def main() -> None:
    sys.path[:] = [
        folder for folder in sys.path if Path(folder).absolute() != Path(__file__).parent.absolute()
    ]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    state: dict[str, Measure] = {}
    for line in sys.stdin:
        try:
            answer = _answer(json.loads(line), state)
        except Exception as error:
            answer = {"error": " ".join(f"{type(error).__name__}: {error}".split())[:500]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
