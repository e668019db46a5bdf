"""Which two levels are compared, in which order they are shown, and how many of all pairs are kept.

Invariants, whatever the shapes of the ladders:

- A pair is made of two levels at the same variant position; all pairs of a ladder are candidates.
- After every seed, the pairs kept are ``pair_fraction`` of the pairs so far, rounded half up: the sample
  is exact, and spread evenly over the seeds.
- After every seed, and so at the end, A and B are preferred equally often, to within one.
- Which side is preferred follows from a hash order of a seed's pairs: it tells nothing of levels, variant
  or the order of rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from dfj_bootstrap.domain.record import Pair
from dfj_bootstrap.policy.ordering import hash64


@dataclass(frozen=True, slots=True)
class PairCounts:
    """The running count of one split, from seed to seed in the dataset's order."""

    total: int = 0
    kept: int = 0


def choose_pairs(
    seed_id: str, variants: Mapping[int, int], books: PairCounts, *, fraction: float, rng_seed: int
) -> tuple[tuple[Pair, ...], PairCounts]:
    """The pairs of one seed that stand in the dataset, and the books after it.

    Args:
        variants: level → how many variants it has.
        fraction: the share of all pairs of the split that is kept, in [0, 1].
    """
    candidates = all_pairs(variants)
    total = books.total + len(candidates)
    kept = _rounded(fraction, total)
    drawn = sorted(candidates, key=lambda pair: _key(seed_id, pair, rng_seed))[: kept - books.kept]
    pairs = tuple(_sided(pair, books.kept + i) for i, pair in enumerate(drawn))
    return pairs, PairCounts(total, kept)


def all_pairs(variants: Mapping[int, int]) -> list[Pair]:
    """All pairs of two levels within each variant position that both have, the lower level as A."""
    return [
        Pair(low, high, position)
        for low, high in combinations(sorted(variants), 2)
        for position in range(min(variants[low], variants[high]))
    ]


def _sided(pair: Pair, nth: int) -> Pair:
    """Alternate the preferred side over the kept pairs of a split."""
    return Pair(pair.level_b, pair.level_a, pair.variant) if nth % 2 else pair


def _rounded(fraction: float, total: int) -> int:
    """Half up, and exact: 0.1 is taken as one tenth."""
    share = Fraction(repr(fraction)) * total + Fraction(1, 2)
    return share.numerator // share.denominator


def _key(seed_id: str, pair: Pair, rng_seed: int) -> int:
    return hash64("pair", rng_seed, seed_id, pair.level_a, pair.level_b, pair.variant)
