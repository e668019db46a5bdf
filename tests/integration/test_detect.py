"""``dfj detect``: the class of each picture of a folder or of rows, and why."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

from PIL import Image

from tests.support.judged import pictures, predictions, write_judge_config, write_rows
from tests.support.model_server import ModelServer, Request
from tests.support.runs import dfj, refused


def detected(
    folder: Path, rows: Path, *options: str
) -> tuple[subprocess.CompletedProcess[str], list[Request]]:
    async def run() -> tuple[subprocess.CompletedProcess[str], list[Request]]:
        async with ModelServer() as server:
            path = write_judge_config(folder, server.base_url)
            arguments: tuple[str | Path, ...] = (
                "detect",
                path,
                "--input",
                rows,
                "--output",
                folder / "run",
                *options,
            )
            return await asyncio.to_thread(dfj, *arguments), server.requests

    return asyncio.run(run())


def test_a_folder_of_pictures_whose_folders_tell_their_class(tmp_path: Path) -> None:
    for name in ("real/a.png", "x/Fake/b.jpg", "edited/deep/c.webp", "d.png", "real/notes.txt"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".txt":
            path.write_text("not a picture")
        else:
            Image.new("RGB", (40, 32), (len(name) * 9, 90, 200)).save(path)
    (tmp_path / "in" / "real" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done, requests = detected(tmp_path, tmp_path / "in")
    assert done.returncode == 0, done.stderr
    found = predictions(tmp_path / "run")
    assert [(row["image"], row.get("label")) for row in found] == [
        ("d.png", None),
        ("edited/deep/c.webp", "edited"),
        ("real/a.png", "real"),
        ("real/broken.png", "real"),
        ("x/Fake/b.jpg", "fake"),
    ]
    assert [row["prediction"]["status"] for row in found] == ["ok", "ok", "ok", "failed", "ok"]
    assert [row["image"] for row in found if row["prediction"]["status"] == "failed"] == [
        row["id"] for row in refused(tmp_path / "run")
    ]
    for row in found:
        prediction = row["prediction"]
        if prediction["status"] == "ok":
            assert prediction["label"] in ("real", "fake", "edited")
            assert prediction["rationale"] in prediction["raw"]
    assert all(request.headers["X-DFJ-Role"] == "detector" for request in requests)
    assert len({request.text for request in requests}) == 1  # nothing tells the class


def test_rows_are_never_told_their_label_and_what_is_written_can_be_judged(tmp_path: Path) -> None:
    rows = [{"image": name, "label": "edited", "gold_rationale": "The cup."} for name in pictures(tmp_path)]
    done, requests = detected(tmp_path, write_rows(tmp_path, rows), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"]["ok"] == 3
    assert len({request.text for request in requests}) == 1
    written = [row["prediction"]["rationale"] for row in predictions(tmp_path / "run")]

    async def judge() -> tuple[subprocess.CompletedProcess[str], list[Request]]:
        async with ModelServer() as server:
            path = write_judge_config(tmp_path, server.base_url)
            given = tmp_path / "run" / "predictions.jsonl"
            options = ("--output", tmp_path / "judged", "--set", f"input_root={tmp_path}")
            return await asyncio.to_thread(dfj, "judge", path, "--input", given, *options), server.requests

    done, requests = asyncio.run(judge())
    assert done.returncode == 0, done.stderr
    judged = predictions(tmp_path / "judged")
    assert [row["prediction"]["rationale"] for row in judged] == written
    assert all(row["prediction"]["score"] in range(1, 6) for row in judged)
    assert all(text in "".join(request.text for request in requests) for text in written)


BAD = sorted((Path(__file__).parents[1] / "data" / "bad").glob("*.jsonl"))


def test_files_that_are_hostile_or_broken_cost_their_bad_rows_alone(tmp_path: Path) -> None:
    async def run() -> list[subprocess.CompletedProcess[str]]:
        async with ModelServer() as server:
            path = write_judge_config(tmp_path, server.base_url)
            done = []
            for file in BAD:
                where = ("--input", file, "--output", tmp_path / file.stem)
                done.append(await asyncio.to_thread(dfj, "detect", path, *where))
            return done

    ends = {file.stem: done for file, done in zip(BAD, asyncio.run(run()), strict=True)}
    nothing = {name for name, done in ends.items() if done.returncode == 2}
    assert nothing == {"empty", "only_blank_lines"}
    for file in BAD:
        done = ends[file.stem]
        assert "Traceback" not in done.stderr
        assert len(done.stderr.splitlines()[-1]) < 600
        if done.returncode == 0:
            found, turned_down = predictions(tmp_path / file.stem), refused(tmp_path / file.stem)
            failed = [row for row in found if row["prediction"]["status"] == "failed"]
            assert len(failed) <= len(turned_down)
            assert all("the row was refused" in row["prediction"]["why"] for row in failed)
