from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given

from dfj_bootstrap.config.sections import DatasetConfig
from dfj_bootstrap.dataset.records import (
    GradedLevel,
    GradedSeed,
    JudgePrompts,
    as_row,
    judge_prompts,
    picture_name,
    seed_records,
    user_turn,
)
from dfj_bootstrap.domain.rationale import Label, Rationale
from dfj_bootstrap.domain.record import PairwiseRecord, PointwiseRecord
from dfj_bootstrap.domain.seed import ImageRef, Split
from dfj_bootstrap.domain.texts import defuse
from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.policy.pairing import PairCounts
from tests.support.hostile import TEXTS

IMAGE = ImageRef("/pictures/fake_cat.png", "fake_cat.png", "d" * 32, 8, 8, ".png", True)
PROMPTS = JudgePrompts(
    "{ground_truth_label}: {candidate_response}", "{ground_truth_label}: {response_a} | {response_b}"
)


def graded(*texts: str) -> GradedSeed:
    """A seed whose levels, from 1 on, have these texts and no paraphrase."""
    levels = (
        GradedLevel(i, Rationale(text, Label.FAKE), f"why {i} <image>") for i, text in enumerate(texts, 1)
    )
    return GradedSeed("s", IMAGE, Label.FAKE, "g", None, None, None, "complete", tuple(levels))


def records(
    seed: GradedSeed, split: Split = Split.TEST, rng_seed: int = 17, prompts: JudgePrompts = PROMPTS
) -> tuple[list[PointwiseRecord], list[PairwiseRecord]]:
    options = DatasetConfig(rng_seed=rng_seed)
    pointwise, pairwise, _ = seed_records(seed, split, PairCounts(), prompts, options)
    return pointwise, pairwise


def both(seed: GradedSeed, prompts: JudgePrompts = PROMPTS) -> list[PointwiseRecord | PairwiseRecord]:
    pointwise, pairwise = records(seed, prompts=prompts)
    return [*pointwise, *pairwise]


def test_targets_are_in_the_published_form() -> None:
    pointwise, pairwise = records(graded("bad", "better"))
    assert {r.level: r.target for r in pointwise} == {
        1: "<reasoning>why 1 [image]</reasoning>\n<score>1</score>",
        2: "<reasoning>why 2 [image]</reasoning>\n<score>2</score>",
    }
    (pair,) = pairwise
    assert pair.target == f"<answer>{'A' if pair.level_a == 2 else 'B'}</answer>"
    texts = {1: "bad", 2: "better"}
    shown = [f"<reasoning>{texts[v]}</reasoning> <answer>fake</answer>" for v in (pair.level_a, pair.level_b)]
    assert pair.prompt == f"<image>fake: {shown[0]} | {shown[1]}"


@given(first=TEXTS, second=TEXTS)
def test_whatever_texts_hold_there_is_one_image_and_no_special(first: str, second: str) -> None:
    for record in both(graded(first, second)):
        assert record.prompt.count("<image>") == 1
        assert "<image>" not in record.target
        for text in (record.prompt, record.target):
            assert not re.search(r"<\|[^<>]{1,64}\|>|<video>", text)


@given(text=TEXTS)
def test_braces_in_texts_are_untouched(text: str) -> None:
    (record,), _ = records(graded(text))
    assert record.prompt == f"<image>fake: <reasoning>{defuse(text)}</reasoning> <answer>fake</answer>"


def test_a_prompt_may_place_the_picture_itself() -> None:
    assert user_turn("Look: <image> {response_a}", {"response_a": "x"}) == "Look: <image> x"


@pytest.mark.parametrize(
    ("pointwise", "complaint"),
    [
        ("{ground_truth_label}", "candidate_response"),
        ("<image><image>{ground_truth_label}{candidate_response}", "more than once"),
    ],
)
def test_a_prompt_that_cannot_work_is_refused(pointwise: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        JudgePrompts(pointwise, PROMPTS.pairwise)


def test_the_shipped_prompts_take_all_their_texts() -> None:
    made = both(graded("first text", "second text"), judge_prompts())
    assert ["first text" in record.prompt for record in made].count(True) == 2
    assert ["second text" in record.prompt for record in made].count(True) == 2
    assert not any("{" in record.prompt for record in made)
    assert all("True class of the image: fake" in record.prompt for record in made)


def test_ids_and_picture_names_are_opaque_and_move_with_the_rng_seed() -> None:
    ids = [record.id for record in both(graded("a", "b", "c"))]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[0-9a-f]{16}", i) for i in ids)
    moved, _ = records(graded("a", "b", "c"), rng_seed=18)
    assert not {record.id for record in moved} & set(ids)
    assert picture_name(IMAGE, 1) != picture_name(IMAGE, 2)
    assert re.fullmatch(r"[0-9a-f]{16}\.png", picture_name(IMAGE, 1))


def test_rows_stand_in_the_order_of_their_ids() -> None:
    pointwise, pairwise = records(graded("a", "b", "c", "d", "e"))
    for ids in ([r.id for r in pointwise], [r.id for r in pairwise]):
        assert ids == sorted(ids)


def test_the_order_of_rows_tells_nothing_of_the_level() -> None:
    seed = graded("a", "b", "c", "d", "e")
    first = [records(replace(seed, seed_id=f"s{i}"))[0][0].level for i in range(400)]
    assert all(50 < first.count(level) < 110 for level in range(1, 6))


def test_a_row_has_the_contracts_columns() -> None:
    (pointwise, _), (pairwise,) = records(graded("a", "b"))
    common = ["id", "messages", "images", "seed_id", "label"]
    assert list(as_row(pointwise)) == [*common, "level", "paraphrase"]
    assert list(as_row(pairwise)) == [*common, "level_a", "level_b", "paraphrase"]
    row = as_row(pointwise)
    assert [m["role"] for m in row["messages"]] == ["user", "assistant"]
    assert row["images"] == [f"images/{picture_name(IMAGE, 17)}"]
