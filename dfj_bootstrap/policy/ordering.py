"""Where a seed stands: its partition, and its place in the dataset. Both follow from its id alone.

A partition holds a *range* of hashes, so that walking the partitions in order, and each one by hash, walks
all seeds by hash, whatever the number of partitions. XOR with a mask drawn from ``rng_seed`` permutes
that order and keeps this property, as long as the number of partitions is a power of two.
"""

from __future__ import annotations

from hashlib import blake2b

_BITS = 64


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


def _mask(rng_seed: int) -> int:
    return hash64("order", rng_seed)
