"""How answers end, errors that come as a 200, and refusals of filters, in the spellings of many servers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.calls.call import Call, Place, Reply
from dfj_bootstrap.calls.usage import Metered
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.endpoints.embedded import status_of
from dfj_bootstrap.endpoints.finishes import finish_of, is_policy_refusal
from dfj_bootstrap.endpoints.gemini import wire as gemini_wire
from dfj_bootstrap.endpoints.openai import wire as openai_wire
from dfj_bootstrap.endpoints.openai.wire import Problem, is_out_of_quota, read_problem
from dfj_bootstrap.limits.broken import Broken, Throttled, raise_if_passing

CALL = Call("generator", "m", "tiny", "digest", ("Write.",), None, {}, 0.0, 100, Place("s", 2))
USAGE = {"prompt_tokens": 30, "completion_tokens": 0}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def chat(body: Any) -> Reply | Problem:
    answer = openai_wire.read_answer(CALL, json.dumps(body).encode())
    return answer.reply if isinstance(answer, Metered) else answer


def gemini(body: Any) -> Reply | gemini_wire.Problem:
    answer = gemini_wire.read_answer(CALL, json.dumps(body))
    return answer.reply if isinstance(answer, Metered) else answer


@pytest.mark.parametrize(
    ("finish", "reasons"),
    [
        (Finish.STOP, ["stop", "STOP", "end_turn", "eos", "eos_token", "stop_sequence", "COMPLETE"]),
        (Finish.LENGTH, ["length", "max_tokens", "MAX_TOKENS", "model_length", "max_output_tokens"]),
        (Finish.REFUSED, [
            "content_filter", "CONTENT_FILTER", "content-filter", "safety", "SAFETY", "refusal", "sensitive",
            "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "RECITATION", "IMAGE_SAFETY", "FinishReason.SAFETY",
            "FINISH_REASON_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "guardrail_intervened",
            "MODEL_ARMOR", "ESCALATION", "content_filtered", "ERROR_TOXIC", "data_inspection_failed",
        ]),
        (Finish.INCOMPLETE, [
            "tool_calls", "function_call", "error", "abort", "OTHER", "MALFORMED_FUNCTION_CALL", "LANGUAGE",
            "FINISH_REASON_UNSPECIFIED", "insufficient_system_resource", "cancelled", "a_word_of_tomorrow", 3,
            True, ["stop"], {"stop": 1},
        ]),
        (Finish.UNTOLD, [None, "", "  "]),
    ],
)  # fmt: skip
def test_only_what_is_known_to_be_complete_is(finish: Finish, reasons: list[object]) -> None:
    assert {finish_of(reason, "The hand has six fingers.") for reason in reasons} == {finish}


def test_a_model_may_refuse_in_words_whatever_the_server_says_of_the_end() -> None:
    for reason in ("stop", None, "end_turn"):
        assert finish_of(reason, "I'm sorry, but I can't help with that.") is Finish.REFUSED


FILTERED = {
    "content_filter_results": {"hate": {"filtered": True, "severity": "high"}, "sexual": {"filtered": False}}
}


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [{"finish_reason": "content_filter", "message": {"content": ""}}], "usage": USAGE},
        {"choices": [{"finish_reason": "SAFETY", "message": None}]},
        {"choices": [{"finish_reason": "PROHIBITED_CONTENT"}]},
        {"choices": [{"finish_reason": "stop", "native_finish_reason": "SAFETY", "message": {}}]},
        {"choices": [{"finish_reason": None, "message": {"content": None}, **FILTERED}]},
        {"choices": [], "prompt_filter_results": [{"prompt_index": 0, **FILTERED}], "usage": USAGE},
        {"choices": None, "prompt_filter_results": [{"prompt_index": 0, **FILTERED}]},
        {"choices": None, "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}},
        {"prompt_feedback": {"block_reason": "SAFETY"}, "usage": USAGE},
        {"choices": [{"finish_reason": "stop", "message": {"content": None, "refusal": "No."}}]},
        {"choices": [{"finish_reason": "stop", "message": {"content": [{"refusal": "No."}]}}]},
    ],
)  # fmt: skip
def test_an_answer_that_a_filter_stopped_is_a_refusal_that_says_why(body: Any) -> None:
    reply = chat(body)
    assert isinstance(reply, Reply)
    assert reply.finish is Finish.REFUSED
    assert reply.text


@pytest.mark.parametrize(
    "body",
    [
        {"candidates": [{"finishReason": reason}]}
        for reason in ("SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "RECITATION", "IMAGE_SAFETY")
    ]
    + [
        {"promptFeedback": {"blockReason": "OTHER"}},
        {"candidates": [], "promptFeedback": {"blockReason": "SAFETY"}},
        {"candidates": None, "promptFeedback": {"blockReason": "BLOCKLIST"}},
        {"candidates": [{"finishReason": "STOP"}], "promptFeedback": {"blockReason": "SAFETY"}},
    ],
)
def test_so_is_one_of_gemini(body: Any) -> None:
    reply = gemini(body)
    assert isinstance(reply, Reply)
    assert reply.finish is Finish.REFUSED
    assert "blocked" in reply.text


@pytest.mark.parametrize("choices", [None, [], [None], [{}], [{"message": None}], {}, "none"])
def test_an_answer_without_choices_is_paid_for_where_it_tells_its_usage(choices: Any) -> None:
    reply = chat({"choices": choices, "usage": USAGE})
    assert isinstance(reply, Reply)
    assert (reply.finish, reply.text, reply.input_tokens) == (Finish.INCOMPLETE, "", 30)
    for usage in ({}, {"usage": None}, {"usage": {"prompt_tokens": 0, "completion_tokens": 0}}):
        with pytest.raises(Broken) as broken:
            chat({"choices": choices, **usage})
        assert broken.value.maybe_paid


def test_so_is_one_without_candidates() -> None:
    reply = gemini({"usageMetadata": {"promptTokenCount": 30, "totalTokenCount": 30}})
    assert isinstance(reply, Reply)
    assert (reply.finish, reply.input_tokens, reply.output_tokens) == (Finish.INCOMPLETE, 30, 0)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"error": {"code": 402, "message": "Insufficient credits"}}, 402),
        ({"error": {"code": "429", "message": "slow down"}}, 429),
        ({"error": {"code": 503.0, "message": "gone"}}, 503),
        ({"error": {"code": "invalid_api_key", "type": "invalid_request_error", "message": "no"}}, 401),
        ({"error": {"type": "authentication_error", "message": "no"}}, 401),
        ({"error": {"code": "insufficient_quota", "message": "no"}}, 402),
        ({"error": {"code": "rate_limit_exceeded", "message": "no"}}, 429),
        ({"error": {"status": "RESOURCE_EXHAUSTED", "message": "no"}}, 429),
        ({"error": {"code": "model_not_found", "message": "no"}}, 404),
        ({"error": {"type": "overloaded_error", "message": "no"}}, 503),
        ({"error": {"type": "server_error", "message": "no"}}, 503),
        ({"error": {"type": "invalid_request_error", "message": "no"}}, 400),
        ({"error": "Rate limit exceeded"}, 429),
        ({"error": "something odd"}, 500),
        ({"error": True, "message": "rate limit"}, 429),
        ({"error": {"error": {"code": 429, "message": "nested"}}}, 429),
        ({"message": "Unauthorized"}, 401),
        ({"error": {"code": "1301", "message": "可能包含不安全或敏感内容"}}, 400),
        ({"errors": [{"message": "Unauthorized"}]}, 401),
        ({"code": 401, "message": "key expired"}, 401),
        ({"code": "TooManyRequests".lower(), "message": "too many requests"}, 429),
        ({"object": "error", "message": "bad", "code": 400}, 400),
        ({"detail": "Not Found"}, 404),
        ({"detail": [{"msg": "field required"}]}, 500),
        ({"status": 500, "title": "Internal Server Error"}, 500),
        ({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}, "choices": None}, 402),
        ({"error": {"message": "no", "code": None}, "choices": [], "usage": {"prompt_tokens": 3}}, 500),
        ({"choices": [{"error": {"code": 502, "message": "upstream"}, "finish_reason": "error",
                       "message": {"content": "The ha"}}], "usage": {"prompt_tokens": 3}}, 502),
    ],
)  # fmt: skip
def test_an_error_that_comes_as_a_200_has_the_status_that_it_stands_for(error: Any, status: int) -> None:
    problem = chat(error)
    assert isinstance(problem, Problem)
    assert problem.status == status
    assert problem.message


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "slow down"}}, 429),
        ({"error": {"code": 401, "message": "no"}}, 401),
        ({"error": {"status": "UNAUTHENTICATED", "message": "no"}}, 401),
        ({"error": {"status": "UNAVAILABLE", "message": "overloaded"}, "candidates": []}, 503),
        ({"code": 402, "message": "pay"}, 402),
        ({"detail": "Not found"}, 404),
    ],
)
def test_so_has_one_of_gemini(error: Any, status: int) -> None:
    problem = gemini(error)
    assert isinstance(problem, gemini_wire.Problem)
    assert problem.status == status
    assert problem.message


@pytest.mark.parametrize(
    "more",
    [{"error": None}, {"error": ""}, {"code": 0, "message": "ok"}, {"status": "success"}, {"detail": "x"},
     {"error": {"message": "a note"}}, {"errors": []}],
)  # fmt: skip
def test_a_good_answer_is_one_whatever_else_stands_beside_it(more: dict[str, Any]) -> None:
    choice = {"message": {"content": "A seam."}, "finish_reason": "stop"}
    reply = chat({"choices": [choice], **more})
    assert isinstance(reply, Reply)
    assert (reply.text, reply.finish) == ("A seam.", Finish.STOP)


@pytest.mark.parametrize(
    "body", ["", "null", "[]", "{}", "3", '"words"', '{"choices": [', "<html>", "[" * 100_000]
)
def test_a_body_that_is_no_completion_is_broken(body: str) -> None:
    with pytest.raises(Broken):
        openai_wire.read_answer(CALL, body.encode())


@given(
    JSON,
    st.sampled_from(["choices", "error", "usage", "detail", "prompt_filter_results", "base_resp", "code"]),
)
def test_no_body_crashes_the_reading(value: Any, name: str) -> None:
    choice = {"message": value, "finish_reason": value, "error": value, "content_filter_results": value}
    message = {"message": {"content": value, "refusal": value}, "finish_reason": "stop"}
    for body in (value, {name: value}, {"choices": [choice]}, {"choices": [message], name: value}):
        try:
            said = chat(body)
        except Broken:
            continue
        (said.text if isinstance(said, Reply) else said.message).encode()


@pytest.mark.parametrize("odd", ["²", "\\ud800", 10**30, -(10**40), 1e300, [[]], {"x": 10**30}])
@pytest.mark.parametrize("name", ["code", "message", "status", "metadata", "x"])
def test_no_odd_value_in_an_error_crashes_the_reading(name: str, odd: object) -> None:
    for body in ({"error": {name: odd}}, {"error": {"message": "no", name: odd}}, {name: odd}):
        raw = json.dumps(body).replace("\\\\u", "\\u")
        problem = read_problem(400, raw.encode())
        problem.message.encode()
        try:
            openai_wire.read_answer(CALL, raw.encode())
            gemini_wire.read_answer(CALL, raw)
        except Broken:
            continue


@given(JSON)
def test_every_error_stands_for_a_status_of_an_error(error: Any) -> None:
    assert 400 <= status_of(error) <= 599


@pytest.mark.parametrize("status", [408, 409, 424, 425, 499, 500, 502, 503, 504, *range(520, 530)])
def test_what_passes_is_sent_again(status: int) -> None:
    with pytest.raises(Broken) as broken:
        raise_if_passing(status, "later", None)
    assert broken.value.maybe_paid is (status in (408, 499, 502, 504, *range(520, 529)))
    with pytest.raises(Broken) as begun:
        raise_if_passing(status, "later", None, begun=True)
    assert begun.value.maybe_paid


def test_a_429_was_not_paid() -> None:
    with pytest.raises(Throttled) as throttled:
        raise_if_passing(429, "later", 3.0)
    assert not throttled.value.maybe_paid
    for status in (400, 401, 402, 403, 404, 413, 422, 451):
        raise_if_passing(status, "no", None)


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, "content_filter", ""),
        (400, "data_inspection_failed", "Output data may contain inappropriate content."),
        (403, "", "Your chosen model requires moderation and your input was flagged"),
        (422, "content_policy_violation", ""),
        (451, "", "This is against our usage policies."),
        (400, "1301", "The prompt holds sensitive content"),
    ],
)
def test_a_filter_may_refuse_with_an_error(status: int, code: str, message: str) -> None:
    assert is_policy_refusal(status, code, message)
    assert not is_policy_refusal(500, code, message)


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, "invalid_image", "image too odd"),
        (403, "", "no access to this model"),
        (403, "account_blocked", ""),
    ],
)
def test_not_every_error_is_one_of_a_filter(status: int, code: str, message: str) -> None:
    assert not is_policy_refusal(status, code, message)


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"code": "insufficient_quota", "message": "x"}}',
        b'{"error": {"message": "Insufficient Balance"}}',
        b'{"error": {"message": "Your credit balance is too low"}}',
        b'{"error": {"code": "billing_hard_limit_reached", "message": "x"}}',
    ],
)
def test_nothing_left_to_spend_is_known_by_many_words(body: bytes) -> None:
    assert is_out_of_quota(read_problem(400, body))


def test_a_page_is_told_by_its_words() -> None:
    page = b"<!DOCTYPE html>\n<html><title>403 &amp; out</title><style>p{}</style><body><p>Blocked.</p>"
    assert read_problem(403, page) == Problem(403, "", "", "403 & out Blocked.", page=True)
    found = gemini_wire.read_problem(403, {"message": page.decode(), "status": "Forbidden"})
    assert (found.message, found.page) == ("403 & out Blocked.", True)


def test_a_gateway_that_repeats_its_providers_words_is_quoted_with_them() -> None:
    error = {"code": 502, "message": "Provider returned error", "metadata": {"raw": "upstream is on fire"}}
    problem = chat({"error": error})
    assert isinstance(problem, Problem)
    assert problem.message == "Provider returned error: upstream is on fire"
