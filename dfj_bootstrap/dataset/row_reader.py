"""Reads every row of the dataset back, strictly, and sees that it says what was meant.

It shares no code with what writes the rows: it knows the published form (``docs/data-format.md``) and the
judge's prompts, and takes nothing else for granted. Texts must come back letter for letter; only brackets may
have become others, since tags in texts are defused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from dfj_bootstrap.domain.rationale import Rationale
from dfj_bootstrap.errors import RunError

_PLACE = re.compile(r"(?<!\{)\{(ground_truth_label|candidate_response|response_a|response_b)\}(?!\})")
_TAG = re.compile(r"</?[A-Za-z_][A-Za-z_0-9]{0,39}>|<\|[A-Za-z_0-9]{1,39}\|>|\[/?INST\]|\[IMG\]")
_BRACKETS = str.maketrans("<>[]\u25c1\u25b7", "()()()")
_IMAGE = "<image>"
_BATCH_ROWS = 500


class _Odd(Exception):
    """What is wrong with a row."""


@dataclass(frozen=True, slots=True)
class Meant:
    """What the rows of a seed have to say.

    Attributes:
        texts: level → its wordings, by a row's ``paraphrase``.
        critiques: level → the reasoning of its target.
    """

    texts: Mapping[int, Sequence[Rationale]]
    critiques: Mapping[int, str]


class RowReader:
    """Knows the judge's prompts, with their placeholders as in the prompt files."""

    def __init__(self, pointwise: str, pairwise: str) -> None:
        self._pointwise = _parts(pointwise)
        self._pairwise = _parts(pairwise)

    def check(self, row: Mapping[str, Any], meant: Meant) -> None:
        """Read a row, as ``data.jsonl`` holds it.

        Raises:
            RunError: it doesn't come back the same; names the row and why.
        """
        try:
            if "level" in row:
                self._check_pointwise(row, meant)
            else:
                self._check_pairwise(row, meant)
        except _Odd as odd:
            raise unlike(str(row["id"]), f"(seed {row['seed_id']}) {odd}") from None

    def _check_pointwise(self, row: Mapping[str, Any], meant: Meant) -> None:
        user, target = _turns(row)
        level = row["level"]
        _check_user(user, self._pointwise, row, {"candidate_response": _meant(row, level, meant)})
        reading = _Reading(target, "the target")
        reading.literal("<reasoning>")
        _check_text(reading.until("</reasoning>"), meant.critiques[level], "the target's reasoning")
        reading.literal(f"\n<score>{level}</score>")
        reading.end()

    def _check_pairwise(self, row: Mapping[str, Any], meant: Meant) -> None:
        user, target = _turns(row)
        a, b = row["level_a"], row["level_b"]
        shown = {"response_a": _meant(row, a, meant), "response_b": _meant(row, b, meant)}
        _check_user(user, self._pairwise, row, shown)
        reading = _Reading(target, "the target")
        reading.literal(f"<answer>{'AB'[b > a]}</answer>")
        reading.end()


class _Reading:
    """A text that is read from its beginning to its end."""

    def __init__(self, text: str, what: str) -> None:
        self._text, self._what, self._at = text, what, 0

    def literal(self, wanted: str) -> None:
        if not self._text.startswith(wanted, self._at):
            raise _Odd(f"{self._what} should have {_short(wanted)} at character {self._at}")
        self._at += len(wanted)

    def until(self, mark: str) -> str:
        end = self._text.find(mark, self._at)
        if end < 0:
            raise _Odd(f"{self._what} lacks {mark}")
        found = self._text[self._at : end]
        self._at = end + len(mark)
        return found

    def end(self) -> None:
        if self._at != len(self._text):
            raise _Odd(f"{self._what} goes on after its end with {_short(self._text[self._at :])}")


def unlike(row: str, why: str) -> RunError:
    """The error of a row that doesn't come back as it was meant."""
    return RunError(
        f"row {row} of the dataset does not read back as it was meant: {why}; "
        "the dataset was not made, please report this with the row's texts"
    )


def _parts(template: str) -> list[str]:
    """Texts of the prompt and names of places in turn, beginning and ending with a text."""
    return _PLACE.split(template if _IMAGE in template else _IMAGE + template)


def _turns(row: Mapping[str, Any]) -> tuple[str, str]:
    messages = row["messages"]
    if [set(message) for message in messages] != [{"role", "content"}] * 2:
        raise _Odd("it should have two messages of role and content")
    if [message["role"] for message in messages] != ["user", "assistant"]:
        raise _Odd("its messages should be the user's and the assistant's")
    user, target = (message["content"] for message in messages)
    if user.count(_IMAGE) != len(row["images"]) or not row["images"] or _IMAGE in target:
        raise _Odd(f"{_IMAGE} should stand once for each picture, in the user turn alone")
    return user, target


def _meant(row: Mapping[str, Any], level: int, meant: Meant) -> Rationale:
    variant: int = row["paraphrase"]
    return meant.texts[level][variant]


def _check_user(
    user: str, parts: Sequence[str], row: Mapping[str, Any], shown: Mapping[str, Rationale]
) -> None:
    reading = _Reading(user, "the user turn")
    reading.literal(parts[0])
    for name, following in zip(parts[1::2], parts[2::2], strict=True):
        if name == "ground_truth_label":
            reading.literal(row["label"])
        elif name in shown:
            _check_candidate(reading, shown[name], name)
        else:
            reading.literal(f"{{{name}}}")
        reading.literal(following)
    reading.end()


def _check_candidate(reading: _Reading, meant: Rationale, name: str) -> None:
    reading.literal("<reasoning>")
    _check_text(reading.until("</reasoning>"), meant.reasoning, f"the reasoning of {name}")
    reading.literal(f" <answer>{meant.answer.value}</answer>")


def _check_text(text: str, meant: str, what: str) -> None:
    tag = _TAG.search(text) if "<" in text or "[" in text else None
    if tag:
        raise _Odd(f"{what} holds {tag[0]}")
    if text != meant and text.translate(_BRACKETS) != meant.translate(_BRACKETS):
        raise _Odd(f"{what} is another text")


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")


def compare_files(folder: Path, split: str) -> None:
    """See that the Parquet files of a split hold the rows of its ``data.jsonl``, in the same order.

    Pictures are not read.

    Args:
        folder: of the dataset; a split without rows has no files.

    Raises:
        RunError: they don't; names the first row.
    """
    lines = folder / split / "data.jsonl"
    if not lines.exists():
        return
    with lines.open("rb") as file:
        rows = (orjson.loads(line) for line in file)
        for batch in _batches(sorted((folder / "data").glob(f"{split}-*.parquet"))):
            _compare(list(islice(rows, batch.num_rows)), batch)
        for row in rows:
            raise unlike(row["id"], "it is missing in the Parquet files")


def _batches(shards: Sequence[Path]) -> Iterator[Any]:
    for shard in shards:
        with pq.ParquetFile(shard) as file:
            wanted = [leaf.path for leaf in file.schema if not leaf.path.endswith(".bytes")]
            yield from file.iter_batches(batch_size=_BATCH_ROWS, columns=wanted)


def _compare(rows: Sequence[Mapping[str, Any]], batch: Any) -> None:
    """Column by column, which is several times faster than row by row."""
    messages, images = batch["messages"], batch["images"]
    turns = messages.flatten()
    pairs = [
        ([row[name] for row in rows], batch[name])
        for name in batch.schema.names
        if name not in ("messages", "images")
    ]
    pairs += [
        ([len(row["messages"]) for row in rows], messages.value_lengths()),
        ([len(row["images"]) for row in rows], images.value_lengths()),
        ([path for row in rows for path in row["images"]], images.flatten().field("path")),
    ]
    for key in ("role", "content"):
        pairs.append(([turn[key] for row in rows for turn in row["messages"]], turns.field(key)))
    for mine, column in pairs:
        if mine != (other := column.to_pylist()):
            first = next((i for i, (a, b) in enumerate(zip(mine, other, strict=False)) if a != b), 0)
            name = rows[first * len(rows) // len(mine)]["id"] if mine else batch["id"][0].as_py()
            raise unlike(name, "data.jsonl and the Parquet files differ")
