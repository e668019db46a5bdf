from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.domain.seed import Split
from dfj_bootstrap.policy.splitting import split_of

groups = st.text(max_size=20)
fractions = st.floats(0, 1)
rng_seeds = st.integers(0, 10_000)


@given(group=groups, split=st.sampled_from(Split), fraction=fractions, rng_seed=rng_seeds)
def test_an_explicit_split_wins(group: str, split: Split, fraction: float, rng_seed: int) -> None:
    assert split_of(group, split, test_fraction=fraction, rng_seed=rng_seed) is split


@given(group=groups, rng_seed=rng_seeds)
def test_nothing_is_tested_at_fraction_zero_and_everything_at_one(group: str, rng_seed: int) -> None:
    assert split_of(group, None, test_fraction=0, rng_seed=rng_seed) is Split.TRAIN
    assert split_of(group, None, test_fraction=1, rng_seed=rng_seed) is Split.TEST


@given(group=groups, low=fractions, high=fractions, rng_seed=rng_seeds)
def test_a_larger_test_fraction_only_adds_groups_to_test(
    group: str, low: float, high: float, rng_seed: int
) -> None:
    low, high = sorted((low, high))
    if split_of(group, None, test_fraction=low, rng_seed=rng_seed) is Split.TEST:
        assert split_of(group, None, test_fraction=high, rng_seed=rng_seed) is Split.TEST


def test_the_share_of_groups_in_test_is_near_the_fraction() -> None:
    drawn = [split_of(f"g{i}", None, test_fraction=0.2, rng_seed=17) for i in range(5_000)]
    assert 0.18 < drawn.count(Split.TEST) / len(drawn) < 0.22


def test_another_rng_seed_draws_another_split() -> None:
    first, second = (
        [split_of(f"g{i}", None, test_fraction=0.5, rng_seed=rng_seed) for i in range(64)]
        for rng_seed in (1, 2)
    )
    assert first != second
