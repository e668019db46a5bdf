"""What an answer took, in the spellings of many servers, and what it costs where nobody says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.calls.call import Call, Place, Reply
from dfj_bootstrap.calls.usage import Metered, Usage
from dfj_bootstrap.config.models import OpenAIModel
from dfj_bootstrap.config.paid import Prices
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.endpoints.usage import count, read_usage
from dfj_bootstrap.limits.needs import Estimator, Need
from tests.support.odd_replies import UNREADABLE, USAGES

PRICES = Prices(input=1.0, output=10.0, cached=0.5)
CALL = Call("generator", "m", "tiny", "digest", ("Write.",), None, {}, 0.0, 100, Place("s", 2))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@pytest.mark.parametrize("form", [form for form in USAGES if form not in (*UNREADABLE, "input")])
def test_the_usual_spellings_are_read(form: str) -> None:
    assert read_usage(USAGES[form](120, 30), "text") == Usage(120, 30)


@pytest.mark.parametrize("form", UNREADABLE)
def test_what_is_no_count_is_not_told(form: str) -> None:
    usage = read_usage(USAGES[form](120, 30), "text")
    assert usage == Usage()
    assert not usage.is_told


def test_one_half_may_be_told_without_the_other() -> None:
    assert read_usage({"usage": {"prompt_tokens": 7, "completion_tokens": None}}, "text") == Usage(7, None)
    assert read_usage({"usage": {"completion_tokens": 7}}, "text") == Usage(None, 7)
    assert read_usage({"usage": {"completion_tokens": 7, "total_tokens": 10}}, "text") == Usage(3, 7)
    assert read_usage({"usage": {"total_tokens": 10}}, "text") == Usage()


def test_an_answer_without_a_text_may_have_taken_no_tokens_out() -> None:
    blocked = {"usageMetadata": {"promptTokenCount": 40, "totalTokenCount": 40}}
    assert read_usage(blocked, "") == Usage(40, 0)
    assert read_usage(blocked, "text") == Usage(40, None)


@pytest.mark.parametrize(
    ("usage", "output"),
    [
        ({"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 100}, 105),
        ({"promptTokenCount": 10, "thoughtsTokenCount": 100, "totalTokenCount": 110}, 100),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115}, 105),
        ({"prompt_tokens": 10, "completion_tokens": 105, "total_tokens": 115,
          "completion_tokens_details": {"reasoning_tokens": 100}}, 105),
        ({"prompt_tokens": 10, "completion_tokens": 5,
          "completion_tokens_details": {"reasoning_tokens": 100}}, 105),
        ({"input_tokens": 10, "output_tokens": 105, "output_tokens_details": {"reasoning_tokens": 100}}, 105),
    ],
)  # fmt: skip
def test_thoughts_are_output_wherever_they_are_counted(usage: dict[str, Any], output: int) -> None:
    assert read_usage({"usage": usage}, "text") == Usage(10, output)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 90, "prompt_tokens_details": {"cached_tokens": 64}}, Usage(90, 5, 64)),
        ({"prompt_tokens": 90, "prompt_tokens_details": None}, Usage(90, 5, 0)),
        ({"prompt_tokens": 90, "prompt_cache_hit_tokens": 64}, Usage(90, 5, 64)),
        ({"prompt_tokens": 90, "cached_tokens": "64"}, Usage(90, 5, 64)),
        ({"input_tokens": 90, "input_tokens_details": {"cached_tokens": 64}}, Usage(90, 5, 64)),
        ({"prompt_token_count": 90, "cached_content_token_count": 64}, Usage(90, 5, 64)),
        ({"prompt_tokens": 90, "cache_read_input_tokens": 64}, Usage(90, 5, 64)),
        ({"input_tokens": 26, "cache_read_input_tokens": 54, "cache_creation_input_tokens": 10},
         Usage(90, 5, 54)),
    ],
)  # fmt: skip
def test_cached_input_is_a_part_of_the_input(usage: dict[str, Any], expected: Usage) -> None:
    assert read_usage({"usage": {**usage, "completion_tokens": 5}}, "text") == expected


@pytest.mark.parametrize(
    ("value", "number"),
    [(12, 12), (12.0, 12), (11.2, 12), ("12", 12), (" 12.0 ", 12), ("1,234", 1234), (0, 0),
     (True, None), (-1, None), (float("nan"), None), (float("inf"), None), ("1e999", None), (10**400, None),
     ("", None), ("twelve", None), (None, None), ([12], None), (10**9, None)],
)  # fmt: skip
def test_a_count_is_a_plausible_number(value: object, number: int | None) -> None:
    assert count(value) == number


@given(JSON, st.sampled_from(["usage", "usageMetadata", "prompt_tokens", "x_groq", "prompt_tokens_details"]))
def test_no_usage_crashes_the_reading(value: Any, name: str) -> None:
    for body in ({name: value}, {"usage": {name: value}}, {"usage": {"prompt_tokens": 5, name: value}}):
        usage = read_usage(body, "text")
        assert usage.input is None or usage.input > 0
        assert usage.output is None or usage.output > 0


def priced(usage: Usage) -> tuple[Reply, Need]:
    estimator = Estimator(OpenAIModel(backend="openai", model="tiny"), PRICES)
    need = estimator.need(CALL)
    return estimator.priced(need, Metered.of(Reply("text", Finish.STOP, "tiny"), usage)), need


def test_an_answer_costs_what_it_took() -> None:
    reply, _ = priced(Usage(1000, 20, 400))
    assert reply.cost_usd == pytest.approx((600 * 1.0 + 400 * 0.5 + 20 * 10.0) / 1e6)
    assert not reply.estimated


def test_what_is_not_told_costs_what_was_set_aside_for_it() -> None:
    nothing, need = priced(Usage())
    assert nothing.cost_usd == pytest.approx(need.usd)
    no_output, _ = priced(Usage(1000, None))
    assert no_output.cost_usd == pytest.approx(1000 / 1e6 + 100 * 10.0 / 1e6)
    no_input, _ = priced(Usage(None, 20))
    assert no_input.cost_usd == pytest.approx(need.input_usd + 20 * 10.0 / 1e6)
    assert all(reply.estimated for reply in (nothing, no_output, no_input))


def test_only_an_estimated_cost_is_told_in_the_journal() -> None:
    told, untold = priced(Usage(10, 10))[0].as_record(), priced(Usage())[0].as_record()
    assert untold.keys() - told.keys() == {"estimated"}
    assert "recorded" not in untold


def test_a_rate_is_settled_by_the_estimate_where_nothing_is_told() -> None:
    for usage in (Usage(), Usage(1, None)):
        reply, need = priced(usage)
        assert Estimator.used(need, reply) == need.tokens
    reply, need = priced(Usage(3, 4))
    assert Estimator.used(need, reply) == 7
