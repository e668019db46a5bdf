"""``dfj show``: one ladder with its rounds.

All texts are untrusted: they are shown as they are, without markup, further in than what is said about them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import orjson
from rich.console import Console
from rich.text import Text

from dfj_bootstrap.cli.changes import Change, Piece, changes, kept_share
from dfj_bootstrap.cli.terminal import printable, write_lines
from dfj_bootstrap.dataset.ladder_tables import TABLES
from dfj_bootstrap.domain.rationale import GOLD_LEVEL
from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.storage.manifest import FIRST_TASK, task_name
from dfj_bootstrap.storage.reader import open_run

TableRow: TypeAlias = Mapping[str, Any]

_REWRITTEN = 0.4
"""A text of which less was kept is shown without marks: they would only be in the way."""

_MARKS = {Change.KEPT: ("", ""), Change.REMOVED: ("[-", "-]"), Change.ADDED: ("{+", "+}")}
_COLOURS = {Change.KEPT: "", Change.REMOVED: "red strike", Change.ADDED: "green"}
_OUTCOMES = {"accepted": "green", "complete": "green", "failed": "red"}
_TEXT, _LEAST = 6, 20
"""Columns that texts stand further in, and the least that they are wide."""


def show_ladder(run: Path, seed_id: str, *, as_json: bool) -> None:
    """Write one ladder: as a JSON object, or as text for people.

    Raises:
        RunFolderError: no run there, no such seed, or nothing came out of it so far.
    """
    ladder = read_ladder(run, seed_id)
    if as_json:
        write_lines(orjson.dumps(ladder, option=orjson.OPT_INDENT_2).decode())
    else:
        print_ladder(ladder, Console(file=sys.stdout))


def read_ladder(run: Path, seed_id: str) -> dict[str, Any]:
    """A seed's row, and the rows of its levels, the highest first, each with its rounds and paraphrases.

    Raises:
        RunFolderError: no run there, another job's, no such seed, or nothing came out of it so far.
    """
    reader = open_run(run, TABLES)
    if (job := task_name(reader.manifest)) != FIRST_TASK:
        raise RunFolderError(
            f"{run}: a run of `dfj {job}`, which has no ladders; `dfj calls` shows what was answered"
        )
    rows = reader.rows_of(seed_id, list(TABLES))
    if not rows["seeds"]:
        raise RunFolderError(
            f"{run}: seed {seed_id!r} is planned, but work on its partition hasn't ended yet; "
            "`dfj calls` shows what was answered so far"
        )
    levels = sorted(rows["trajectories"], key=lambda row: -row["level"])
    return {"seed": rows["seeds"][0], "levels": [_level(row, rows) for row in levels]}


def _level(trajectory: TableRow, rows: Mapping[str, Sequence[TableRow]]) -> dict[str, Any]:
    """A level's row; its rounds themselves stand in the place of their number."""
    own = {
        table: [row for row in rows[table] if row["level"] == trajectory["level"]]
        for table in ("rounds", "paraphrases")
    }
    return {**trajectory, **own}


def print_ladder(ladder: Mapping[str, Any], console: Console) -> None:
    """For people: wrapped to the console's width; what changed in colours, or between marks without them."""
    coloured = console.color_system is not None and not console.no_color
    width = max(_LEAST, console.width - _TEXT)
    for indent, text in _lines(ladder, _COLOURS if coloured else {}):
        for number, line in enumerate(text.wrap(console, width, overflow="fold")):
            line.rstrip()
            room = _TEXT if number else indent  # else what goes on could look like another line of ours
            console.print(Text(" " * room) + line if line else line, soft_wrap=True)


def _lines(ladder: Mapping[str, Any], colours: Mapping[Change, str]) -> Iterator[tuple[int, Text]]:
    """Lines to be wrapped, with how far in they stand."""
    seed = ladder["seed"]
    yield from _seed_lines(seed)
    for level in ladder["levels"]:
        yield 0, Text()
        yield from _level_lines(level, seed["gold"], colours)


def _seed_lines(seed: TableRow) -> Iterator[tuple[int, Text]]:
    yield 0, _head(f"seed {seed['seed_id']}", seed["outcome"], seed["failure"])
    size = f"{seed['image']} ({seed['image_width']} × {seed['image_height']})"
    yield 2, _said("image", size, f"label {seed['label']}", seed["split"] and f"split {seed['split']}")
    if seed["gold"] is None:
        yield 2, _said("no gold")
        return
    low = " (low)" if seed["gold_low"] else ""
    yield 2, _said("gold", seed["gold_origin"], f"{_rated(seed['gold_rating'])}{low}")
    yield _TEXT, _shown(seed["gold"])


def _level_lines(
    level: TableRow, gold: str | None, colours: Mapping[Change, str]
) -> Iterator[tuple[int, Text]]:
    again = f"started over {level['sample']} ×" if level["sample"] else None
    yield 0, _head(f"level {level['level']}", level["outcome"], level["reason"], again)
    before = None
    for round_ in level["rounds"]:
        text = round_["candidate"]
        if level["level"] == GOLD_LEVEL and text == gold:
            yield from _round_lines(round_, "the gold", Text(style="dim"))
        else:
            yield from _round_lines(round_, *_candidate(before, text, colours))
        before = text
    if level["raw"]:
        yield 2, _said("what could not be used")
        yield _TEXT, _shown(level["raw"])
    if level["critique"] and level["critique"] != level["rounds"][-1]["feedback"]:
        yield 2, _said("the judge's target")
        yield _TEXT, _shown(level["critique"], "dim")
    yield from _paraphrase_lines(level["paraphrases"])


def _candidate(before: str | None, text: str, colours: Mapping[Change, str]) -> tuple[str | None, Text]:
    """How a candidate has come from the one before, and its text."""
    pieces = changes(before or "", text)
    if before is None or kept_share(pieces) < _REWRITTEN:
        return before and "rewritten", _shown(text)
    return None, Text.assemble(*(_piece(piece, colours) for piece in pieces))


def _piece(piece: Piece, colours: Mapping[Change, str]) -> tuple[str, str]:
    before, after = ("", "") if colours else _MARKS[piece.change]
    return f"{before}{printable(piece.text)}{after}", colours.get(piece.change, "")


def _round_lines(round_: TableRow, came: str | None, text: Text) -> Iterator[tuple[int, Text]]:
    verdict = "accepted" if round_["accepted"] else round_["reason"]
    yield 2, _said(f"round {round_['round']}", round_["answer"], _rated(round_["rating"]), verdict, came)
    if text:
        yield _TEXT, text
    if round_["feedback"]:
        yield _TEXT, Text("feedback: ", "dim") + _shown(round_["feedback"], "dim")


def _paraphrase_lines(paraphrases: Sequence[TableRow]) -> Iterator[tuple[int, Text]]:
    for row in paraphrases:
        verdict = "kept" if row["outcome"] == "accepted" else f"refused: {row['reason']}"
        tried = f", try {row['try']}" if row["try"] else ""
        alike = None if row["similarity"] is None else f"similarity {row['similarity']:.2f}"
        yield 2, _said(f"paraphrase {row['index']}{tried}", row["answer"], alike, verdict)
        yield _TEXT, _shown(row["raw"] if row["text"] is None else row["text"])


def _head(name: str, outcome: str, *more: str | None) -> Text:
    said = ": ".join(filter(None, (outcome, *more[:1])))
    rest = "".join(f" · {_line(each)}" for each in more[1:] if each)
    return Text.assemble((f"{_line(name)}  ", "bold"), (_line(said), _OUTCOMES.get(outcome, "yellow")), rest)


def _said(*parts: str | None) -> Text:
    """Parts of one line; those that say nothing are left out."""
    return Text(" · ".join(_line(part) for part in parts if part), "cyan")


def _rated(rating: int | None) -> str:
    return "not rated" if rating is None else f"rated {rating}"


def _shown(text: str, style: str = "") -> Text:
    return Text(printable(text), style)


def _line(text: str) -> str:
    """A text from outside in one line, so that it can't look like several of ours."""
    return printable(text).replace("\n", " ")
