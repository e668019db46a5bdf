"""``predictions.jsonl``: each row of the input as it came, with what was predicted of it, in the same order.

It is written aside and swapped in with one rename, once every row has an outcome. Every row of the input has
a line, a refused one too: what can't be asked about is *failed*, and stays in the denominator of whoever
scores. Only a line that is no JSON object has none, since there is no row to give back; ``refused.jsonl``
names it.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from dfj_bootstrap.app.basis import digest_of
from dfj_bootstrap.app.start import Display, Worked
from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.intake.item_rows import Refusal
from dfj_bootstrap.intake.json_lines import JsonLine
from dfj_bootstrap.intake.picture_rows import Source
from dfj_bootstrap.storage.atomic import replacing
from dfj_bootstrap.storage.planned import read_rows
from dfj_bootstrap.storage.reader import RunReader

NAME = "predictions.jsonl"
"""The file in the run folder."""

_FORMAT = 1
"""Of the file: with another one it is written again."""


@dataclass(frozen=True, slots=True)
class PredictionsFile:
    """Writes the predictions of a run where they aren't what it has come to by now.

    Attributes:
        source: the rows.
        model: who is asked, in the words of the predictions.
    """

    source: Source
    model: str
    display: Display

    def finish(self, worked: Worked) -> tuple[dict[str, Any], bool]:
        """What was written, and whether it had to be."""
        path, before = worked.run / NAME, dict(worked.manifest.get("dataset") or {})
        plan = worked.plan
        basis = digest_of([_FORMAT, plan.input_digest, plan.total, plan.refused, worked.epochs])
        if before.get("basis") == basis and before.get("digest") == _digest(path):
            return before, False
        self.display.phase("assembling", f"writing {NAME}")
        counts: Counter[str] = Counter()
        with _outcomes(worked) as outcomes, replacing(path) as temporary, temporary.open("wb") as out:
            for line, prediction in self._predicted(worked, outcomes):
                counts[prediction["status"]] += 1
                out.write(with_prediction(line, prediction))
        return {"basis": basis, "digest": _digest(path), "file": NAME, "counts": dict(counts)}, True

    def _predicted(
        self, worked: Worked, outcomes: sqlite3.Connection
    ) -> Iterator[tuple[JsonLine, dict[str, Any]]]:
        """Every row with its prediction, as far as the plan goes."""
        left = worked.plan.total
        refused = {row["line"]: row for row in read_rows(worked.run / "refused.jsonl")}
        for line, row in self.source.lines():
            if not left and line.number not in refused:
                return
            if isinstance(line, JsonLine) and line.number in refused:
                yield line, self._not_asked(refused[line.number])
            elif isinstance(line, JsonLine) and not isinstance(row, Refusal):
                left -= 1
                yield line, _found(outcomes, row.id, worked.run)

    def _not_asked(self, refusal: dict[str, Any]) -> dict[str, Any]:
        why = f"{refusal['field']}: {refusal['why']}" if refusal["field"] else refusal["why"]
        return {"status": "failed", "raw": None, "model": self.model, "why": f"the row was refused: {why}"}


def with_prediction(line: JsonLine, prediction: dict[str, Any]) -> bytes:
    """A row as it came, byte for byte, with its prediction at the end; one that it had gives way."""
    row = line.raw.strip()
    if "prediction" in line.data:
        row = _dumped({name: value for name, value in line.data.items() if name != "prediction"})
    head = row[:-1].rstrip()
    comma = b"" if head.endswith(b"{") and len(head) == 1 else b", "
    return head + comma + b'"prediction": ' + _dumped(prediction) + b"}\n"


def _dumped(value: dict[str, Any]) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # halves of characters
        return json.dumps(value).encode()


@contextmanager
def _outcomes(worked: Worked) -> Iterator[sqlite3.Connection]:
    """What has come out, by the rows' ids, in a file that goes away: memory doesn't grow with the rows."""
    reader = RunReader(worked.run, worked.manifest)
    with (
        tempfile.TemporaryDirectory(prefix="dfj-predictions-") as folder,
        closing(sqlite3.connect(Path(folder, "index.sqlite"), isolation_level=None)) as db,
    ):
        db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -8000;")
        db.execute("CREATE TABLE outcomes (id BLOB PRIMARY KEY, prediction TEXT) WITHOUT ROWID")
        db.execute("BEGIN")
        rows = reader.rows("predictions", columns=["row_id", "prediction"])
        db.executemany(
            "INSERT INTO outcomes VALUES (?, ?)", ((_key(r["row_id"]), r["prediction"]) for r in rows)
        )
        yield db


def _found(outcomes: sqlite3.Connection, row_id: str, run: Path) -> dict[str, Any]:
    found = outcomes.execute("SELECT prediction FROM outcomes WHERE id = ?", (_key(row_id),)).fetchone()
    if found is None:
        raise RunFolderError(f"{run}: row {row_id!r} has no outcome; was the input changed meanwhile?")
    prediction: dict[str, Any] = orjson.loads(found[0])
    return prediction


def _key(row_id: str) -> bytes:
    return blake2b(row_id.encode(), digest_size=16).digest()


def _digest(path: Path) -> str | None:
    """Of a file; ``None`` where there is none."""
    digest = blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except FileNotFoundError:
        return None
    return digest.hexdigest()
