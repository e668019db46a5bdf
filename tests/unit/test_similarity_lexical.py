"""Torch-free similarity, batching in front of an encoder, and the early check of the backend."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.similarity.lexical import LexicalSimilarity, NoSimilarity, lexical_similarity
from dfj_bootstrap.similarity.sentence import MAX_BATCH, BatchingSimilarity, check_available

PAIRS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "paraphrase_pairs.jsonl")
    .read_text("utf-8")
    .splitlines()
]


@given(st.text(), st.text())
def test_it_is_symmetric_bounded_and_has_four_digits(a: str, b: str) -> None:
    value = lexical_similarity(a, b)
    assert value == lexical_similarity(b, a) == round(value, 4)
    assert 0 <= value <= 1


def test_a_text_is_wholly_similar_to_itself_and_not_at_all_to_one_of_other_words() -> None:
    text = "The thumb merges with the cup."
    assert lexical_similarity(text, text) == 1
    assert lexical_similarity(text, "Snow lies on every roof.") == 0
    assert lexical_similarity("", text) == lexical_similarity("", "") == 0


def test_the_default_window_passes_paraphrases_and_stops_other_topics() -> None:
    true = [pair for pair in PAIRS if pair["kind"] == "paraphrase"]
    near = [lexical_similarity(pair["original"], pair["reworded"]) for pair in true]
    far = [lexical_similarity(a["original"], b["original"]) for a in true for b in true if a is not b]
    assert sum(value >= 0.80 for value in near) >= 0.95 * len(near)
    assert sum(value >= 0.80 for value in far) <= 0.01 * len(far)


async def test_the_role_gives_the_same_value_and_none_where_it_is_off() -> None:
    a, b = "The left hand has six fingers.", "Six fingers are on the left hand."
    assert await LexicalSimilarity().similarity(a, b) == lexical_similarity(a, b)
    assert await NoSimilarity().similarity(a, b) is None  # type: ignore[func-returns-value]


class Double:
    """An encoder that waits until it is let go: the vector of a text is its length and 1."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.open = asyncio.Event()
        self.started = asyncio.Event()
        self.error: Exception | None = None

    async def encode(self, texts: list[str]) -> list[list[float]]:
        self.batches.append(texts)
        self.started.set()
        await self.open.wait()
        if self.error:
            raise self.error
        return [[float(len(text)), 1.0] for text in texts]


async def _held(double: Double, similarity: BatchingSimilarity) -> asyncio.Task[float]:
    """A request whose encode has begun and is held back."""
    task = asyncio.create_task(similarity.similarity("first", "1"))
    await double.started.wait()
    return task


async def _queued(similarity: BatchingSimilarity, pairs: list[tuple[str, str]]) -> list[asyncio.Task[float]]:
    """Requests that wait behind a running encode."""

    async def ask(a: str, b: str, asked: asyncio.Event) -> float:
        asked.set()  # nothing is awaited between this and the place in the queue
        return await similarity.similarity(a, b)

    events = [asyncio.Event() for _ in pairs]
    tasks = [asyncio.create_task(ask(*pair, event)) for pair, event in zip(pairs, events, strict=True)]
    for event in events:
        await event.wait()
    return tasks


async def test_requests_that_arrive_while_an_encode_runs_go_together_into_the_next() -> None:
    double = Double()
    similarity = BatchingSimilarity(double.encode)
    first = await _held(double, similarity)
    rest = await _queued(similarity, [("original", f"rewording {i}") for i in range(5)])
    double.open.set()
    await asyncio.wait({first, *rest})
    assert [sorted(batch) for batch in double.batches] == [
        ["1", "first"],
        ["original", *(f"rewording {i}" for i in range(5))],
    ]


async def test_a_request_alone_is_encoded_at_once_and_an_original_only_once() -> None:
    double = Double()
    double.open.set()
    similarity = BatchingSimilarity(double.encode)
    assert await similarity.similarity("aaa", "aaa") == 1
    assert await similarity.similarity("aaa", "b") == round(4 / (10**0.5 * 2**0.5), 4)
    assert double.batches == [["aaa"], ["b"]]


async def test_a_batch_is_never_larger_than_its_bound() -> None:
    double = Double()
    similarity = BatchingSimilarity(double.encode)
    first = await _held(double, similarity)
    rest = await _queued(similarity, [("original", str(i)) for i in range(2, MAX_BATCH + 40)])
    double.open.set()
    await asyncio.wait({first, *rest})
    assert max(map(len, double.batches)) == MAX_BATCH
    assert sum(map(len, double.batches)) == MAX_BATCH + 38 + 1 + 2


async def test_a_cancelled_waiter_disturbs_nobody_who_waits_for_the_same_text() -> None:
    double = Double()
    similarity = BatchingSimilarity(double.encode)
    first = await _held(double, similarity)
    gone, stays = await _queued(similarity, [("original", "same"), ("original", "same")])
    gone.cancel()
    first.cancel()
    double.open.set()
    assert await stays == round(33 / (65**0.5 * 17**0.5), 4)
    assert gone.cancelled() and first.cancelled()


async def test_an_encoders_error_reaches_its_whole_batch_and_the_next_batch_still_works(
    caplog: pytest.LogCaptureFixture,
) -> None:
    double = Double()
    double.error = RuntimeError("out of memory")
    double.open.set()
    similarity = BatchingSimilarity(double.encode)
    with caplog.at_level(logging.ERROR):
        failed = await asyncio.gather(
            *(similarity.similarity("original", str(i)) for i in range(3)), return_exceptions=True
        )
    assert [str(error) for error in failed] == ["out of memory"] * 3
    assert len(double.batches) == 1
    assert not caplog.records
    double.error = None
    assert await similarity.similarity("original", "original") == 1


async def test_an_encoder_that_loses_a_text_is_an_error() -> None:
    async def short(texts: list[str]) -> list[list[float]]:
        return [[1.0, 0.0]]

    with pytest.raises(ValueError, match="1 vectors for 2 texts"):
        await BatchingSimilarity(short).similarity("a", "b")


async def test_closing_cancels_whoever_waits() -> None:
    double = Double()
    similarity = BatchingSimilarity(double.encode)
    first = await _held(double, similarity)
    (second,) = await _queued(similarity, [("a", "b")])
    await similarity.aclose()
    await asyncio.wait({first, second})
    assert first.cancelled() and second.cancelled()
    assert len(double.batches) == 1


@dataclass(frozen=True)
class Settings:
    backend: str
    model: str


def test_what_needs_no_model_is_always_available() -> None:
    check_available(Settings("lexical", "package:nowhere"))
    check_available(Settings("none", "/nowhere"))


@pytest.mark.parametrize(
    "model", ["package:no_such_package_here", "package:a.b", "/no/such/folder", "./nowhere", ""]
)
def test_a_model_that_is_not_there_is_found_early(model: str) -> None:
    with pytest.raises(ConfigError, match=r"similarity\."):
        check_available(Settings("sentence-transformers", model))
