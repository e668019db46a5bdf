"""The estimate's arithmetic: figures stay in order, grow with the work, and leave out what is answered."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.domain.image_tokens import image_tokens
from dfj_bootstrap.domain.rationale import LEVELS, WRITTEN_LEVELS
from dfj_bootstrap.domain.seed import ImageRef
from dfj_bootstrap.estimate.course import (
    NOTHING,
    Answered,
    Course,
    Kind,
    Limits,
    Load,
    Measured,
    Range,
    assume,
    calls_left,
    chain_hours,
    hours,
    total,
)
from dfj_bootstrap.estimate.sizes import MeanTokens, Sizes
from tests.support.seeds import make_seed

ROLES = ("writer", "generator", "evaluator", "paraphraser")

amounts = st.floats(0, 1e6)
ranges = st.lists(amounts, min_size=3, max_size=3).map(lambda three: Range(*sorted(three)))
courses = st.builds(
    Course,
    max_rounds=st.integers(1, 8),
    paraphrases=st.integers(0, 8),
    max_tries=st.integers(1, 5),
    threshold=st.integers(0, 2),
)
shares = st.floats(0, 1)
measured = st.builds(
    Measured,
    seeds=st.integers(0, 50),
    rounds=st.dictionaries(st.sampled_from(WRITTEN_LEVELS), st.floats(1, 8)),
    accepted=st.dictionaries(st.sampled_from(WRITTEN_LEVELS), shares),
    tries=st.none() | st.floats(1, 5),
    gold_low=st.none() | shares,
    asks=st.dictionaries(st.sampled_from(ROLES), st.floats(1, 3)),
)
answers = st.builds(
    Answered,
    written=st.booleans(),
    ratings=st.integers(0, 30),
    rounds=st.dictionaries(st.sampled_from(WRITTEN_LEVELS), st.integers(1, 8)),
    paraphrases=st.dictionaries(st.sampled_from(LEVELS), st.integers(1, 8)),
)


def in_order(figure: Range) -> bool:
    return 0 <= figure.low <= figure.likely * (1 + 1e-9) <= figure.high * (1 + 1e-8) + 1e-9


def not_above(a: Range, b: Range) -> bool:
    pairs = ((a.low, b.low), (a.likely, b.likely), (a.high, b.high))
    return all(x <= y + 1e-9 * abs(y) + 1e-12 for x, y in pairs)


def all_calls(course: Course, seen: Measured | None = None, answered: Answered = NOTHING) -> Range:
    return total(calls_left(True, answered, assume(course, seen)).values())


@given(ranges, ranges, amounts, st.integers(0, 100))
def test_what_is_done_to_ranges_keeps_them_in_order(a: Range, b: Range, amount: float, seen: int) -> None:
    for figure in (a + b, a * b, a * amount, a.less(amount), a.at_least(amount), a.narrowed(seen)):
        assert in_order(figure)


@given(courses, measured, answers, st.booleans())
def test_low_is_never_above_likely_nor_likely_above_high(
    course: Course, seen: Measured, answered: Answered, has_gold: bool
) -> None:
    for calls in calls_left(has_gold, answered, assume(course, seen)).values():
        assert in_order(calls)


@given(courses, measured)
def test_more_rounds_paraphrases_or_tries_are_never_fewer_calls(course: Course, seen: Measured) -> None:
    before = all_calls(course, seen)
    more = (
        Course(course.max_rounds + 1, course.paraphrases, course.max_tries, course.threshold),
        Course(course.max_rounds, course.paraphrases + 1, course.max_tries, course.threshold),
        Course(course.max_rounds, course.paraphrases, course.max_tries + 1, course.threshold),
    )
    for course_ in more:
        assert not_above(before, all_calls(course_, seen))


@given(courses, answers)
def test_what_is_answered_is_never_counted_as_more_than_an_untouched_seed(
    course: Course, answered: Answered
) -> None:
    assert all_calls(course, None, Answered(ratings=answered.ratings)).high <= all_calls(course).high
    done = Answered(True, 99, dict.fromkeys(WRITTEN_LEVELS, 1), dict.fromkeys(LEVELS, course.paraphrases))
    if course.paraphrases:
        assert all_calls(course, None, done).high == 0


def test_a_course_of_one_round_and_one_try_is_known_exactly_but_for_what_is_asked_again() -> None:
    calls = calls_left(True, NOTHING, assume(Course(1, 2, 1)))
    assert calls[Kind.GENERATE].low == 4
    assert calls[Kind.REVISE] == Range()
    assert calls[Kind.RATE].low == 5
    assert calls[Kind.WRITE] == Range()
    assert calls[Kind.REWORD].high == pytest.approx(10 * 1.1)
    assert calls_left(False, NOTHING, assume(Course(1, 2, 1)))[Kind.WRITE].low == 1


@given(courses, measured, st.integers(1, 400))
def test_the_more_was_seen_the_narrower_the_range(course: Course, seen: Measured, more: int) -> None:
    sure = Measured(seen.seeds + more, seen.rounds, seen.accepted, seen.tries, seen.gold_low, seen.asks)
    for level in WRITTEN_LEVELS:
        wide, narrow = assume(course, seen).rounds[level], assume(course, sure).rounds[level]
        assert narrow.high - narrow.low <= wide.high - wide.low + 1e-9
        assert narrow.likely == wide.likely


@given(ranges, ranges, ranges, st.integers(1, 500), st.integers(1, 9000))
def test_tighter_limits_never_take_less_time(
    calls: Range, tokens: Range, answer: Range, in_flight: int, per_minute: int
) -> None:
    load = Load(calls, tokens, answer)
    free = hours(load, Limits(in_flight + 1))
    assert in_order(free)
    assert not_above(free, hours(load, Limits(in_flight)))
    assert not_above(free, hours(load, Limits(in_flight + 1, requests_per_minute=per_minute)))
    assert not_above(free, hours(load, Limits(in_flight + 1, tokens_per_minute=per_minute)))
    assert in_order(chain_hours(assume(Course(4, 5, 3)), 200))


def test_a_requests_limit_is_what_the_hours_come_from_where_it_is_the_tightest() -> None:
    load = Load(Range.exactly(6000), Range(), Range())
    assert hours(load, Limits(64, requests_per_minute=100)) == Range.exactly(1.0)


@pytest.mark.parametrize(
    ("model", "width", "height", "tokens"),
    [
        ("Qwen/Qwen2.5-VL-7B-Instruct", 1024, 768, 37 * 28),
        ("anything", 28, 28, 4),
        ("anything", 10_000, 10_000, 35 * 35),
        ("gpt-4o", 896, 896, 85 + 4 * 170),
        ("gpt-4o-mini-2024-07-18", 512, 512, 2833 + 5667),
        ("openai/gpt-4o", 512, 512, 85 + 170),
        ("gpt-4.1-mini", 320, 320, 162),
        ("gemini-2.5-flash", 300, 300, 258),
        ("gemini-2.5-flash", 900, 900, 4 * 258),
        ("gemini-3.8-flash", 300, 300, 1120),
        ("gemini-3.5-flash-lite", 900, 900, 1120),
        ("gpt-6-luna", 256, 256, 77),
        ("gpt-6.1-terra", 768, 768, 692),
        ("Qwen/Qwen3-VL-8B-Instruct", 1024, 768, 32 * 24),
        ("claude-sonnet-4-5", 750, 750, 750),
    ],
)
def test_pictures_count_as_their_family_of_models_counts_them(
    model: str, width: int, height: int, tokens: int
) -> None:
    assert image_tokens(model, width, height) == tokens


@given(
    st.sampled_from(["gpt-4o", "gpt-6", "gemini-2", "gemini-3", "qwen3-vl", "x", "claude-3", "o4-mini"]),
    st.integers(8, 20_000),
    st.integers(8, 20_000),
)
def test_every_picture_costs_something_and_never_more_than_a_few_thousand_tokens(
    model: str, width: int, height: int
) -> None:
    assert 1 <= image_tokens(model, width, height) < 10_000


def sizes(measured_tokens: dict[str, MeanTokens] | None = None, **model: object) -> Sizes:
    tree = {"double": {"backend": "openai", "model": "double", **model}}
    roles = {role: {"model": "double"} for role in ROLES}
    config = Config.model_validate({"seeds": Path("seeds.jsonl"), "models": tree, **roles})
    return Sizes(config, measured_tokens or {})


def test_a_call_is_as_long_as_its_prompt_with_the_seed_filled_in() -> None:
    short, long = make_seed(gold="One claim."), make_seed(gold="One claim. " * 400)
    few, many = sizes().of(short), sizes().of(long)
    for kind in (Kind.GENERATE, Kind.RATE):
        assert many[kind].input.likely - few[kind].input.likely >= 1000
    assert few[Kind.REVISE].input.likely > few[Kind.GENERATE].input.likely
    assert few[Kind.REWORD_AGAIN].input.likely > few[Kind.REWORD].input.likely
    assert all(in_order(size.input) and in_order(size.output) for size in many.values())


def test_pictures_are_counted_only_where_they_are_sent() -> None:
    picture = ImageRef("/x.png", "x.png", "0" * 32, 896, 896, ".png", True)
    seed = make_seed(image=picture)
    seeing, blind = sizes().of(seed), sizes(send_images=False).of(seed)
    assert seeing[Kind.GENERATE].input.likely - blind[Kind.GENERATE].input.likely == 32 * 32
    assert seeing[Kind.REWORD] == blind[Kind.REWORD]


def test_what_a_preview_took_wins_over_counting_characters() -> None:
    seen = {"generator": MeanTokens(input=5000, output=77, cached_share=0.5, seeds=8)}
    found = sizes(seen).of(make_seed())
    assert found[Kind.GENERATE].input.likely == found[Kind.REVISE].input.likely == 5000
    assert found[Kind.GENERATE].output.likely == 77
    assert found[Kind.RATE].input.likely < 5000


def test_roles_that_the_rules_play_have_no_calls() -> None:
    assert Sizes(Config(seeds=Path("seeds.jsonl")), {}).of(make_seed()) == {}
