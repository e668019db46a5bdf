"""The ``openai`` endpoint against a server that words its answers and errors as few do, over real HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dfj_bootstrap.calls.call import Call, Place
from dfj_bootstrap.calls.lost import note_lost_by
from dfj_bootstrap.config.models import OpenAIModel
from dfj_bootstrap.config.paid import Prices
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.endpoints.openai.endpoint import OpenAIEndpoint
from dfj_bootstrap.errors import CallFailed, EndpointRejected
from dfj_bootstrap.limits.exchange import whole_of
from dfj_bootstrap.limits.gate import Gate
from dfj_bootstrap.limits.purse import Purse
from dfj_bootstrap.prompting.replies import RATIONALE_FIELDS
from tests.support.model_server import Behaviour, ModelServer
from tests.support.odd_replies import UNREADABLE
from tests.support.raw_server import RawServer, answer
from tests.support.timers import QuickTimers

PRICES = Prices(input=1.0, output=5.0)
FILTERED = {"hate": {"filtered": True, "severity": "high"}}


class Paid:
    """An endpoint with a purse."""

    def __init__(self, base_url: str, **config: Any) -> None:
        self.waits: list[float] = []
        self.purse = Purse()
        self.timers = QuickTimers()
        settings: dict[str, Any] = {"model": "tiny", "base_url": base_url, "timeout_s": 5, "prices": PRICES}
        model = OpenAIModel(backend="openai", **settings | config)
        gate = Gate("fast", model, model.prices, self.purse, self.timers)
        gate.grant(whole_of(model))
        self.endpoint = OpenAIEndpoint(
            "fast",
            model,
            "sk-a-key-of-the-test",
            gate=gate,
            tracing=True,
            sleep=self._sleep,
            jitter=lambda: 0.0,
        )
        self.need = gate.need_of(a_call())

    @property
    def spent(self) -> float:
        return self.purse.report().spent

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def paid(server: ModelServer, **config: Any) -> AsyncIterator[Paid]:
    found = Paid(server.base_url, **config)
    try:
        yield found
    finally:
        await found.endpoint.aclose()


def a_call(text: str = "Write a rationale.") -> Call:
    return Call(
        "generator", "fast", "tiny", "digest", (text,), None, RATIONALE_FIELDS, 0.5, 77, Place("s", 2)
    )


def scripted(*kinds: str) -> ModelServer:
    """Each request gets the next kind; those beyond get good answers."""
    return ModelServer(Behaviour(script=dict(enumerate(kinds, 1))))


@pytest.mark.parametrize("form", UNREADABLE)
async def test_an_answer_that_does_not_tell_what_it_took_costs_what_was_set_aside(
    form: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with ModelServer(Behaviour(rates={f"usage:{form}": 1})) as server, paid(server) as one:
        replies = [await one.endpoint.complete(a_call(text)) for text in ("One.", "Two.", "Three.")]
    assert all(reply.estimated and reply.cost_usd > 77 * 5 / 1e6 for reply in replies)
    assert one.spent == pytest.approx(sum(reply.cost_usd for reply in replies))
    assert [record.getMessage() for record in caplog.records] == [
        "models.fast: its answers do not tell the tokens that they took: "
        "each counts at the worst case that was set aside for it"
    ]


@pytest.mark.parametrize("form", ["strings", "floats", "anthropic", "gemini", "ollama", "snake", "total"])
async def test_the_same_tokens_cost_the_same_in_every_spelling(
    form: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with scripted("answer", f"usage:{form}") as server, paid(server) as one:
        usual, other = [await one.endpoint.complete(a_call()) for _ in range(2)]
    assert other.input_tokens == usual.input_tokens > 0
    assert other.output_tokens == usual.output_tokens > 0
    assert other.cost_usd == pytest.approx(usual.cost_usd)
    assert not other.estimated
    assert not caplog.records


@pytest.mark.parametrize(
    ("kind", "finish"),
    [
        ("cut:some_reason", Finish.INCOMPLETE),
        ("finish:tool_calls", Finish.INCOMPLETE),
        ("cut:model_length", Finish.LENGTH),
        ("cut:null", Finish.UNTOLD),
        ("finish:eos_token", Finish.STOP),
        ("finish:SAFETY", Finish.REFUSED),
        ("finish:sensitive", Finish.REFUSED),
        ('body:{"choices": null, "promptFeedback": {"blockReason": "SAFETY"}}', Finish.REFUSED),
        ('body:{"error": {"code": "content_filter", "message": "no"}}', Finish.REFUSED),
        ('json:403:{"error": {"message": "your input was flagged"}}', Finish.REFUSED),
        ('body:{"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 0}}', Finish.INCOMPLETE),
    ],
)
async def test_an_answer_is_what_its_end_says(kind: str, finish: Finish) -> None:
    async with scripted(kind) as server, paid(server) as one:
        reply = await one.endpoint.complete(a_call())
        assert len(server.requests) == 1
    assert (reply.finish, reply.attempts) == (finish, 1)


@pytest.mark.parametrize("code", [402, "402", "insufficient_quota", 401, "401", "invalid_api_key", 404])
async def test_an_error_within_a_200_stops_the_run_where_its_code_would(code: object) -> None:
    body = json.dumps({"error": {"code": code, "message": "words of the server"}})
    async with scripted(f"body:{body}") as server, paid(server) as one:
        with pytest.raises(EndpointRejected, match=r"models\.fast: .*words of the server"):
            await one.endpoint.complete(a_call())
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": 429, "message": "slow down"}},
        {"error": {"code": "rate_limit_exceeded", "message": "slow down"}},
        {"choices": [{"error": {"code": 429, "message": "slow down"}, "message": {"content": "The"}}]},
    ],
)
async def test_a_429_within_a_200_uses_up_no_attempt_and_costs_nothing(body: object) -> None:
    kind = f"body:{json.dumps(body)}"
    async with scripted(*[kind] * 4) as server, paid(server, max_attempts=1) as one:
        reply = await one.endpoint.complete(a_call())
        assert len(server.requests) == 5
    assert reply.finish is Finish.STOP
    assert one.spent == pytest.approx(reply.cost_usd)


@pytest.mark.parametrize(
    "kind",
    [
        'body:{"error": {"code": 503, "message": "overloaded"}}',
        'body:{"error": {"type": "server_error", "message": "sorry"}}',
        'body:{"error": "something odd"}',
        'body:{"detail": "upstream timeout"}',
        'body:{"choices": [{"error": {"code": 502, "message": "gone"}, "message": {"content": "The ha"}}]}',
        "json:424:{}", "json:425:{}", "json:499:{}", "json:408:{}", "json:409:{}", "page:520", "page:525",
        "page:529",
    ],
)  # fmt: skip
async def test_what_passes_is_asked_again(kind: str) -> None:
    async with scripted(kind, kind) as server, paid(server) as one:
        reply = await one.endpoint.complete(a_call())
        assert len(server.requests) == 3
    assert reply.finish is Finish.STOP


async def test_words_of_an_error_within_a_200_are_quoted_in_the_end() -> None:
    kind = 'body:{"error": {"code": 500, "message": "the boiler is cold"}}'
    async with scripted("answer", kind, kind) as server, paid(server, max_attempts=2) as one:
        await one.endpoint.complete(a_call("One."))
        with pytest.raises(CallFailed, match="the boiler is cold"):
            await one.endpoint.complete(a_call("Two."))


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_stray_refusal_after_a_good_answer_is_asked_again(status: int) -> None:
    kind = f'json:{status}:{{"error": {{"message": "stray"}}}}'
    async with scripted("answer", kind, kind) as server, paid(server) as one:
        await one.endpoint.complete(a_call("One."))
        reply = await one.endpoint.complete(a_call("Two."))
        assert len(server.requests) == 4
    assert (reply.finish, reply.attempts) == (Finish.STOP, 3)


@pytest.mark.parametrize("status", [401, 404])
async def test_one_that_stays_stops_the_run_after_the_last_attempt(status: int) -> None:
    kind = f'json:{status}:{{"error": {{"message": "for good"}}}}'
    async with scripted("answer", *[kind] * 9) as server, paid(server, max_attempts=3) as one:
        await one.endpoint.complete(a_call("One."))
        with pytest.raises(EndpointRejected, match="for good"):
            await one.endpoint.complete(a_call("Two."))
        assert len(server.requests) == 4


@pytest.mark.parametrize("kind", ["page:403", 'json:403:{"error": {"message": "forbidden"}}'])
async def test_a_403_after_a_good_answer_is_a_refusal_of_that_call_alone(kind: str) -> None:
    async with scripted("answer", *[kind] * 3) as server, paid(server, max_attempts=3) as one:
        await one.endpoint.complete(a_call("One."))
        refused = await one.endpoint.complete(a_call("Two."))
        good = await one.endpoint.complete(a_call("Three."))
    assert (refused.finish, refused.cost_usd) == (Finish.REFUSED, 0.0)
    assert "<" not in refused.text
    assert good.finish is Finish.STOP


async def test_a_page_from_the_start_stops_the_run_and_is_quoted() -> None:
    async with ModelServer(Behaviour(rates={"page:403": 1})) as server, paid(server, max_attempts=2) as one:
        with pytest.raises(EndpointRejected, match="Blocked & logged The request could not be satisfied"):
            await one.endpoint.complete(a_call())


@pytest.mark.parametrize(
    ("kind", "lost"),
    [
        ("drop", True), ("hang", True), ("garbage_body", True), ("json:504:{}", True), ("page:524", True),
        ('body:{"error": {"code": 500, "message": "half way"}}', True), ("body:{}", True),
        ("500", False), ("503", False), ("429", False), ("page:529", False),
    ],
)  # fmt: skip
async def test_an_attempt_that_may_have_been_paid_is_spent_at_its_worst_case(kind: str, lost: bool) -> None:
    noted: list[float] = []
    note_lost_by(noted.append)
    async with scripted(kind) as server, paid(server, timeout_s=0.5) as one:
        reply = await one.endpoint.complete(a_call())
    assert noted == ([pytest.approx(one.need.usd)] if lost else [])
    assert one.spent == pytest.approx(reply.cost_usd + sum(noted))


async def test_a_connection_that_was_refused_was_never_paid() -> None:
    noted: list[float] = []
    note_lost_by(noted.append)
    async with ModelServer() as server:
        pass
    async with paid(server, max_attempts=2) as one:
        with pytest.raises((CallFailed, EndpointRejected)):
            await one.endpoint.complete(a_call())
    assert (noted, one.spent) == ([], 0.0)


async def test_a_call_that_is_cancelled_on_its_way_may_have_been_paid() -> None:
    noted: list[float] = []

    async def ask(one: Paid) -> None:
        note_lost_by(noted.append)
        await one.endpoint.complete(a_call())

    async with scripted("hang") as server, paid(server) as one:
        asking = asyncio.create_task(ask(one))
        await server.first_request.wait()
        asking.cancel()
        await asyncio.wait([asking])
    assert noted == [pytest.approx(one.need.usd)]


async def test_headers_that_say_that_nothing_is_left_hold_back_the_next_call_until_the_reset() -> None:
    plain = b"Connection: close\r\n"
    spent = plain + b"X-RateLimit-Remaining-Requests: 0\r\nX-RateLimit-Reset-Requests: 1m2s\r\n"
    async with RawServer([answer().replace(plain, spent), answer()]) as server:
        one = Paid(server.base_url)
        before = one.timers.time()
        for text in ("One.", "Two."):
            await one.endpoint.complete(a_call(text))
        await one.endpoint.aclose()
    assert 62 <= one.timers.time() - before < 92
