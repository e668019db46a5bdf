"""When so many of a role's replies are unusable that a run stops before it pays for more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.errors import RunError
from dfj_bootstrap.roles.usability import WINDOW, Heard, Usability


def told(watch: Usability, problems: list[str], role: str = "generator", seeds: int = 10) -> int | None:
    """How many replies were heard before the run stopped, ``None`` where it didn't."""
    for number, problem in enumerate(problems):
        try:
            watch.heard(role, "fast", Heard(f"s{number % seeds}", problem), "Four,\n I would say.")
        except RunError:
            return number + 1
    return None


def test_a_role_that_says_nothing_usable_stops_the_run_early_and_says_what_it_is_like() -> None:
    watch = Usability(0.8)
    with pytest.raises(RunError) as raised:
        for number in range(WINDOW):
            problem = "refused" if number % 3 else "unparsable"
            watch.heard("evaluator", "critic", Heard(f"s{number}", problem), "Four,\n I would say. " * 40)
    words = str(raised.value)
    assert words.startswith("evaluator: 20 of its last 20 replies can't be used (13 refused, 7 unparsable)")
    assert 'models.critic, says "Four, I would say. Four' in words
    assert "…" in words
    assert "max_unusable_share" in words
    assert len(words) < 500


def test_a_share_is_looked_at_over_the_last_replies_only() -> None:
    good, bad = [""] * 500, ["unparsable"] * WINDOW
    assert told(Usability(0.8), good + bad) == 500 + 41
    assert told(Usability(0.8), ["", *bad]) == WINDOW
    assert told(Usability(0.4), [*(["", "cut_off"] * 100)]) == WINDOW
    assert told(Usability(0.5), [*(["", "cut_off"] * 100)]) is None


@pytest.mark.parametrize("most", [None, 1.0])
def test_it_can_be_turned_off(most: float | None) -> None:
    assert told(Usability(most), ["unparsable"] * 500) is None


def test_roles_do_not_count_for_each_other() -> None:
    watch = Usability(0.8)
    assert told(watch, ["unparsable"] * 19, "generator") is None
    assert told(watch, [""] * 100, "evaluator") is None
    assert told(watch, ["unparsable"] * 19, "evaluator") is None
    assert told(watch, ["unparsable"], "generator") == 1


def test_one_or_two_seeds_do_not_speak_for_a_role() -> None:
    assert told(Usability(0.8), ["refused"] * 500, seeds=2) is None
    assert told(Usability(0.8), ["refused"] * 500, seeds=3) == 20


@given(st.lists(st.sampled_from(["", "", "unparsable", "refused"]), max_size=300), st.floats(0.1, 1.0))
def test_it_never_stops_where_fewer_are_unusable_than_allowed(problems: list[str], most: float) -> None:
    stopped = told(Usability(most), problems)
    if stopped is not None:
        last = problems[max(0, stopped - WINDOW) : stopped]
        assert sum(map(bool, last)) > most * len(last)
