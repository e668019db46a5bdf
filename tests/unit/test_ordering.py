"""Where a seed stands follows from its id, and from nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.policy.ordering import hash64, order_key, partition_of, partition_order

IDS = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=40, unique=True)
PARTITIONS = st.sampled_from([1, 2, 8, 64, 1024])
RNG_SEEDS = st.integers(0, 2**31)


def walk(ids: list[str], partitions: int, rng_seed: int) -> list[str]:
    """All ids in dataset order, partition by partition."""
    return [
        seed_id
        for partition in partition_order(partitions, rng_seed)
        for seed_id in sorted(
            (i for i in ids if partition_of(i, partitions) == partition), key=lambda i: order_key(i, rng_seed)
        )
    ]


@given(IDS, PARTITIONS, PARTITIONS, RNG_SEEDS)
def test_the_order_does_not_depend_on_the_number_of_partitions(
    ids: list[str], few: int, many: int, rng_seed: int
) -> None:
    assert walk(ids, few, rng_seed) == walk(ids, many, rng_seed)


@given(IDS, PARTITIONS, RNG_SEEDS)
def test_every_seed_stands_in_exactly_one_partition(ids: list[str], partitions: int, rng_seed: int) -> None:
    assert sorted(walk(ids, partitions, rng_seed)) == sorted(ids)
    assert sorted(partition_order(partitions, rng_seed)) == list(range(partitions))


@given(IDS, st.text(min_size=1, max_size=12), PARTITIONS, RNG_SEEDS)
def test_an_added_seed_moves_nobody(ids: list[str], added: str, partitions: int, rng_seed: int) -> None:
    more = walk(sorted({*ids, added}), partitions, rng_seed)
    assert [seed_id for seed_id in more if seed_id in set(ids)] == walk(ids, partitions, rng_seed)


def test_hashes_are_the_same_on_every_machine() -> None:
    assert hash64("seed-1") == 11867981423511975599
    assert hash64("a", 1) != hash64("a1")


def test_partitions_fill_evenly() -> None:
    counts = [0] * 8
    for number in range(8000):
        counts[partition_of(f"seed-{number}", 8)] += 1
    assert min(counts) > 850
    assert max(counts) < 1150
