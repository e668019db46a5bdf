from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.domain.rationale import Label, Rationale
from dfj_bootstrap.domain.seed import Split
from dfj_bootstrap.policy.variants import variants

ORIGINAL = Rationale("the original", Label.FAKE)
wordings = st.lists(st.text().map(lambda text: Rationale(text, Label.FAKE)), max_size=6)


@given(paraphrases=wordings.filter(bool), wanted=st.integers(1, 8))
def test_in_train_every_accepted_paraphrase_stands_and_the_original_does_not(
    paraphrases: list[Rationale], wanted: int
) -> None:
    assert variants(ORIGINAL, paraphrases, Split.TRAIN, test_variants=wanted) == tuple(paraphrases)


@given(paraphrases=wordings.filter(bool), wanted=st.integers(1, 8))
def test_in_test_the_first_ones_stand(paraphrases: list[Rationale], wanted: int) -> None:
    assert variants(ORIGINAL, paraphrases, Split.TEST, test_variants=wanted) == tuple(paraphrases[:wanted])


@given(split=st.sampled_from(Split), wanted=st.integers(1, 8))
def test_the_original_stands_in_where_no_paraphrase_passed(split: Split, wanted: int) -> None:
    assert variants(ORIGINAL, [], split, test_variants=wanted) == (ORIGINAL,)
