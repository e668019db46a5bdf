"""The ``openai`` endpoint against a real HTTP server: who retries what, and what a reply comes to."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from dfj_bootstrap.calls.call import IMAGE, Call, Place
from dfj_bootstrap.calls.pictures import Pictures
from dfj_bootstrap.calls.usage import Metered
from dfj_bootstrap.config.models import OpenAIModel
from dfj_bootstrap.config.paid import Prices
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.domain.resizing import PixelLimits
from dfj_bootstrap.domain.seed import ImageRef
from dfj_bootstrap.endpoints.openai.endpoint import OpenAIEndpoint
from dfj_bootstrap.endpoints.openai.wire import Dialect, read_answer, read_problem, request_body
from dfj_bootstrap.endpoints.wire import scrubbed
from dfj_bootstrap.errors import CallFailed, EndpointRejected, RunError
from dfj_bootstrap.limits.gate import Gate
from dfj_bootstrap.prompting.replies import RATIONALE_FIELDS, read_rationale
from tests.support.ladders import make_picture
from tests.support.model_server import Behaviour, ModelServer
from tests.support.timers import QuickTimers

KEY = "sk-secret-of-the-test"
NOW = 1_800_000_000.0


@dataclass
class Waits:
    """Stands in for the clock: a wait is noted and over at once."""

    seconds: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def endpoint_to(
    server: ModelServer,
    waits: Waits | None = None,
    *,
    in_flight: int = 4,
    tracing: bool = True,
    **config: Any,
) -> AsyncIterator[OpenAIEndpoint]:
    settings: dict[str, Any] = {"model": "tiny", "base_url": server.base_url, "timeout_s": 5, **config}
    model = OpenAIModel(backend="openai", max_in_flight=in_flight, **settings)
    endpoint = OpenAIEndpoint(
        "fast",
        model,
        KEY,
        gate=Gate.wide_open("fast", model, QuickTimers()),
        tracing=tracing,
        sleep=(waits or Waits()).sleep,
        now=lambda: NOW,
        jitter=lambda: 0.0,
    )
    try:
        yield endpoint
    finally:
        await endpoint.aclose()


def a_call(text: str = "Write.", **changes: Any) -> Call:
    call = Call(
        role="generator",
        endpoint="fast",
        model="tiny",
        prompt="digest",
        parts=(text,),
        image=None,
        fields=RATIONALE_FIELDS,
        temperature=0.5,
        max_tokens=77,
        place=Place("seed/ä 1", level=2, round_index=3),
    )
    return replace(call, **changes)


async def test_a_call_says_what_it_must_and_the_reply_is_read() -> None:
    async with ModelServer() as server, endpoint_to(server) as endpoint:
        reply = await endpoint.complete(a_call())
        (request,) = server.requests
    assert reply.finish is Finish.STOP
    assert reply.model == "tiny"
    assert read_rationale(reply.text)
    assert (reply.input_tokens, reply.cached_tokens, reply.cost_usd) == (len("Write.") // 4, 16, 0.0)
    assert request.body["temperature"] == 0.5
    assert request.body["max_tokens"] == 77
    schema = request.body["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert schema["schema"]["required"] == ["reasoning", "answer"]
    assert schema["schema"]["additionalProperties"] is False
    assert request.headers["Authorization"] == f"Bearer {KEY}"


async def test_tracing_headers_name_the_place_and_hide_the_level_where_there_is_none() -> None:
    async with ModelServer() as server:
        async with endpoint_to(server) as endpoint:
            await endpoint.complete(a_call())
            await endpoint.complete(a_call(role="evaluator", place=Place("s", level=None)))
        async with endpoint_to(server, tracing=False) as endpoint:
            await endpoint.complete(a_call())
        traced, blind, silent = (request.headers for request in server.requests)
    assert traced["X-DFJ-Role"] == "generator"
    assert traced["X-DFJ-Seed"] == "seed%2F%C3%A4%201"
    assert (traced["X-DFJ-Level"], traced["X-DFJ-Round"]) == ("2", "3")
    assert "X-DFJ-Level" not in blind
    assert not [name for name in silent if name.lower().startswith("x-dfj")]


async def test_the_picture_goes_where_it_stands_in_the_parts(tmp_path: Path) -> None:
    image = make_picture(tmp_path, side=64)
    async with ModelServer() as server, endpoint_to(server) as endpoint:
        await endpoint.complete(a_call(parts=("before", IMAGE, "after"), image=image))
        content = server.requests[0].body["messages"][0]["content"]
    assert [part["type"] for part in content] == ["text", "image_url", "text"]
    head, data = content[1]["image_url"]["url"].split(",")
    assert head == "data:image/png;base64"
    assert blake2b(base64.b64decode(data), digest_size=16).hexdigest() == image.digest


async def test_a_picture_that_changed_since_it_was_read_stops_the_run(tmp_path: Path) -> None:
    image = replace(make_picture(tmp_path), digest="0" * 32)
    async with ModelServer() as server, endpoint_to(server) as endpoint:
        with pytest.raises(RunError, match=r"picture-0\.png"):
            await endpoint.complete(a_call(parts=(IMAGE,), image=image))
        assert not server.requests


async def test_a_picture_is_encoded_once_for_many_calls_and_forgotten_in_the_end(tmp_path: Path) -> None:
    images = [make_picture(tmp_path, number) for number in range(2)]
    pictures = Pictures(PixelLimits(), most_characters=1)
    first = await asyncio.gather(*(pictures.data_url(images[0]) for _ in range(20)))
    assert all(url is first[0] for url in first)
    await pictures.data_url(images[1])
    assert await pictures.data_url(images[0]) is not first[0]


class CountedPictures(Pictures):
    """Notes whose data URL was asked for."""

    def __init__(self) -> None:
        super().__init__(PixelLimits())
        self.asked: list[str] = []

    async def data_url(self, ref: ImageRef) -> str:
        self.asked.append(ref.name)
        return await super().data_url(ref)


async def test_the_picture_of_a_call_is_read_when_its_turn_comes(tmp_path: Path) -> None:
    images = [make_picture(tmp_path, number) for number in range(5)]
    behaviour = Behaviour(script={1: "hang"})
    async with ModelServer(behaviour) as server, endpoint_to(server, in_flight=1) as endpoint:
        endpoint._pictures = pictures = CountedPictures()
        calls = [
            asyncio.create_task(endpoint.complete(a_call(parts=(IMAGE,), image=image))) for image in images
        ]
        await server.first_request.wait()
        assert len(pictures.asked) == 1
        calls[0].cancel()
        await asyncio.wait(calls)
    assert len(pictures.asked) == len(images)


@pytest.mark.parametrize("fault", ["500", "503", "drop", "garbage_body"])
async def test_a_passing_fault_is_tried_again(fault: str) -> None:
    waits = Waits()
    behaviour = Behaviour(script={1: fault, 2: fault})
    async with ModelServer(behaviour) as server, endpoint_to(server, waits) as endpoint:
        reply = await endpoint.complete(a_call())
        assert len(server.requests) == 3
    assert reply.finish is Finish.STOP
    assert waits.seconds == [0.25, 0.5]


async def test_a_server_that_does_not_answer_is_tried_again() -> None:
    behaviour = Behaviour(script={1: "hang"})
    async with ModelServer(behaviour) as server, endpoint_to(server, timeout_s=0.3) as endpoint:
        assert (await endpoint.complete(a_call())).finish is Finish.STOP


@pytest.mark.parametrize("fault", ["500", "drop", "garbage_body"])
async def test_after_the_last_attempt_the_call_has_failed(fault: str) -> None:
    behaviour = Behaviour(rates={fault: 1})
    async with ModelServer(behaviour) as server, endpoint_to(server, max_attempts=3) as endpoint:
        with pytest.raises(CallFailed, match=r"models\.fast: .* after 3 attempts"):
            await endpoint.complete(a_call())
        assert len(server.requests) == 3


async def test_nobody_listening_is_a_failed_call() -> None:
    async with ModelServer() as server:
        pass
    async with endpoint_to(server, max_attempts=2) as endpoint:
        with pytest.raises(CallFailed, match="the connection failed"):
            await endpoint.complete(a_call())


async def test_a_429_uses_up_no_attempt_and_its_wait_is_kept() -> None:
    waits = Waits()
    behaviour = Behaviour(script=dict.fromkeys(range(1, 9), "429"), retry_after="7")
    async with ModelServer(behaviour) as server, endpoint_to(server, waits, max_attempts=1) as endpoint:
        assert (await endpoint.complete(a_call())).finish is Finish.STOP
    assert waits.seconds == [7.0] * 8


async def test_a_429_may_say_when_as_a_date() -> None:
    waits = Waits()
    behaviour = Behaviour(script={1: "429"}, retry_after=formatdate(NOW + 12, usegmt=True))
    async with ModelServer(behaviour) as server, endpoint_to(server, waits) as endpoint:
        await endpoint.complete(a_call())
    assert waits.seconds == [12.0]


async def test_a_server_that_only_says_429_is_given_up_after_half_an_hour() -> None:
    waits = Waits()
    behaviour = Behaviour(rates={"429": 1}, retry_after="0")
    async with ModelServer(behaviour) as server, endpoint_to(server, waits) as endpoint:
        with pytest.raises(CallFailed, match="429"):
            await endpoint.complete(a_call())
    assert 1700 < sum(waits.seconds) <= 1800
    assert len(waits.seconds) < 100


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        ("401", "put a valid one into OPENAI_API_KEY"),
        ("403", "may not use tiny"),
        ("404", "no tiny there; check `model` and `base_url`"),
        ("quota", "top it up"),
    ],
)
async def test_what_no_call_can_mend_stops_the_run_at_one_request(fault: str, advice: str) -> None:
    async with ModelServer(Behaviour(rates={fault: 1})) as server, endpoint_to(server) as endpoint:
        with pytest.raises(EndpointRejected) as raised:
            await endpoint.complete(a_call())
        assert len(server.requests) == 1
    assert advice in str(raised.value)
    assert "models.fast" in str(raised.value)
    assert KEY not in str(raised.value)


async def test_a_request_that_the_server_can_not_take_fails_at_once() -> None:
    async with ModelServer(Behaviour(script={1: "400"})) as server, endpoint_to(server) as endpoint:
        with pytest.raises(CallFailed, match="400: image too odd"):
            await endpoint.complete(a_call())
        assert len(server.requests) == 1


@pytest.mark.parametrize("kind", ["refusal", "content_filter", "policy"])
async def test_a_refusal_is_an_answer(kind: str) -> None:
    async with ModelServer(Behaviour(script={1: kind})) as server, endpoint_to(server) as endpoint:
        assert (await endpoint.complete(a_call())).finish is Finish.REFUSED


async def test_an_answer_that_was_cut_off_says_so() -> None:
    async with ModelServer(Behaviour(script={1: "cut_off"})) as server, endpoint_to(server) as endpoint:
        assert (await endpoint.complete(a_call())).finish is Finish.LENGTH


async def test_a_server_without_schemas_gets_tagged_text_from_then_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "dfj_bootstrap")
    async with ModelServer(Behaviour(schema=False)) as server, endpoint_to(server) as endpoint:
        replies = await asyncio.gather(*(endpoint.complete(a_call(f"Write {n}.")) for n in range(4)))
        await endpoint.complete(a_call("Write more."))
        kinds = [request.kind for request in server.requests]
        last = server.requests[-1]
    assert all(read_rationale(reply.text) for reply in replies)
    assert kinds.count("no_schema") <= 4
    assert kinds[-1] == "answer"
    assert "response_format" not in last.body
    assert "<reasoning>…</reasoning>" in last.text
    assert len([record for record in caplog.records if "schema" in record.getMessage()]) == 1


async def test_a_server_that_wants_the_other_token_limit_gets_it() -> None:
    behaviour = Behaviour(max_tokens=False, schema=False)
    async with ModelServer(behaviour) as server, endpoint_to(server) as endpoint:
        await endpoint.complete(a_call())
        await endpoint.complete(a_call())
        assert server.requests[-1].body["max_completion_tokens"] == 77
        assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("settings", "limit", "effort"),
    [
        ({"model": "gpt-5-mini"}, 77 + 8192, None),
        ({"model": "gpt-6.1-terra", "reasoning_effort": "low"}, 77 + 8192, "low"),
        ({"model": "gpt-6-luna", "reasoning_effort": "none", "reasoning_tokens": 0}, 77, "none"),
        ({"model": "openai/o3", "reasoning_tokens": 1000, "reasoning_effort": "low"}, 1077, "low"),
        ({"model": "gpt-4o-mini"}, 77, None),
    ],
)
def test_a_reasoning_model_gets_room_to_reason_and_is_told_how_much_to(
    settings: dict[str, Any], limit: int, effort: str | None
) -> None:
    config = OpenAIModel(backend="openai", **settings)
    body = json.loads(request_body(a_call(), config, Dialect(), None))
    assert (body["max_tokens"], body.get("reasoning_effort")) == (limit, effort)


@pytest.mark.parametrize(
    "form", ["I'm sorry, but I can't assist.", '{"reasoning": "I cannot help with this."}']
)
def test_a_refusal_in_words_is_a_refusal_and_never_a_rationale(form: str) -> None:
    body = json.dumps({"choices": [{"message": {"content": form}, "finish_reason": "stop"}]}).encode()
    answer = read_answer(a_call(), body)
    assert isinstance(answer, Metered)
    assert answer.reply.finish is Finish.REFUSED


async def test_a_model_that_takes_neither_the_old_token_limit_nor_a_temperature_is_asked_without() -> None:
    behaviour = Behaviour(max_tokens=False, temperature=False)
    async with ModelServer(behaviour) as server, endpoint_to(server) as endpoint:
        await endpoint.complete(a_call())
        body = server.requests[-1].body
    assert len(server.requests) == 3
    assert "max_completion_tokens" in body
    assert not {"max_tokens", "temperature"} & set(body)


async def test_a_model_with_a_temperature_of_its_own_gets_none_from_then_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "dfj_bootstrap")
    async with ModelServer(Behaviour(temperature=False)) as server, endpoint_to(server) as endpoint:
        await endpoint.complete(a_call())
        await endpoint.complete(a_call("Write more."))
        kinds = [request.kind for request in server.requests]
        assert "temperature" not in server.requests[-1].body
    assert kinds == ["temperature", "answer", "answer"]
    assert "the model's own temperature" in caplog.text


async def test_a_setting_that_no_dialect_mends_stops_the_run() -> None:
    async with ModelServer(Behaviour(rates={"temperature": 1})) as server, endpoint_to(server) as endpoint:
        with pytest.raises(EndpointRejected, match="change what the server names"):
            await endpoint.complete(a_call())
        assert len(server.requests) == 2


async def test_a_seed_and_logprobs_are_passed_through_where_asked() -> None:
    async with ModelServer() as server, endpoint_to(server) as endpoint:
        plain = await endpoint.complete(a_call())
        asked = await endpoint.complete(a_call(rng_seed=7, logprobs=True))
        first, second = (request.body for request in server.requests)
    assert not {"seed", "logprobs"} & first.keys()
    assert (second["seed"], second["logprobs"]) == (7, True)
    assert plain.logprobs == ()
    assert len(asked.logprobs) == len(asked.text.split())
    assert all(isinstance(token, str) and logprob == -0.5 for token, logprob in asked.logprobs)


async def test_a_model_that_gives_no_logprobs_is_not_asked_for_them_again() -> None:
    async with ModelServer(Behaviour(logprobs=False)) as server, endpoint_to(server) as endpoint:
        replies = [await endpoint.complete(a_call(text, logprobs=True)) for text in ("One.", "Two.")]
        assert [request.kind for request in server.requests] == ["no_logprobs", "answer", "answer"]
    assert [reply.logprobs for reply in replies] == [(), ()]


def test_a_long_error_is_cut_without_leaving_a_part_of_the_key() -> None:
    filler = "x" * (300 - len("upstream says: ") - 10)
    problem = read_problem(400, scrubbed(b"upstream says: " + filler.encode() + KEY.encode(), KEY))
    assert KEY[:6] not in problem.message


async def test_cost_follows_the_prices() -> None:
    prices = Prices(input=1_000_000, output=2_000_000, cached=500_000)
    async with ModelServer() as server, endpoint_to(server, prices=prices) as endpoint:
        reply = await endpoint.complete(a_call("x" * 400))
    assert reply.input_tokens == 100
    assert reply.cost_usd == pytest.approx(84 + 8 + 2 * reply.output_tokens)


async def test_no_more_calls_are_in_flight_than_allowed() -> None:
    async with (
        ModelServer(Behaviour(latency_s=0.02)) as server,
        endpoint_to(server, in_flight=3) as endpoint,
    ):
        await asyncio.gather(*(endpoint.complete(a_call(f"Write {n}.")) for n in range(12)))
        assert server.most_in_flight == 3


async def test_a_call_that_waits_holds_no_slot() -> None:
    waiting, go_on = asyncio.Event(), asyncio.Event()

    class Gate(Waits):
        async def sleep(self, seconds: float) -> None:
            waiting.set()
            await go_on.wait()

    behaviour = Behaviour(script={1: "500"})
    async with ModelServer(behaviour) as server, endpoint_to(server, Gate(), in_flight=1) as endpoint:
        slow = asyncio.create_task(endpoint.complete(a_call("slow")))
        await waiting.wait()
        assert (await endpoint.complete(a_call("fast"))).finish is Finish.STOP
        assert not slow.done()
        go_on.set()
        assert (await slow).finish is Finish.STOP


async def test_a_cancelled_call_ends_and_gives_its_slot_back() -> None:
    behaviour = Behaviour(script={1: "hang"})
    async with ModelServer(behaviour) as server, endpoint_to(server, in_flight=1) as endpoint:
        hanging = asyncio.create_task(endpoint.complete(a_call("hang")))
        await server.first_request.wait()
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        assert (await endpoint.complete(a_call("next"))).finish is Finish.STOP


async def test_the_key_is_in_no_log_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    behaviour = Behaviour(script={1: "500", 2: "429", **dict.fromkeys(range(4, 9), "401")})
    async with ModelServer(behaviour) as server, endpoint_to(server) as endpoint:
        await endpoint.complete(a_call())
        with pytest.raises(EndpointRejected) as raised:
            await endpoint.complete(a_call())
    assert "[key]" in str(raised.value)
    assert KEY not in repr(raised.value)
    assert KEY not in caplog.text


async def test_many_faults_lose_no_call() -> None:
    rates = {"500": 0.05, "429": 0.05, "drop": 0.03, "garbage_body": 0.02}
    async with ModelServer(Behaviour(rates=rates)) as server, endpoint_to(server, in_flight=16) as endpoint:
        calls = [a_call(f"Write {n}.") for n in range(150)]
        replies = await asyncio.gather(*(endpoint.complete(call) for call in calls))
        assert len(server.answered) == 150
        assert len(server.requests) > 150
    assert all(reply.finish is Finish.STOP for reply in replies)


def test_an_image_that_no_part_shows_is_not_sent(tmp_path: Path) -> None:
    gone = ImageRef(str(tmp_path / "gone.png"), "gone.png", "0" * 32, 1, 1, ".png", True)

    async def ask() -> Finish:
        async with ModelServer() as server, endpoint_to(server) as endpoint:
            return (await endpoint.complete(a_call(image=gone))).finish

    assert asyncio.run(ask()) is Finish.STOP
