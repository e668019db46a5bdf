"""Whole runs with ``backend: swift``: calls go through ``swift infer``, and a kill costs its chunk."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from dfj_bootstrap.storage.reader import open_run
from tests.support import stand_in_swift
from tests.support.processes import when_gone, when_lines
from tests.support.runs import ENVIRONMENT, ROOT, kill, status

ROWS = 20
CHUNK = 6
LATE = "number 19."
"""In a row that comes into the third chunk."""


def asking(config: Path, **told: str) -> subprocess.Popen[str]:
    """The job of ``tests/support/ask.py``, started; ``told``: variables of the stand-in."""
    variables = {f"STAND_IN_{name}": value for name, value in told.items()}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.ask", "ask", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**ENVIRONMENT, "STAND_IN_NOTE": str(config.parent / "note"), **variables},
        cwd=ROOT,
        start_new_session=True,
    )


def asked(config: Path, **told: str) -> tuple[int, str]:
    process = asking(config, **told)
    said, _ = process.communicate(timeout=200)
    return process.returncode, said


def config_for(folder: Path, *, engine: str = "local", output: str = "run", **model: Any) -> Path:
    swift = {"backend": "swift", "model": "tiny", "command": "env/bin/swift", "chunk": CHUNK, "batch": 2}
    tree = {
        "rows": "rows.jsonl", "output": output, "engine": {"kind": engine},
        "models": {"m": swift | model}, "asker": {"model": "m"},
    }  # fmt: skip
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    stand_in_swift.command_in(tmp_path / "env")
    rows = [{"id": f"row-{n}", "text": f"text number {n}."} for n in range(ROWS)]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return tmp_path


def starts(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "note").read_text().splitlines()]


def often(folder: Path) -> Counter[str]:
    """How often each text was asked."""
    return Counter(text.partition("\n")[0] for start in starts(folder) for text in start["rows"])


def test_every_row_is_answered_in_full_chunks(folder: Path) -> None:
    code, said = asked(config_for(folder))
    assert code == 0, said
    found = {row["id"]: row["text"] for row in open_run(folder / "run").rows("answers")}
    assert len(found) == ROWS
    assert all(f"text number {n}." in found[f"row-{n}"] for n in range(ROWS))
    assert [len(start["rows"]) for start in starts(folder)] == [6, 6, 6, 2]
    books = status(folder / "run")
    assert books["rows"] == {"total": ROWS, "ok": ROWS, "failed": 0, "pending": 0, "refused": 0}
    assert books["cost_usd"] == 0


@pytest.mark.slow
def test_a_kill_in_a_chunk_costs_that_chunk(folder: Path) -> None:
    config = config_for(folder)
    process = asking(config, STUCK=LATE)
    when_lines(folder / "note", 1, process, having=LATE)
    kill(process)
    first = starts(folder)
    for start in first:
        when_gone(start["processes"])
    assert len(first) > 1
    code, said = asked(config)
    assert code == 0, said
    assert status(folder / "run")["rows"]["ok"] == ROWS
    twice = {text for text, count in often(folder).items() if count > 1}
    assert twice == {text.partition("\n")[0] for text in first[-1]["rows"]}


@pytest.mark.slow
def test_stopped_it_records_what_was_written_and_goes_on(folder: Path) -> None:
    config = config_for(folder, chunk=ROWS)
    process = asking(config, STUCK="number 7.")
    when_lines(folder / "run" / "logs" / "swift-m.log", 1, process, having="request_config")
    process.terminate()
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    for start in starts(folder):
        when_gone(start["processes"])
    recorded = status(folder / "run")["calls"]["answered"]
    code, said = asked(config)
    assert code == 0, said
    assert status(folder / "run")["calls"]["answered"] == ROWS
    assert len(starts(folder)[-1]["rows"]) == ROWS - recorded


@pytest.mark.slow
def test_one_bad_row_fails_alone_and_is_tried_again_by_the_next_start(folder: Path) -> None:
    config = config_for(folder)
    code, said = asked(config, BAD="number 3.")
    assert code == 0, said
    assert status(folder / "run")["rows"]["failed"] == 1
    again = len(starts(folder))
    code, said = asked(config)
    assert code == 0, said
    assert status(folder / "run")["rows"]["ok"] == ROWS
    assert [[text.partition("\n")[0] for text in start["rows"]] for start in starts(folder)[again:]] == [
        ["text: text number 3."]
    ]


def test_what_never_begins_ends_the_run_with_its_words(folder: Path) -> None:
    code, said = asked(config_for(folder), FAIL="1")
    assert code == 2
    assert "models.m: `swift infer` ended with exit code 1, before its first row" in said
    assert "no such model: it is nowhere" in said


def test_without_a_part_that_is_needed_nothing_starts(folder: Path) -> None:
    wrong: dict[str, dict[str, Any]] = {
        "models.m.command": {"command": "env/bin"},
        "models.m.adapter": {"adapter": "env"},
        "set engine.kind: local": {"engine": "ray"},
    }
    for number, (named, values) in enumerate(wrong.items()):
        code, said = asked(config_for(folder, output=f"run-{number}", **values))
        assert code == 2, said
        assert named in said
    assert not (folder / "note").exists()


def test_another_adapter_is_another_run(folder: Path) -> None:
    adapter = folder / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    (adapter / "adapter_model.safetensors").write_bytes(b"one")
    config = config_for(folder, adapter="adapter")
    assert asked(config)[0] == 0
    moved = adapter.rename(folder / "moved")
    assert asked(config_for(folder, adapter="moved"))[0] == 0
    (moved / "adapter_model.safetensors").write_bytes(b"two")
    code, said = asked(config_for(folder, adapter="moved"))
    assert code == 2
    assert "asker.adapter" in said
