"""Where a seed stands: its partition, and its place in the dataset. Both follow from its id alone.

A partition holds a *range* of hashes, so that walking the partitions in order, and each one by hash, walks
all seeds by hash, whatever the number of partitions. XOR with a mask drawn from ``rng_seed`` permutes
that order and keeps this property, as long as the number of partitions is a power of two.

A partition's *slices* are ranges within its range, so they keep it too. Partitions are fixed when a run
begins; slices follow from how many seeds a partition has now, and are what is held in memory.
"""

from __future__ import annotations

from hashlib import blake2b

_BITS = 64

ITEMS_PER_SLICE = 64
"""The most on average."""


def hash64(*parts: str | int) -> int:
    """A 64-bit hash of the parts, the same on every machine."""
    text = "\0".join(str(part) for part in parts)
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def partition_of(seed_id: str, partitions: int) -> int:
    """The partition of a seed, from 0; ``partitions`` is a power of two."""
    return hash64(seed_id) * partitions >> _BITS


def order_key(seed_id: str, rng_seed: int) -> int:
    """The place of a seed among all seeds of the dataset: smaller comes first."""
    return hash64(seed_id) ^ _mask(rng_seed)


def partition_order(partitions: int, rng_seed: int) -> list[int]:
    """The partitions in the order in which ``order_key`` walks through them."""
    mask = _mask(rng_seed) * partitions >> _BITS
    return sorted(range(partitions), key=lambda partition: partition ^ mask)


def slices_for(items: int) -> int:
    """How many slices a partition of so many seeds is worked on in, a power of two."""
    return 1 << (max(-(-items // ITEMS_PER_SLICE), 1) - 1).bit_length()


def slice_of(seed_id: str, partitions: int, slices: int) -> int:
    """The slice of its partition that a seed stands in, from 0."""
    return partition_of(seed_id, partitions * slices) % slices


def slice_order(partitions: int, slices: int, rng_seed: int) -> list[int]:
    """The slices of any partition in the order in which ``order_key`` walks through them."""
    mask = _mask(rng_seed) * partitions * slices >> _BITS
    return sorted(range(slices), key=lambda slice_: slice_ ^ mask % slices)


def _mask(rng_seed: int) -> int:
    return hash64("order", rng_seed)
