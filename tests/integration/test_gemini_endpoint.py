"""The ``gemini`` endpoint against a real HTTP server: who retries what, and what a reply comes to."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from dfj_bootstrap.calls.call import IMAGE, Call, Place
from dfj_bootstrap.config.models import THINKING_ROOM, GeminiModel
from dfj_bootstrap.config.paid import Prices
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.endpoints.gemini.endpoint import GeminiEndpoint
from dfj_bootstrap.errors import CallFailed, EndpointRejected, Stopped
from dfj_bootstrap.limits.gate import Gate
from dfj_bootstrap.prompting.replies import RATIONALE_FIELDS, read_rationale
from tests.support.gemini_server import REFUSALS, Behaviour, GeminiServer, Request
from tests.support.ladders import make_picture
from tests.support.model_server import Behaviour as OpenAIBehaviour
from tests.support.model_server import ModelServer
from tests.support.model_server import Request as OpenAIRequest
from tests.support.odd_replies import UNREADABLE
from tests.support.runs import ENVIRONMENT, KEY, ROOT, Paid, dfj, kill, start_dfj, status, write_config
from tests.support.seeds import write_seed_rows
from tests.support.timers import QuickTimers

NOW = 1_800_000_000.0
IN_FLIGHT = 4


@dataclass
class Waits:
    """Stands in for the clock: a wait is noted and over at once."""

    seconds: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def endpoint_to(
    server: GeminiServer,
    waits: Waits | None = None,
    *,
    in_flight: int = 4,
    tracing: bool = True,
    **config: Any,
) -> AsyncIterator[GeminiEndpoint]:
    settings: dict[str, Any] = {"model": "tiny", "base_url": server.base_url, "timeout_s": 5, **config}
    model = GeminiModel(backend="gemini", max_in_flight=in_flight, **settings)
    endpoint = GeminiEndpoint(
        "flash",
        model,
        KEY,
        key_name="GOOGLE_API_KEY",
        gate=Gate.wide_open("flash", model, QuickTimers()),
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
        endpoint="flash",
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
    async with GeminiServer() as server, endpoint_to(server) as endpoint:
        reply = await endpoint.complete(a_call())
        (request,) = server.requests
    assert (reply.finish, reply.model, reply.attempts) == (Finish.STOP, "tiny", 1)
    assert read_rationale(reply.text)
    assert "First I look" not in reply.text
    assert (reply.input_tokens, reply.cached_tokens) == (len("Write.") // 4, 16)
    assert reply.output_tokens == len(reply.text) // 4 + 33
    assert request.path == "/v1beta/models/tiny:generateContent"
    assert request.headers["x-goog-api-key"] == KEY
    assert set(request.body) == {"contents", "generationConfig"}
    assert set(request.settings) == {
        "temperature", "maxOutputTokens", "responseMimeType", "responseJsonSchema",
    }  # fmt: skip
    assert request.settings["temperature"] == 0.5
    assert request.settings["maxOutputTokens"] == 77 + THINKING_ROOM
    assert request.settings["responseMimeType"] == "application/json"
    assert request.settings["responseJsonSchema"]["propertyOrdering"] == ["reasoning", "answer"]


async def test_a_thinking_budget_and_safety_thresholds_are_sent_where_configured() -> None:
    async with (
        GeminiServer() as server,
        endpoint_to(server, thinking_budget=512, safety="BLOCK_NONE") as endpoint,
    ):
        await endpoint.complete(a_call())
        (request,) = server.requests
    assert request.settings["thinkingConfig"] == {"thinkingBudget": 512}
    assert request.settings["maxOutputTokens"] == 77 + 512
    thresholds = {each["category"]: each["threshold"] for each in request.body["safetySettings"]}
    assert len(thresholds) == 4
    assert set(thresholds.values()) == {"BLOCK_NONE"}


async def test_tracing_headers_name_the_place_and_hide_the_level_where_there_is_none() -> None:
    async with GeminiServer() as server:
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


async def test_the_picture_goes_where_it_stands_in_the_parts_byte_by_byte(tmp_path: Path) -> None:
    image = make_picture(tmp_path)
    async with GeminiServer() as server, endpoint_to(server, min_pixels=1) as endpoint:
        await endpoint.complete(a_call(parts=("before", IMAGE, "after"), image=image))
        before, picture, after = server.requests[0].parts
    assert (before, after) == ({"text": "before"}, {"text": "after"})
    assert picture["inlineData"]["mimeType"] == "image/png"
    data = base64.b64decode(picture["inlineData"]["data"], validate=True)
    assert blake2b(data, digest_size=16).hexdigest() == image.digest


@pytest.mark.parametrize("fault", ["500", "503", "504_html", "500_cut", "drop", "garbage_body"])
async def test_a_passing_fault_is_tried_again_and_by_nobody_else(fault: str) -> None:
    waits = Waits()
    behaviour = Behaviour(script={1: fault, 2: fault})
    async with GeminiServer(behaviour) as server, endpoint_to(server, waits) as endpoint:
        reply = await endpoint.complete(a_call())
        assert len(server.requests) == 3
    assert (reply.finish, reply.attempts) == (Finish.STOP, 3)
    assert waits.seconds == [0.25, 0.5]


async def test_a_server_that_does_not_answer_is_tried_again() -> None:
    behaviour = Behaviour(script={1: "hang"})
    async with GeminiServer(behaviour) as server, endpoint_to(server, timeout_s=0.3) as endpoint:
        assert (await endpoint.complete(a_call())).finish is Finish.STOP


@pytest.mark.parametrize("fault", ["503", "drop", "garbage_body"])
async def test_after_the_last_attempt_the_call_has_failed(fault: str) -> None:
    behaviour = Behaviour(rates={fault: 1})
    async with GeminiServer(behaviour) as server, endpoint_to(server, max_attempts=3) as endpoint:
        with pytest.raises(CallFailed, match=r"models\.flash: .* after 3 attempts"):
            await endpoint.complete(a_call())
        assert len(server.requests) == 3


async def test_nobody_listening_is_a_failed_call() -> None:
    async with GeminiServer() as server:
        pass
    async with endpoint_to(server, max_attempts=2) as endpoint:
        with pytest.raises(CallFailed, match="the connection failed"):
            await endpoint.complete(a_call())


@pytest.mark.parametrize(
    ("fault", "retry_after", "wait_s"),
    [("429", "", 7.5), ("429", "90", 7.5), ("429_bare", "3", 3.0), ("429_bare", "", 1.0),
     ("429_bare", formatdate(NOW + 12, usegmt=True), 12.0)],
)  # fmt: skip
async def test_a_429_uses_up_no_attempt_and_its_wait_is_kept(
    fault: str, retry_after: str, wait_s: float
) -> None:
    waits = Waits()
    behaviour = Behaviour(script=dict.fromkeys((1, 2, 3), fault), retry_after=retry_after)
    async with GeminiServer(behaviour) as server, endpoint_to(server, waits, max_attempts=1) as endpoint:
        assert (await endpoint.complete(a_call())).finish is Finish.STOP
    assert waits.seconds == [wait_s] * 3


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        ("key", "put a valid one into GOOGLE_API_KEY"),
        ("401", "put a valid one into GOOGLE_API_KEY"),
        ("403", "may not use tiny"),
        ("404", "no tiny there; check `model` and `base_url`"),
        ("daily", "daily quotas renew at midnight Pacific time"),
        ("no_quota", "raise the quota or use another model"),
        ("no_credit", "credits are depleted"),
        ("place", "User location is not supported"),
        ("thinking", "change it"),
    ],
)
async def test_what_no_call_can_mend_stops_the_run_at_one_request(fault: str, advice: str) -> None:
    async with GeminiServer(Behaviour(rates={fault: 1})) as server, endpoint_to(server) as endpoint:
        with pytest.raises(EndpointRejected) as raised:
            await endpoint.complete(a_call())
        assert len(server.requests) == 1
    assert advice in str(raised.value)
    assert "models.flash" in str(raised.value)
    assert KEY not in str(raised.value)


async def test_a_request_that_the_server_can_not_take_fails_at_once() -> None:
    async with GeminiServer(Behaviour(script={1: "400"})) as server, endpoint_to(server) as endpoint:
        with pytest.raises(CallFailed, match="400: Unable to process input image"):
            await endpoint.complete(a_call())
        assert len(server.requests) == 1


@pytest.mark.parametrize("kind", [*REFUSALS, "blocked_prompt"])
async def test_a_block_of_the_safety_filter_is_a_refusal_that_says_why(kind: str) -> None:
    async with GeminiServer(Behaviour(script={1: kind})) as server, endpoint_to(server) as endpoint:
        reply = await endpoint.complete(a_call())
        assert len(server.requests) == 1
    assert reply.finish is Finish.REFUSED
    expected = "the prompt was blocked: PROHIBITED_CONTENT" if kind == "blocked_prompt" else kind
    assert expected in reply.text
    assert reply.input_tokens > 0


@pytest.mark.parametrize("form", ["null", "words", "gemini", "snake", "strings"])
async def test_an_answer_costs_what_it_says_that_it_took_or_its_worst_case(form: str) -> None:
    prices = Prices(input=1.0, output=10.0)
    behaviour = Behaviour(script={1: "answer", 2: f"usage:{form}"})
    async with GeminiServer(behaviour) as server, endpoint_to(server, prices=prices) as endpoint:
        usual, odd = [await endpoint.complete(a_call("Write a rationale.")) for _ in range(2)]
    worst = form in UNREADABLE
    assert odd.estimated is worst
    assert odd.cost_usd > 77 * 10e-6 if worst else odd.cost_usd == pytest.approx(usual.cost_usd)


@pytest.mark.parametrize(
    ("kind", "finish"),
    [("no_candidate", Finish.INCOMPLETE),
     ('body:{"promptFeedback": {"blockReason": "OTHER"}}', Finish.REFUSED),
     ('json:403:{"error": {"message": "blocked by our usage policies"}}', Finish.REFUSED)],
)  # fmt: skip
async def test_what_holds_no_candidate_is_an_answer_too(kind: str, finish: Finish) -> None:
    async with GeminiServer(Behaviour(script={1: kind})) as server, endpoint_to(server) as endpoint:
        assert (await endpoint.complete(a_call())).finish is finish
        assert len(server.requests) == 1


@pytest.mark.parametrize("code", [402, 401, "UNAUTHENTICATED"])
async def test_an_error_within_a_200_stops_the_run_where_its_code_would(code: object) -> None:
    kind = f"body:{json.dumps({'error': {'code': code, 'message': 'words of the server'}})}"
    async with GeminiServer(Behaviour(script={1: kind})) as server, endpoint_to(server) as endpoint:
        with pytest.raises(EndpointRejected, match="words of the server"):
            await endpoint.complete(a_call())
        assert len(server.requests) == 1


async def test_a_429_and_a_503_within_a_200_pass() -> None:
    script = {n: f'body:{{"error": {{"code": {code}, "message": "x"}}}}' for n, code in ((1, 429), (2, 503))}
    async with GeminiServer(Behaviour(script=script)) as server, endpoint_to(server) as endpoint:
        assert (await endpoint.complete(a_call())).attempts == 3


async def test_a_web_page_after_good_answers_is_a_refusal_of_one_call() -> None:
    script = dict.fromkeys(range(2, 4), "page:403")
    async with (
        GeminiServer(Behaviour(script=script)) as server,
        endpoint_to(server, max_attempts=2) as endpoint,
    ):
        replies = [await endpoint.complete(a_call(text)) for text in ("One.", "Two.", "Three.")]
    assert [reply.finish for reply in replies] == [Finish.STOP, Finish.REFUSED, Finish.STOP]
    assert replies[1].text == "Blocked & logged The request could not be satisfied."


async def test_an_answer_that_was_cut_off_says_so() -> None:
    async with GeminiServer(Behaviour(script={1: "cut_off"})) as server, endpoint_to(server) as endpoint:
        assert (await endpoint.complete(a_call())).finish is Finish.LENGTH


async def test_a_model_without_schemas_gets_tagged_text_from_then_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "dfj_bootstrap")
    async with GeminiServer(Behaviour(schema=False)) as server, endpoint_to(server) as endpoint:
        replies = await asyncio.gather(*(endpoint.complete(a_call(f"Write {n}.")) for n in range(4)))
        await endpoint.complete(a_call("Write more."))
        kinds = [request.kind for request in server.requests]
        last = server.requests[-1]
    assert all(read_rationale(reply.text) for reply in replies)
    assert kinds.count("no_schema") <= 4
    assert kinds[-1] == "answer"
    assert set(last.settings) == {"temperature", "maxOutputTokens"}
    assert "<reasoning>…</reasoning>" in last.parts[-1]["text"]
    assert len([record for record in caplog.records if "schema" in record.getMessage()]) == 1


async def test_a_model_with_a_low_token_limit_gets_no_room_for_thinking() -> None:
    behaviour = Behaviour(most_tokens=8192)
    async with GeminiServer(behaviour) as server, endpoint_to(server) as endpoint:
        await endpoint.complete(a_call())
        await endpoint.complete(a_call("Write more."))
        assert [request.settings["maxOutputTokens"] for request in server.requests] == [8269, 77, 77]


async def test_cost_counts_thinking_as_output_and_what_was_cached_for_less() -> None:
    prices = Prices(input=1_000_000, output=2_000_000, cached=500_000)
    async with GeminiServer() as server, endpoint_to(server, prices=prices) as endpoint:
        reply = await endpoint.complete(a_call("x" * 400))
    assert reply.input_tokens == 100
    assert reply.cost_usd == pytest.approx(84 + 8 + 2 * reply.output_tokens)


async def test_no_more_calls_are_in_flight_than_allowed() -> None:
    async with (
        GeminiServer(Behaviour(latency_s=0.02)) as server,
        endpoint_to(server, in_flight=3) as endpoint,
    ):
        await asyncio.gather(*(endpoint.complete(a_call(f"Write {n}.")) for n in range(12)))
        assert server.most_in_flight == 3


async def test_once_admission_is_stopped_nothing_more_is_sent() -> None:
    async with GeminiServer() as server, endpoint_to(server) as endpoint:
        endpoint.stop_admission()
        with pytest.raises(Stopped):
            await endpoint.complete(a_call())
        assert not server.requests


async def test_a_cancelled_call_ends_and_gives_its_slot_back() -> None:
    behaviour = Behaviour(script={1: "hang"})
    async with GeminiServer(behaviour) as server, endpoint_to(server, in_flight=1) as endpoint:
        hanging = asyncio.create_task(endpoint.complete(a_call("hang")))
        await server.first_request.wait()
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        assert (await endpoint.complete(a_call("next"))).finish is Finish.STOP


async def test_the_key_is_in_no_log_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    behaviour = Behaviour(script={1: "500", 2: "429", 4: "key"})
    async with GeminiServer(behaviour) as server, endpoint_to(server) as endpoint:
        await endpoint.complete(a_call())
        with pytest.raises(EndpointRejected) as raised:
            await endpoint.complete(a_call())
    assert "[key]" in str(raised.value)
    assert KEY not in repr(raised.value)
    assert KEY not in caplog.text


async def test_many_faults_lose_no_call() -> None:
    rates = {"500": 0.05, "429": 0.05, "drop": 0.03, "garbage_body": 0.02}
    async with GeminiServer(Behaviour(rates=rates)) as server, endpoint_to(server, in_flight=16) as endpoint:
        calls = [a_call(f"Write {n}.") for n in range(120)]
        replies = await asyncio.gather(*(endpoint.complete(call) for call in calls))
        assert len([request for request in server.requests if request.kind == "answer"]) == 120
        assert len(server.requests) > 120
    assert all(reply.finish is Finish.STOP for reply in replies)


def test_without_the_extra_the_user_is_told_what_to_install() -> None:
    code = (
        "import sys; sys.modules['google.genai'] = None\n"
        "from pathlib import Path\n"
        "from dfj_bootstrap.config.tree import Config\n"
        "from dfj_bootstrap.roles.checks import check_backends\n"
        "models = {'m': {'backend': 'gemini', 'model': 'x', 'base_url': 'http://127.0.0.1:9'}}\n"
        "config = Config(seeds='s', output='o', models=models, evaluator={'model': 'm'})\n"
        "check_backends(config)\n"
    )
    done = _python(code)
    assert done.stderr.endswith('needs an extra: pip install "dfj-bootstrap[gemini]"\n')
    assert "ConfigError" in done.stderr


def test_the_client_library_is_loaded_only_for_those_who_use_it() -> None:
    done = _python("import sys, dfj_bootstrap.roles.casting; sys.exit('google.genai' in sys.modules)")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
async def test_a_run_over_both_backends_that_is_killed_once_pays_for_nothing_twice(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 6)
    (tmp_path / ".env").write_text(f"GEMINI_API_KEY=another\nGOOGLE_API_KEY={KEY}\n")
    gemini = GeminiServer(Behaviour(latency_s=0.03, key=KEY))
    async with gemini, ModelServer(OpenAIBehaviour(latency_s=0.03)) as openai:
        config = _config_over_both(tmp_path, gemini.base_url, openai.base_url)
        process = start_dfj("generate", config)
        async with asyncio.timeout(60):
            await gemini.came(20)
        assert process.poll() is None
        await asyncio.to_thread(kill, process)
        done = await asyncio.to_thread(dfj, "generate", config)
        checked = await asyncio.to_thread(dfj, "check", config)
    assert done.returncode == 0, done.stderr
    assert "models.flash: the key is taken from GOOGLE_API_KEY" in checked.stdout
    paid = [_paid(gemini.requests), _paid(openai.requests)]
    found = status(tmp_path / "run")
    assert found["calls"]["replayed"] > 0
    assert found["seeds"]["failed"] == 0
    assert sum(each.answers for each in paid) <= found["calls"]["answered"] + 2 * IN_FLIGHT
    assert all(each.repeated <= IN_FLIGHT for each in paid)
    assert {request.headers["X-DFJ-Role"] for request in gemini.requests} == {"evaluator"}
    assert {request.headers["X-DFJ-Role"] for request in openai.requests} >= {"generator", "paraphraser"}
    written = b"".join(path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file())
    assert KEY.encode() not in written


def _paid(requests: Sequence[OpenAIRequest | Request]) -> Paid:
    return Paid.of([{"digest": request.digest, "kind": request.kind} for request in requests])


def _config_over_both(folder: Path, gemini_url: str, openai_url: str) -> Path:
    limits = {"max_in_flight": IN_FLIGHT, "timeout_s": 20}
    models = {
        "flash": {"backend": "gemini", "model": "tiny", "base_url": gemini_url, **limits},
        "double": {"backend": "openai", "model": "double", "base_url": openai_url, **limits},
    }
    roles: dict[str, Any] = {role: {"model": "double"} for role in ("writer", "generator", "paraphraser")}
    return write_config(folder, models=models, evaluator={"model": "flash"}, **roles)


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, cwd=ROOT, check=False
    )
