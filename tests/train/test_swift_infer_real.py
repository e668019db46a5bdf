"""The real ``swift infer`` answers by a tiny model and its adapter, on the CPU; what it says is noise."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from dfj_bootstrap.calls.call import IMAGE, Call, Place, Reply
from dfj_bootstrap.config.models import SwiftModel
from dfj_bootstrap.domain.seed import ImageRef
from dfj_bootstrap.endpoints.swift.endpoint import SwiftEndpoint
from dfj_bootstrap.errors import CallFailed, EndpointRejected
from dfj_bootstrap.intake.images import open_image
from tests.support.runs import dfj
from tests.support.seeds import write_picture
from tests.support.training import write_training_rows

pytestmark = pytest.mark.train

_KIND = ("model_type=qwen2_5_vl", "template=qwen2_5_vl")
_TRAINED = (
    *_KIND, "MAX_PIXELS=12544", "per_device_train_batch_size=1", "dataset_num_proc=1", "max_steps=6",
    "dataloader_num_workers=0", "learning_rate=2e-2", "lr_scheduler_type=constant", "warmup_ratio=",
)  # fmt: skip


@pytest.fixture(scope="module")
def adapter(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained by ``dfj train``."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "train").mkdir()
    rows = write_training_rows(folder / "train", 8)
    given = [word for each in _TRAINED for word in ("--set", each)]
    plain: list[str | Path] = ["train", rows, "--task", "pointwise", "--model", model, "--gpus", "0"]
    done = dfj(*plain, "--output", folder / "out", *given)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "out" / "checkpoint-6"


def asked(swift: Path, run: Path, calls: Sequence[Call], **values: Any) -> list[Any]:
    """The replies, or errors, to calls that are made at once."""
    words = [word for each in _KIND for word in (f"--{each.partition('=')[0]}", each.partition("=")[2])]
    tree = {"backend": "swift", "command": swift, "batch": 2, "args": words, "max_pixels": 12544}

    async def ask() -> list[Any]:
        endpoint = SwiftEndpoint("judge", SwiftModel.model_validate(tree | values), run)
        try:
            return await asyncio.gather(*map(endpoint.complete, calls), return_exceptions=True)
        finally:
            await endpoint.aclose()

    return asyncio.run(ask())


def call(text: str, image: ImageRef | None = None) -> Call:
    parts = (IMAGE, text) if image else (text,)
    return Call("judge", "judge", "tiny", "", parts, image, {}, 0.0, 12, Place(text))


def picture(folder: Path, number: int) -> ImageRef:
    write_picture(folder / f"{number}.png", number, (64, 48))
    return open_image(folder, f"{number}.png")


def unreadable(folder: Path) -> ImageRef:
    """A picture that was good when the rows were read, as far as its digest tells."""
    data = b"\x89PNG\r\n\x1a\nnothing more"
    (folder / "bad.png").write_bytes(data)
    digest = blake2b(data, digest_size=16).hexdigest()
    return ImageRef(str(folder / "bad.png"), "bad.png", digest, 64, 48, ".png", True)


def test_it_answers_by_the_adapter_and_one_unreadable_picture_costs_one_row(
    swift: Path, model: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    calls = [call(f"What is in picture {n}?", picture(tmp_path, n)) for n in range(4)]
    calls.insert(2, call("What is in this one?", unreadable(tmp_path)))
    calls.append(call("A text alone,\nof two lines\u2028and a “quote”.  \n"))
    replies = asked(swift, tmp_path / "run", calls, model=str(model), adapter=adapter)
    said = (tmp_path / "run" / "logs" / "swift-judge.log").read_text()
    assert [type(reply) for reply in replies] == [Reply, Reply, CallFailed, Reply, Reply, Reply], said[-3000:]
    assert "cannot identify image file" in str(replies[2])
    assert said.count("request_config: ") == 4  # all, a batch row by row, what is left of it, the rest
    bare = asked(swift, tmp_path / "bare", calls[:1], model=str(model))
    assert bare[0].text != replies[0].text


def test_what_is_no_model_is_told_in_its_own_words(
    swift: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (tmp_path / "empty").mkdir()
    (reply,) = asked(swift, tmp_path / "run", [call("a")], model=str(tmp_path / "empty"))
    assert isinstance(reply, EndpointRejected)
    assert "before its first row" in str(reply)
