"""The paraphraser: the same claims in other words, by tables and a few turns of syntax."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from dfj_bootstrap.domain.rationale import Rationale
from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.domain.trajectory import Brief, Candidate, Paraphrase, Provenance
from dfj_bootstrap.language.sentences import on_one_line, sentences
from dfj_bootstrap.policy.ordering import hash64
from dfj_bootstrap.roles.rules.reword import framed, reword

_CYCLE = 16  # numbers of frames before they repeat
_FRAMED = 0.55  # share of sentences that get a frame at full strength
_FRAMED_AGAIN = 0.8  # after a near copy
_TOO_NEAR = re.compile("copy|close|repeat")
_TRIES_APART = 5  # frames between two tries at one index, so that no index meets another's


class RulesParaphraser:
    """Rewords without changing side, number, negation, hedge or answer.

    Args:
        rng_seed: moves every choice; the same inputs always give the same text.
    """

    def __init__(self, rng_seed: int = 0) -> None:
        self._rng_seed = rng_seed

    async def paraphrase(
        self, seed: Seed, original: Rationale, brief: Brief, index: int, tried: Sequence[Paraphrase]
    ) -> Candidate:
        """Reword an accepted rationale; another text for each index and try.

        A try after one that was too far from the original changes less, after a near copy more.
        """
        key = hash64("paraphrase", seed.id, brief.level, brief.sample, self._rng_seed)
        rng = Random(hash64(key, index, len(tried)))
        strength = _strength(rng, tried)
        said = reword(on_one_line(original.reasoning), rng, strength)
        share = _FRAMED_AGAIN if _was_too_near(tried) else strength * _FRAMED
        number = key % _CYCLE + index + _TRIES_APART * len(tried)
        said = framed(said, number, max(1, round(share * len(sentences(said)))))
        return Candidate(Rationale(said, original.answer), Provenance(model="rules"))


def _strength(rng: Random, tried: Sequence[Paraphrase]) -> float:
    """Share of the possible changes to make, 0-1."""
    drawn = rng.uniform(0.6, 1.0)
    if not tried:
        return drawn
    return 1.0 if _was_too_near(tried) else 0.5 * drawn


def _was_too_near(tried: Sequence[Paraphrase]) -> bool:
    return bool(tried) and _TOO_NEAR.search(tried[-1].reason) is not None
