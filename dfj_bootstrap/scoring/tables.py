"""Blocks as plain text, Markdown or LaTeX. Names are texts from outside: none breaks out of its cell."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from dfj_bootstrap.scoring.report import Block


class Format(StrEnum):
    """How the figures are printed."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    LATEX = "latex"


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def rendered(blocks: Sequence[Block], notes: Sequence[str], form: Format) -> list[str]:
    """Lines, with the notes below the tables."""
    render, note = _FORMS[form]
    tables = [line for block in blocks for line in [*render(block), ""]]
    return [*tables, *(note(" ".join(each.split())) for each in notes)]


def _plain(block: Block) -> list[str]:
    rows = [[" ".join(cell.split()) for cell in row] for row in (block.heading, *block.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return [lines[0], "  ".join("─" * width for width in widths), *lines[1:]]


def _markdown(block: Block) -> list[str]:
    ruler = ["---"] * len(block.heading)
    rows = [[_in_markdown(cell) for cell in row] for row in (block.heading, *block.rows)]
    return [f"| {' | '.join(row)} |" for row in [rows[0], ruler, *rows[1:]]]


def _in_markdown(text: str) -> str:
    return re.sub(r"([\\|`*_<>]|(?<=\])\()", r"\\\1", " ".join(text.split()))  # links too, but no intervals


def _latex(block: Block) -> list[str]:
    rows = [" & ".join(map(_in_latex, row)) + r" \\" for row in (block.heading, *block.rows)]
    columns = "l" * len(block.heading)
    begin, end = rf"\begin{{tabular}}{{{columns}}}", r"\end{tabular}"
    return [begin, r"\hline", rows[0], r"\hline", *rows[1:], r"\hline", end]


def _in_latex(text: str) -> str:
    escaped = "".join(_LATEX.get(sign, sign) for sign in " ".join(text.split()))
    return f"{{}}{escaped}" if escaped[:1] in ("[", "*") else escaped  # the row break before would take it


_FORMS: Mapping[Format, tuple[Callable[[Block], list[str]], Callable[[str], str]]] = {
    Format.TABLE: (_plain, str),
    Format.MARKDOWN: (_markdown, lambda note: f"- {_in_markdown(note)}"),
    Format.LATEX: (_latex, lambda note: f"% {note}"),
}
