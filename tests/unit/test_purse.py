"""What is really spent never passes the cap, whatever became of the attempts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.limits.purse import Purse

SHARE = st.floats(0, 1)


@given(
    st.floats(0.1, 10),
    st.lists(st.tuples(st.floats(0.001, 1), SHARE, st.sampled_from(["answered", "lost", "refused"]))),
)
def test_attempts_that_may_have_been_paid_count_at_their_worst(
    cap: float, attempts: list[tuple[float, float, str]]
) -> None:
    purse = Purse()
    purse.allow(cap)
    really = 0.0
    for worst, share, end in attempts:
        if not purse.take("m", worst):
            continue
        really += 0.0 if end == "refused" else share * worst
        purse.settle(worst, {"answered": share * worst, "lost": worst, "refused": 0.0}[end])
    spent = purse.report().spent
    assert really <= spent + 1e-6
    assert spent <= cap + 1e-6
    assert purse.report().reserved == pytest.approx(0, abs=1e-6)
