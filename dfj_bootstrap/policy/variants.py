"""Which wordings of an accepted rationale stand in the dataset."""

from __future__ import annotations

from collections.abc import Sequence

from dfj_bootstrap.domain.rationale import Rationale
from dfj_bootstrap.domain.seed import Split


def variants(
    original: Rationale, paraphrases: Sequence[Rationale], split: Split, *, test_variants: int
) -> tuple[Rationale, ...]:
    """The wordings of one level, in order; a row's ``paraphrase`` is the place in this list.

    In train it is every accepted paraphrase, in test the first ``test_variants`` of them. The original
    stands in only where no paraphrase passed.

    Args:
        paraphrases: the accepted ones, by index.
    """
    standing = tuple(paraphrases) or (original,)
    return standing[:test_variants] if split is Split.TEST else standing
