"""Single calls through ``swift infer``: chunks, and that a fault costs no more than what it is in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dfj_bootstrap.calls.call import IMAGE, Call, Place, Reply
from dfj_bootstrap.config.models import SwiftModel
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.endpoints.swift.endpoint import FRUITLESS, SwiftEndpoint
from dfj_bootstrap.errors import CallFailed, EndpointRejected, SeedsError, Stopped
from dfj_bootstrap.intake.images import open_image
from tests.support import stand_in_swift
from tests.support.processes import when_gone
from tests.support.seeds import write_picture


class Asker:
    """Asks an endpoint, and reads what the stand-in noted of itself."""

    def __init__(self, folder: Path, note: Path, **values: Any) -> None:
        self.run = folder / "run"
        self.note = note
        command = folder / "env" / "bin" / "swift"
        model = {"backend": "swift", "model": "Qwen/Qwen2.5-VL-3B-Instruct", "command": command}
        config = SwiftModel.model_validate(model | values)
        self.endpoint = SwiftEndpoint("judge", config, self.run, quiet_s=0.2, grace_s=0.3)

    async def ask(self, *calls: Call) -> list[Any]:
        """All at once: a reply or an error each."""
        try:
            asked = (self.endpoint.complete(call) for call in calls)
            return await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 60)
        finally:
            await self.endpoint.aclose()

    @property
    def starts(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.note.read_text().splitlines()]

    @property
    def asked(self) -> list[list[str]]:
        """The texts of each process."""
        return [start["rows"] for start in self.starts]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    stand_in_swift.command_in(tmp_path / "env")
    note = tmp_path / "note"
    monkeypatch.setenv("STAND_IN_NOTE", str(note))
    yield tmp_path
    for line in note.read_text().splitlines() if note.exists() else ():
        when_gone(json.loads(line)["processes"])
    assert not list((tmp_path / "run" / "swift").rglob("chunk-*"))


def asker(folder: Path, **values: Any) -> Asker:
    return Asker(folder, folder / "note", **values)


def call(text: str, *, temperature: float = 0.0, picture: Path | None = None, **more: Any) -> Call:
    image = open_image(picture.parent, picture.name) if picture else None
    parts = (IMAGE, text) if picture else (text,)
    place = Place(text)
    return Call("judge", "judge", "m", "", parts, image, {}, temperature, 64, place, **more)


def calls(n: int) -> list[Call]:
    return [call(f"claim {number:02d}.") for number in range(n)]


def texts(replies: list[Any]) -> list[str]:
    return [reply.text if isinstance(reply, Reply) else type(reply).__name__ for reply in replies]


def answer_to(text: str) -> str:
    return f"<reasoning>0 of 0 bytes: {text}</reasoning>\n<answer>real</answer>"


async def test_calls_go_in_chunks_and_each_gets_its_own_answer(folder: Path) -> None:
    judge = asker(folder, chunk=4)
    replies = await judge.ask(*calls(10))
    assert texts(replies) == [answer_to(f"claim {n:02d}.") for n in range(10)]
    assert {(r.finish, r.cost_usd, r.input_tokens) for r in replies} == {(Finish.UNTOLD, 0.0, 0)}
    assert [len(rows) for rows in judge.asked] == [4, 4, 2]


async def test_the_published_command_line_is_what_runs(folder: Path) -> None:
    (folder / "adapter").mkdir()
    judge = asker(folder, adapter=folder / "adapter", args=["--infer_backend", "vllm"], max_pixels=12544)
    await judge.ask(call("claim", temperature=0.5))
    (start,) = judge.starts
    argv = start["argv"]
    assert argv[0] == "infer"
    given = dict(zip(argv[1::2], argv[2::2], strict=True))
    rows, results = Path(given.pop("--val_dataset")), Path(given.pop("--result_path"))
    assert rows.parent == results.parent
    assert given == {
        "--model": "Qwen/Qwen2.5-VL-3B-Instruct", "--adapters": str(folder / "adapter"),
        "--max_new_tokens": "64", "--temperature": "0.5", "--max_batch_size": "16",
        "--write_batch_size": "16", "--torch_dtype": "bfloat16", "--stream": "false", "--use_hf": "true",
        "--infer_backend": "vllm",
    }  # fmt: skip
    told = {name: start["env"].get(name) for name in ("MAX_PIXELS", "MIN_PIXELS", "IMAGE_FACTOR")}
    assert told == {"MAX_PIXELS": "12544", "MIN_PIXELS": "3136", "IMAGE_FACTOR": "28"}
    assert "PYTHONPATH" not in start["env"]


async def test_pictures_go_as_files_as_they_are(folder: Path) -> None:
    large, small = folder / "large.png", folder / "small.png"
    write_picture(large, 1, (1400, 1400))  # beyond max_pixels: scaling is the model's own business
    write_picture(small, 2, (64, 48))
    shown = [call("one", picture=large), call("two", picture=large), call("one", picture=small)]
    replies = await asker(folder).ask(*shown)
    sizes = [large.stat().st_size, large.stat().st_size, small.stat().st_size]
    assert [f"1 of {size} bytes" in text for size, text in zip(sizes, texts(replies), strict=True)] == [
        True
    ] * 3
    assert ["<image>one<" in text for text in texts(replies)] == [True, False, True]


async def test_a_form_is_asked_for_only_where_the_call_has_one(folder: Path) -> None:
    formed = Call("judge", "judge", "m", "", ("Rate.",), None, {"score": {}}, 0.0, 64, Place("a"))
    judge = asker(folder)
    await judge.ask(formed, call("plain"))
    assert judge.asked == [["Rate.\n\nReply in exactly this form:\n<score>…</score>", "plain"]]


async def test_calls_that_sample_alike_share_a_process(folder: Path) -> None:
    judge = asker(folder)
    replies = await judge.ask(call("a"), call("b", temperature=1.0), call("c"))
    assert texts(replies) == [answer_to(text) for text in "abc"]
    assert judge.asked == [["a", "c"], ["b"]]


async def test_one_bad_row_costs_one_row(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_BAD", "claim 06")
    judge = asker(folder, batch=4)
    replies = await judge.ask(*calls(12))
    assert isinstance(replies[6], CallFailed)
    assert "cannot identify image file" in str(replies[6])
    others = [n for n in range(12) if n != 6]
    assert [texts(replies)[n] for n in others] == [answer_to(f"claim {n:02d}.") for n in others]
    assert list(map(len, judge.asked)) == [
        12,
        4,
        1,
        4,
    ]  # all, its batch row by row, that batch's rest, the rest


async def test_bad_rows_that_follow_each_other_cost_themselves(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_BAD", "claim 0")
    replies = await asker(folder, batch=4).ask(*calls(3), call("good"))
    assert [type(reply) for reply in replies] == [CallFailed, CallFailed, CallFailed, Reply]


async def test_a_single_row_that_is_bad_is_no_fault_of_the_model(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_BAD", "claim")
    (reply,) = await asker(folder).ask(*calls(1))
    assert isinstance(reply, CallFailed)


async def test_a_row_that_is_left_out_fails_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_SKIP", "claim 01")
    judge = asker(folder)
    replies = await judge.ask(*calls(4))
    assert [type(reply) for reply in replies] == [Reply, CallFailed, Reply, Reply]
    assert texts(replies)[2:] == [answer_to("claim 02."), answer_to("claim 03.")]
    assert len(judge.starts) == 1


async def test_lines_that_are_no_results_cost_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_GARBAGE", "1")
    assert texts(await asker(folder).ask(*calls(3))) == [answer_to(f"claim {n:02d}.") for n in range(3)]


async def test_a_process_that_never_begins_ends_the_run_with_its_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_FAIL", "1")
    judge = asker(folder, chunk=2)
    replies = await judge.ask(*calls(5))
    assert {type(reply) for reply in replies} == {EndpointRejected}
    assert "ended with exit code 1, before its first row" in str(replies[0])
    assert "no such model" in str(replies[0])
    assert len(judge.starts) == 1


async def test_a_model_that_fails_at_every_row_is_given_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_BAD", "claim")
    judge = asker(folder, batch=16)
    replies = await judge.ask(*calls(12))
    assert len(judge.starts) == FRUITLESS
    assert [type(reply) for reply in replies][-1] is EndpointRejected
    assert "8 times in a row without an answer" in str(replies[-1])


async def test_a_row_that_hangs_costs_itself(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_STUCK", "claim 01")
    judge = asker(folder, batch=2, timeout_s=3)
    replies = await judge.ask(*calls(3))
    assert [type(reply) for reply in replies] == [Reply, CallFailed, Reply]
    assert "was not done within 3 s (timeout_s)" in str(replies[1])


async def test_a_slow_start_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_SLOW", "2")
    assert texts(await asker(folder).ask(*calls(1))) == [answer_to("claim 00.")]


async def test_stopped_it_takes_what_was_written_and_leaves_no_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_STUCK", "claim 04")
    judge = asker(folder, chunk=6, batch=2)
    asked = [asyncio.create_task(judge.endpoint.complete(each)) for each in calls(8)]
    await _written(judge.run, 4)
    judge.endpoint.stop_admission()
    replies = await asyncio.gather(*asked, return_exceptions=True)
    assert texts(replies) == [answer_to(f"claim {n:02d}.") for n in range(4)] + ["Stopped"] * 4
    with pytest.raises(Stopped):
        await judge.endpoint.complete(call("late"))
    await judge.endpoint.aclose()


async def test_closed_in_the_middle_it_leaves_no_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_STUCK", "claim 02")
    judge = asker(folder, batch=2)
    asked = [asyncio.create_task(judge.endpoint.complete(each)) for each in calls(3)]
    await _written(judge.run, 2)
    await judge.endpoint.aclose()
    replies = await asyncio.gather(*asked, return_exceptions=True)
    assert texts(replies) == [answer_to("claim 00."), answer_to("claim 01."), "Stopped"]


async def test_calls_that_nobody_waits_for_are_not_asked(folder: Path) -> None:
    judge = asker(folder)
    given_up = asyncio.create_task(judge.endpoint.complete(call("given up")))
    await asyncio.sleep(0)
    given_up.cancel()
    assert texts(await judge.ask(call("wanted"))) == [answer_to("wanted")]
    assert judge.asked == [["wanted"]]


async def test_a_picture_that_has_changed_ends_the_run(folder: Path) -> None:
    write_picture(folder / "a.png", 1, (64, 48))
    shown = call("one", picture=folder / "a.png")
    write_picture(folder / "a.png", 2, (64, 48))
    (reply,) = await asker(folder).ask(shown)
    assert isinstance(reply, SeedsError)
    assert "has changed" in str(reply)


async def test_a_seed_for_each_call_is_refused(folder: Path) -> None:
    (reply,) = await asker(folder).ask(call("a", rng_seed=3))
    assert isinstance(reply, EndpointRejected)
    assert "leave rng_seed out" in str(reply)


async def _written(run: Path, lines: int) -> None:
    """Return when the results of the process at work have so many lines."""
    tail = None
    while tail is None:
        found = next(iter((run / "swift").rglob("rows.jsonl")), None)
        if found is None:
            await asyncio.sleep(0.05)
            continue
        results = found.with_name("results.jsonl")
        tail = await asyncio.create_subprocess_exec(
            "tail", "-n", "+1", "-F", str(results), stdout=-1, stderr=asyncio.subprocess.DEVNULL
        )
    assert tail.stdout
    for _ in range(lines):
        await tail.stdout.readline()
    tail.terminate()
    await tail.wait()
