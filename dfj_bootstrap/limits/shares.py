"""Sharing a whole among workers: pure arithmetic.

Invariants: shares never add up to more than the whole; nobody who wants something gets nothing while there
is enough for one each; what nobody wants is spread, so that a worker with new work need not wait for it.
"""

from __future__ import annotations

from collections.abc import Sequence


def split_rate(whole: float, wanted: Sequence[float]) -> list[float]:
    """Max-min fair shares of a rate; what is left over is spread evenly.

    Args:
        whole: what there is.
        wanted: what each worker could use, at least 0.
    """
    if not wanted:
        return []
    shares = [0.0] * len(wanted)
    left = whole
    open_ = sorted(range(len(wanted)), key=lambda index: wanted[index])
    for done, index in enumerate(open_):
        shares[index] = min(wanted[index], left / (len(open_) - done))
        left -= shares[index]
    return [share + max(left, 0.0) / len(shares) for share in shares]


def split_slots(whole: int, wanted: Sequence[int]) -> list[int]:
    """As ``split_rate``, in whole numbers; where there is less than one each, the first ones get it."""
    shares = [int(share) for share in split_rate(float(whole), [float(w) for w in wanted])]
    left = whole - sum(shares)
    by_need = sorted(range(len(wanted)), key=lambda index: (shares[index] - wanted[index], index))
    for index in by_need[:left]:
        shares[index] += 1
    return shares


def split_dollars(whole: float, next_call: Sequence[float], wanted: Sequence[float]) -> list[float]:
    """Shares of money that is spent call by call: a share that is less than one call would be of no use.

    Args:
        next_call: what the next waiting call of each worker may cost; 0 where none waits for money.
        wanted: what each worker could use in all, its next call included.
    """
    shares = [0.0] * len(wanted)
    left = whole
    for index, cost in enumerate(next_call):
        if cost <= left:
            shares[index] = cost
            left -= cost
    more = [max(w - share, 0.0) for w, share in zip(wanted, shares, strict=True)]
    left_over = min(left, sum(more))
    return [share + extra for share, extra in zip(shares, split_rate(max(left_over, 0.0), more), strict=True)]
