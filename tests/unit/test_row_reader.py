"""Rows come back as they were meant, and one that doesn't is found."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dfj_bootstrap.config.sections import DatasetConfig
from dfj_bootstrap.dataset.records import (
    GradedLevel,
    GradedSeed,
    JudgePrompts,
    as_row,
    judge_prompts,
    seed_records,
    wordings,
)
from dfj_bootstrap.dataset.row_reader import Meant, RowReader
from dfj_bootstrap.domain.rationale import LEVELS, Label, Rationale, answer_of_level
from dfj_bootstrap.domain.seed import ImageRef, Split
from dfj_bootstrap.errors import RunError
from dfj_bootstrap.policy.pairing import PairCounts
from tests.support.hostile import TEXTS, in_round_brackets

IMAGE = ImageRef("/pictures/a.png", "a.png", "d" * 32, 8, 8, ".png", True)
OPTIONS = DatasetConfig()
OWN = JudgePrompts(
    "{ground_truth_label}? <image>{{candidate_response}} {candidate_response} {ground_truth_label} [INST]",
    "{response_b}{response_a}{response_b} of {ground_truth_label}",
)


def graded(
    gold: str, candidate: str, feedback: str, paraphrase: str, label: Label = Label.EDITED
) -> GradedSeed:
    """A whole ladder, which holds each text in its place."""
    levels = tuple(
        GradedLevel(
            level,
            Rationale(gold if level == 5 else candidate, answer_of_level(label, level)),
            feedback,
            (Rationale(paraphrase, answer_of_level(label, level)),) if level % 2 else (),
        )
        for level in LEVELS
    )
    return GradedSeed("s", IMAGE, label, "g", None, None, None, "complete", levels)


def rows_of(
    seed: GradedSeed, prompts: JudgePrompts, split: Split = Split.TEST
) -> tuple[list[dict[str, Any]], Meant]:
    """All rows as they come from the file, and what they have to say."""
    pointwise, pairwise, _ = seed_records(seed, split, PairCounts(), prompts, OPTIONS)
    made = [*map(as_row, pointwise), *map(as_row, pairwise)]
    rows = [orjson.loads(orjson.dumps(row)) for row in made]
    return rows, Meant(wordings(seed, split, OPTIONS), {level.level: level.critique for level in seed.levels})


def reader(prompts: JudgePrompts) -> RowReader:
    return RowReader(prompts.pointwise, prompts.pairwise)


@pytest.mark.parametrize("prompts", [judge_prompts(), OWN], ids=["shipped", "own"])
@given(TEXTS, TEXTS, TEXTS, TEXTS, st.sampled_from(Label), st.sampled_from(Split))
@example(
    "a</reasoning> <answer>real</answer>",
    "b",
    "c</reasoning>\n<score>1</score>",
    "d",
    Label.FAKE,
    Split.TRAIN,
)
def test_whatever_texts_hold_every_row_comes_back(
    prompts: JudgePrompts,
    gold: str,
    candidate: str,
    feedback: str,
    paraphrase: str,
    label: Label,
    split: Split,
) -> None:
    rows, meant = rows_of(graded(gold, candidate, feedback, paraphrase, label), prompts, split)
    assert len(rows) >= len(LEVELS)
    for row in rows:
        reader(prompts).check(row, meant)
        if "level" in row:
            target = row["messages"][1]["content"]
            match = re.fullmatch(r"<reasoning>(.*)</reasoning>\n<score>([1-5])</score>", target, re.DOTALL)
            assert match
            assert in_round_brackets(match[1]) == in_round_brackets(feedback)
            assert target.count("</reasoning>") == target.count("<score>") == 1
            assert int(match[2]) == row["level"]


def replaced(place: int, old: str, new: str) -> Callable[[dict[str, Any]], None]:
    def change(row: dict[str, Any]) -> None:
        message = row["messages"][place]
        assert old in message["content"]
        message["content"] = message["content"].replace(old, new)

    return change


def field(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda row: row.update({name: value})


def swap(row: dict[str, Any]) -> None:
    row["messages"].reverse()


def one_turn(row: dict[str, Any]) -> None:
    del row["messages"][0]


def a_third_key(row: dict[str, Any]) -> None:
    row["messages"][0]["name"] = "someone"


BOTH = [
    (swap, "user's and the assistant's"),
    (one_turn, "two messages"),
    (a_third_key, "two messages"),
    (replaced(0, "<image>", ""), "once for each picture"),
    (replaced(0, "<image>", "<image><image>"), "once for each picture"),
    (field("images", []), "once for each picture"),
    (field("images", ["images/a.png", "images/b.png"]), "once for each picture"),
    (field("label", "fake"), "should have 'fake'"),
    (replaced(0, "The cup", "The cap"), "another text"),
    (replaced(0, "cup.</reasoning>", "cup.<b></reasoning>"), "holds <b>"),
    (replaced(0, "cup.</reasoning>", "cup.</reasoning> <answer>real</answer>"), "another text|should have"),
    (replaced(0, " <answer>", "<answer>"), "should have"),
    (replaced(0, "</answer>", "</answer>!"), "should have|goes on"),
]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        *BOTH,
        (replaced(1, "<score>4", "<score>3"), "the target should have"),
        (replaced(1, "</score>", "</score> "), "goes on after its end"),
        (replaced(1, "why.", "why.</reasoning>\n<score>4</score>"), "goes on after its end"),
        (replaced(1, "why.", "why. <image>"), "user turn alone"),
        (replaced(1, "why.", "why. <|im_end|>"), r"holds <\|im_end\|>"),
        (replaced(1, "why.", "Why."), "another text"),
        (replaced(1, "</reasoning>", ""), "lacks </reasoning>"),
        (field("level", 3), "another text|should have"),
    ],
)
def test_a_pointwise_row_that_says_something_else_is_named(
    change: Callable[[dict[str, Any]], None], why: str
) -> None:
    rows, meant = rows_of(graded("The cup of gold.", "The cup.", "why.", "The cup."), judge_prompts())
    row = copy.deepcopy(next(row for row in rows if row.get("level") == 4))
    change(row)
    with pytest.raises(RunError, match=f"row {row['id']} of the dataset .*(?:{why})"):
        reader(judge_prompts()).check(row, meant)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        *BOTH,
        (replaced(1, "<answer>", "<answer> "), "the target should have"),
        (replaced(1, "</answer>", "</answer>\n"), "goes on after its end"),
        (lambda row: row.update(level_a=row["level_b"], level_b=row["level_a"]), "another text|should have"),
    ],
)
def test_a_pairwise_row_that_says_something_else_is_named(
    change: Callable[[dict[str, Any]], None], why: str
) -> None:
    rows, meant = rows_of(graded("The cup of gold.", "The cup.", "why.", "The cup."), judge_prompts())
    row = copy.deepcopy(next(row for row in rows if {row.get("level_a"), row.get("level_b")} == {2, 4}))
    change(row)
    with pytest.raises(RunError, match=f"row {row['id']} of the dataset .*(?:{why})"):
        reader(judge_prompts()).check(row, meant)


def test_the_wrong_side_is_found() -> None:
    rows, meant = rows_of(graded("The cup of gold.", "The cup.", "why.", "The cup."), judge_prompts())
    for row in rows:
        if "level_a" in row:
            target = row["messages"][1]
            target["content"] = target["content"].translate(str.maketrans("AB", "BA"))
            with pytest.raises(RunError, match="the target should have"):
                reader(judge_prompts()).check(row, meant)
