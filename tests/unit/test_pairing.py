from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import combinations
from math import floor

from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.domain.rationale import LEVELS
from dfj_bootstrap.domain.record import Pair
from dfj_bootstrap.policy.pairing import PairCounts, all_pairs, choose_pairs

shapes = st.dictionaries(st.sampled_from(LEVELS), st.integers(1, 6), max_size=5)
corpora = st.lists(shapes, max_size=12)
fractions = st.floats(0, 1)
FULL = dict.fromkeys(LEVELS, 5)


def choose(corpus: list[dict[int, int]], fraction: float, rng_seed: int = 17) -> list[tuple[Pair, ...]]:
    books, chosen = PairCounts(), []
    for i, shape in enumerate(corpus):
        pairs, books = choose_pairs(f"s{i}", shape, books, fraction=fraction, rng_seed=rng_seed)
        chosen.append(pairs)
        assert books.kept == sum(map(len, chosen))
    return chosen


def unsided(pair: Pair) -> tuple[int, int, int]:
    low, high = sorted((pair.level_a, pair.level_b))
    return low, high, pair.variant


@given(shape=shapes)
def test_a_pair_is_two_levels_at_a_variant_that_both_have(shape: dict[int, int]) -> None:
    expected = {
        (low, high, position)
        for low, high in combinations(sorted(shape), 2)
        for position in range(6)
        if position < shape[low] and position < shape[high]
    }
    pairs = [unsided(pair) for pair in all_pairs(shape)]
    assert set(pairs) == expected
    assert len(pairs) == len(expected)


@given(corpus=corpora, fraction=fractions)
def test_the_sample_is_exact_after_every_seed_and_has_no_pair_twice(
    corpus: list[dict[int, int]], fraction: float
) -> None:
    total = kept = 0
    for shape, pairs in zip(corpus, choose(corpus, fraction), strict=True):
        total += len(all_pairs(shape))
        kept += len(pairs)
        assert kept == floor(Fraction(repr(fraction)) * total + Fraction(1, 2))
        drawn = {unsided(pair) for pair in pairs}
        assert len(drawn) == len(pairs)
        assert drawn <= {unsided(pair) for pair in all_pairs(shape)}


@given(corpus=corpora, fraction=fractions, rng_seed=st.integers(0, 99))
def test_sides_are_balanced_to_within_one_after_every_seed(
    corpus: list[dict[int, int]], fraction: float, rng_seed: int
) -> None:
    sides: Counter[str] = Counter()
    for pairs in choose(corpus, fraction, rng_seed):
        sides.update(pair.preferred for pair in pairs)
        assert abs(sides["A"] - sides["B"]) <= 1


@given(corpus=corpora)
def test_every_pair_is_kept_at_fraction_one_and_none_at_zero(corpus: list[dict[int, int]]) -> None:
    for shape, pairs in zip(corpus, choose(corpus, 1.0), strict=True):
        assert {unsided(pair) for pair in pairs} == {unsided(pair) for pair in all_pairs(shape)}
    assert not any(choose(corpus, 0.0))


def test_the_published_numbers_come_out() -> None:
    assert sum(map(len, choose([FULL] * 825, 0.5))) == 20_625
    assert sum(map(len, choose([dict.fromkeys(LEVELS, 1)] * 200, 1.0))) == 2_000


def test_the_preferred_side_tells_nothing_of_levels_or_variant() -> None:
    groups: dict[object, Counter[str]] = {}
    for pairs in choose([FULL] * 600, 0.5):
        for pair in pairs:
            low, high, variant = unsided(pair)
            for key in ((low, high), ("variant", variant)):
                groups.setdefault(key, Counter())[pair.preferred] += 1
    assert len(groups) == 15
    for sides in groups.values():
        assert 0.45 < sides["A"] / sides.total() < 0.55


def test_the_sample_takes_every_kind_of_pair() -> None:
    kinds = Counter(unsided(pair)[:2] for pairs in choose([FULL] * 600, 0.5) for pair in pairs)
    assert len(kinds) == 10
    assert all(1_300 < count < 1_700 for count in kinds.values())
