"""Rates, kept by buckets, and waits that grow."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.limits.backoff import growing
from dfj_bootstrap.limits.rates import BURST_S, Bucket


@given(
    st.floats(0.01, 1000),
    st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 5)), max_size=60),
)
def test_a_bucket_lets_through_no_more_than_its_rate_and_one_burst(
    rate: float, calls: list[tuple[float, float]]
) -> None:
    bucket, now, taken = Bucket(rate, 0.0, 0.0), 0.0, 0.0
    for pause, amount in calls:
        now += pause
        wait = bucket.wait_s(now, amount)
        assert wait is not None
        now += wait
        bucket = bucket.taken(now, amount)
        assert taken <= rate * now + bucket.burst + 1e-6 * (1 + rate * now)  # before this one
        taken += amount


def test_a_bucket_is_smooth_from_the_start() -> None:
    bucket, now, times = Bucket(20.0, 1.0, 0.0), 0.0, []
    while now < 20:
        wait = bucket.wait_s(now, 1.0)
        assert wait is not None
        now += wait
        bucket = bucket.taken(now, 1.0)
        times.append(now)
    busiest = max(sum(start <= t < start + 10 for t in times) for start in times)
    assert busiest <= 1.1 * 200
    assert len(times) >= 0.95 * 400


def test_what_was_saved_up_is_bounded_and_what_is_given_back_counts() -> None:
    assert Bucket(20.0, 0.0, 0.0).filled(100.0).level == 20 * BURST_S
    after = Bucket(20.0, 5.0, 0.0).taken(0.0, 5.0).taken(0.0, -3.0)
    assert after.level == 3.0
    assert Bucket(0.0, 0.0, 0.0).wait_s(5.0, 1.0) is None


@given(st.floats(0.01, 10), st.floats(10, 100))
def test_waits_double_from_the_first_and_never_pass_the_longest(first_s: float, longest_s: float) -> None:
    waits = [growing(first_s, time, longest_s) for time in range(1, 2000)]
    assert waits[0] == first_s
    assert max(waits) <= longest_s
    assert all(later == min(2 * wait, longest_s) for wait, later in pairwise(waits[:12]))
