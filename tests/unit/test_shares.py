"""Shares of rates, slots and dollars: never more than there is, and something for who wants it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.limits.shares import split_dollars, split_rate, split_slots

amounts = st.floats(0, 1e6)


@given(st.floats(0, 1e6), st.lists(amounts, min_size=1, max_size=30))
def test_shares_of_a_rate_add_up_to_it_and_small_wants_are_met(whole: float, wanted: list[float]) -> None:
    shares = split_rate(whole, wanted)
    assert sum(shares) == pytest.approx(whole)
    fair = whole / len(wanted)
    for share, want in zip(shares, wanted, strict=True):
        assert share >= min(want, fair) - 1e-6 * (1 + whole)


@given(st.integers(0, 500), st.lists(st.integers(0, 1000), min_size=1, max_size=30))
def test_slots_add_up_and_nobody_who_wants_one_goes_without_while_there_is_one_each(
    whole: int, wanted: list[int]
) -> None:
    shares = split_slots(whole, wanted)
    assert sum(shares) == whole
    assert min(shares) >= 0
    if whole >= len(wanted):
        assert all(share >= 1 for share, want in zip(shares, wanted, strict=True) if want)


@given(st.floats(0, 100), st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50)), min_size=1, max_size=20))
def test_dollars_never_add_up_to_more_and_go_first_where_they_buy_a_call(
    whole: float, workers: list[tuple[float, float]]
) -> None:
    next_call = [call for call, _ in workers]
    wanted = [call + more for call, more in workers]
    shares = split_dollars(whole, next_call, wanted)
    assert sum(shares) <= whole + 1e-6
    if next_call[0] <= whole:
        assert shares[0] >= next_call[0] - 1e-9
