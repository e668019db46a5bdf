"""Which half of the dataset a seed belongs to.

It follows from the seed's group alone, so that pictures of one group are never parted, and seeds that
are added later move nobody.
"""

from __future__ import annotations

from dfj_bootstrap.domain.seed import Split
from dfj_bootstrap.policy.ordering import hash64

_RANGE = 1 << 64


def split_of(group: str, explicit: Split | None, *, test_fraction: float, rng_seed: int) -> Split:
    """The split of a seed: the one that its row names, else drawn by hash of its group.

    Args:
        explicit: what the row, or another row of its group, says.
        test_fraction: the share of groups in the test split, approximately.
    """
    if explicit is not None:
        return explicit
    drawn = hash64("split", rng_seed, group)
    return Split.TEST if drawn < test_fraction * _RANGE else Split.TRAIN
