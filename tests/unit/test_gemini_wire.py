"""Gemini's wire format, without a network."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.calls.call import IMAGE, Call, Place, Reply
from dfj_bootstrap.calls.usage import Metered
from dfj_bootstrap.config.models import THINKING_ROOM, GeminiModel
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.endpoints.gemini.wire import (
    Dialect,
    Problem,
    adapted,
    advice,
    is_out_of_quota,
    read_answer,
    read_problem,
    request_body,
)
from dfj_bootstrap.endpoints.keys import key_of, key_variable
from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.limits.broken import Broken
from dfj_bootstrap.prompting.replies import RATING_FIELDS

CALL = Call(
    role="evaluator",
    endpoint="flash",
    model="tiny",
    prompt="digest",
    parts=("rubric", IMAGE, "candidate"),
    image=None,
    fields=RATING_FIELDS,
    temperature=0.0,
    max_tokens=500,
    place=Place("s"),
)
CONFIG = GeminiModel(backend="gemini", model="tiny")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def test_the_parts_keep_their_order_and_the_picture_goes_in_as_it_is() -> None:
    body = request_body(CALL, CONFIG, Dialect(), "data:image/webp;base64,QUJD")
    assert body["contents"] == [
        {
            "role": "user",
            "parts": [
                {"text": "rubric"},
                {"inlineData": {"mimeType": "image/webp", "data": "QUJD"}},
                {"text": "candidate"},
            ],
        }
    ]


def test_without_a_picture_its_place_is_left_out() -> None:
    body = request_body(CALL, CONFIG, Dialect(), None)
    assert body["contents"][0]["parts"] == [{"text": "rubric"}, {"text": "candidate"}]


def test_the_schema_wants_all_fields_and_the_score_last() -> None:
    schema = request_body(CALL, CONFIG, Dialect(), None)["generationConfig"]["responseJsonSchema"]
    assert schema["required"] == schema["propertyOrdering"] == ["reasoning", "feedback", "score"]
    assert schema["properties"]["score"] == {"type": "integer", "enum": [1, 2, 3, 4, 5]}


@pytest.mark.parametrize(
    ("budget", "room", "limit"),
    [(None, True, 500 + THINKING_ROOM), (None, False, 500), (0, True, 500), (1024, True, 1524)],
)
def test_thinking_gets_room_on_top_of_the_answer(budget: int | None, room: bool, limit: int) -> None:
    config = CONFIG.model_copy(update={"thinking_budget": budget})
    settings = request_body(CALL, config, Dialect(room=room), None)["generationConfig"]
    assert settings["maxOutputTokens"] == limit
    assert settings.get("thinkingConfig") == (None if budget is None else {"thinkingBudget": budget})


@pytest.mark.parametrize(("budget", "limit"), [(None, 500 + THINKING_ROOM), (512, 1012), (0, 500)])
def test_a_level_of_thinking_is_sent_alone_and_the_budget_is_its_room(budget: int | None, limit: int) -> None:
    config = CONFIG.model_copy(update={"thinking_level": "low", "thinking_budget": budget})
    settings = request_body(CALL, config, Dialect(), None)["generationConfig"]
    assert settings["thinkingConfig"] == {"thinkingLevel": "LOW"}
    assert settings["maxOutputTokens"] == limit


def read(body: str, call: Call = CALL) -> Reply:
    """The reply in a body that holds one."""
    answer = read_answer(call, body)
    assert isinstance(answer, Metered)
    return answer.reply


def a_body(reason: str = "STOP", *parts: dict[str, Any], **more: Any) -> str:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": reason}
    return orjson.dumps({"candidates": [candidate], **more}).decode()


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("STOP", Finish.STOP),
        ("MAX_TOKENS", Finish.LENGTH),
        ("A_REASON_OF_TOMORROW", Finish.INCOMPLETE),
        ("SAFETY", Finish.REFUSED),
        ("RECITATION", Finish.REFUSED),
        ("BLOCKLIST", Finish.REFUSED),
        ("PROHIBITED_CONTENT", Finish.REFUSED),
        ("SPII", Finish.REFUSED),
    ],
)
def test_the_finish_reason_says_how_an_answer_ended(reason: str, finish: Finish) -> None:
    assert read(a_body(reason, {"text": "so"})).finish is finish


def test_the_text_is_all_parts_but_thoughts() -> None:
    body = a_body("STOP", {"text": "a"}, {"text": "hm", "thought": True}, {"inlineData": {}}, {"text": "b"})
    assert read(body) == Reply("ab", Finish.STOP, "tiny")


def test_thinking_is_output_and_the_model_names_itself() -> None:
    usage = {
        "promptTokenCount": 1000, "candidatesTokenCount": 20, "thoughtsTokenCount": 300,
        "cachedContentTokenCount": 900,
    }  # fmt: skip
    body = a_body("STOP", {"text": "a"}, usageMetadata=usage, modelVersion="tiny-002")
    reply = read(body)
    assert (reply.input_tokens, reply.output_tokens, reply.cached_tokens) == (1000, 320, 900)
    assert reply.model == "tiny-002"


def test_a_block_tells_its_reason_its_words_and_the_categories() -> None:
    rating = {"category": "HARM_CATEGORY_HATE_SPEECH", "blocked": True}
    other = {"category": "HARM_CATEGORY_HARASSMENT", "blocked": False}
    answer = {"finishReason": "SAFETY", "finishMessage": "no", "safetyRatings": [rating, other]}
    reply = read(orjson.dumps({"candidates": [answer]}).decode())
    assert reply.text == "the answer was blocked: SAFETY; no; HARM_CATEGORY_HATE_SPEECH"
    prompt = {"promptFeedback": {"blockReason": "OTHER", "blockReasonMessage": "why"}}
    reply = read(orjson.dumps(prompt).decode())
    assert (reply.text, reply.finish) == ("the prompt was blocked: OTHER; why", Finish.REFUSED)


@pytest.mark.parametrize("body", ["", "null", "[]", "{}", '{"candidates": []}', '{"candidates": [', "<html>"])
def test_a_body_without_an_answer_is_broken(body: str) -> None:
    with pytest.raises(Broken):
        read_answer(CALL, body)


@given(JSON, st.sampled_from(["candidates", "promptFeedback", "usageMetadata", "modelVersion", "x"]))
def test_no_body_crashes_the_reading(value: Any, name: str) -> None:
    candidate = {"content": {"parts": value}, "finishReason": value, "safetyRatings": value}
    for body in (value, {name: value}, {"candidates": [candidate]}, {"candidates": [{"content": value}]}):
        try:
            answer = read_answer(CALL, json.dumps(body))
        except Broken:
            continue
        (answer.reply.text if isinstance(answer, Metered) else answer.message).encode()


@given(st.integers(400, 599), JSON)
def test_no_error_body_crashes_the_reading(status: int, value: Any) -> None:
    detail = {"@type": value, "violations": value, "retryDelay": value, "reason": value}
    details = [detail, {"@type": "x.QuotaFailure", "violations": value}]
    for body in (
        value,
        {"error": value},
        {"error": {"details": value}},
        {"error": {"details": details}},
    ):
        problem = read_problem(status, body)
        advice(problem, "tiny", "KEY")
        adapted(Dialect(), problem)
        problem.message.encode()


def test_an_error_is_read_with_its_details() -> None:
    details = [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "R"},
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "PerDay-Free"}]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.074824224s"},
    ]
    error = {"code": 429, "message": "slow\n down", "status": "RESOURCE_EXHAUSTED", "details": details}
    problem = read_problem(429, {"error": error})
    assert problem == Problem(429, "RESOURCE_EXHAUSTED", "R", "slow down", ("PerDay-Free",), 34.074824224)
    assert read_problem(502, {"error": "plain words"}).message == "plain words"


@pytest.mark.parametrize(
    ("quotas", "message", "out"),
    [
        (("GenerateRequestsPerMinutePerProjectPerModel-FreeTier",), "", False),
        (("GenerateContentInputTokensPerModelPerMinute",), "You exceeded your current quota", False),
        (("GenerateRequestsPerDayPerProjectPerModel",), "", True),
        ((), "* Quota exceeded for metric: m, limit: 0, model: x", True),
        ((), "* Quota exceeded for metric: m, limit: 10, model: x", False),
        ((), "Resource has been exhausted (e.g. check quota).", False),
        ((), "Your prepayment credits are depleted.", True),
    ],
)
def test_only_a_quota_that_minutes_do_not_renew_is_used_up(
    quotas: tuple[str, ...], message: str, out: bool
) -> None:
    problem = Problem(429, "RESOURCE_EXHAUSTED", "", message, quotas)
    assert is_out_of_quota(problem) is out
    assert bool(advice(problem, "tiny", "KEY")) is out
    assert not is_out_of_quota(replace(problem, status=503))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("JSON mode is not enabled for models/gemma", Dialect(schema=False)),
        (
            "Unknown name \"responseJsonSchema\" at 'generation_config': Cannot find field.",
            Dialect(schema=False),
        ),
        ("a mimeType parameter with value application/json, which is not supported", Dialect(schema=False)),
        ("maxOutputTokens: supported range is from 1 to 8193 (exclusive)", Dialect(room=False)),
        ("Unsupported MIME type: image/webp", None),
        ("Unable to process input image.", None),
    ],
)
def test_a_dialect_is_learnt_from_what_the_server_refuses(message: str, expected: Dialect | None) -> None:
    problem = Problem(400, "INVALID_ARGUMENT", "", message)
    assert adapted(Dialect(), problem) == expected
    assert adapted(Dialect(schema=False, room=False), problem) is None
    assert adapted(Dialect(), replace(problem, status=500)) is None


def test_of_two_keys_google_s_own_wins_and_a_configured_one_over_both() -> None:
    both = {"GOOGLE_API_KEY": "a", "GEMINI_API_KEY": "b", "MINE": "c"}
    own = CONFIG.model_copy(update={"api_key_env": "MINE"})
    assert key_of("m", CONFIG, both) == "a"
    assert key_of("m", CONFIG, {"GEMINI_API_KEY": "b", "GOOGLE_API_KEY": ""}) == "b"
    assert key_variable(CONFIG, {"GEMINI_API_KEY": "b"}) == "GEMINI_API_KEY"
    assert (key_of("m", own, both), key_variable(own, both)) == ("c", "MINE")


def test_a_missing_key_is_asked_for_by_name_except_for_a_server_of_one_s_own() -> None:
    with pytest.raises(ConfigError, match=r"models\.m: .* GOOGLE_API_KEY or GEMINI_API_KEY is not set"):
        key_of("m", CONFIG, {})
    with pytest.raises(ConfigError, match="MINE is not set"):
        key_of("m", CONFIG.model_copy(update={"api_key_env": "MINE"}), {"GOOGLE_API_KEY": "a"})
    assert key_of("m", CONFIG.model_copy(update={"base_url": "http://127.0.0.1:1"}), {}) == "none"


def test_log_probabilities_and_a_seed_are_asked_for_where_wanted_and_read() -> None:
    call = replace(CALL, logprobs=True, rng_seed=7)
    settings = request_body(call, CONFIG, Dialect(), None)["generationConfig"]
    assert (settings["seed"], settings["responseLogprobs"]) == (7, True)
    assert (
        "responseLogprobs"
        not in request_body(call, CONFIG, Dialect(logprobs=False), None)["generationConfig"]
    )
    tokens = [{"token": "4", "logProbability": -0.25}, {"token": None}, {"logProbability": -1}]
    candidate = {"finishReason": "STOP", "logprobsResult": {"chosenCandidates": tokens}}
    body = orjson.dumps({"candidates": [candidate]}).decode()
    assert read(body, call).logprobs == (("4", -0.25),)
    assert read(body).logprobs == ()
    refused = Problem(400, "INVALID_ARGUMENT", "", "Logprobs is not enabled for models/tiny")
    assert adapted(Dialect(), refused) == Dialect(logprobs=False)
    assert str(adapted(Dialect(room=False), refused)) == (
        "a JSON schema, no room for thinking, no log-probabilities"
    )
