"""Whether the policy tells true paraphrases from texts that say something else."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.domain.rationale import Label, Rationale
from dfj_bootstrap.policy import fidelity
from dfj_bootstrap.policy.fidelity import Window, verdict
from dfj_bootstrap.similarity.lexical import lexical_similarity

WINDOW = Window(0.80, 0.99)
PAIRS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "paraphrase_pairs.jsonl")
    .read_text("utf-8")
    .splitlines()
]


def judge(original: str, reworded: str, similarity: float | None = None, *earlier: str) -> str:
    """The verdict on two texts of one answer."""
    before = [Rationale(text, Label.FAKE) for text in earlier]
    return verdict(
        Rationale(original, Label.FAKE), Rationale(reworded, Label.FAKE), similarity, before, WINDOW
    )


def test_contradictions_that_embeddings_take_for_paraphrases_are_refused() -> None:
    six = "The left hand has six fingers and the thumb merges with the cup."
    assert judge(six, "The right hand has five fingers and the thumb is clear of the cup.", 0.90)
    assert judge(six, "On the left hand there are five fingers; the thumb merges with the cup.", 0.90)
    shadow = "The shadow falls to the left and does not match the lamp."
    assert judge(shadow, "The shadow falls to the right and matches the lamp.", 0.92) == fidelity.SIDE_CHANGED
    assert (
        judge(shadow, "To the left falls a shadow that matches the lamp.", 0.92) == fidelity.NEGATION_CHANGED
    )


@pytest.mark.parametrize(
    ("reason", "original", "reworded"),
    [
        (fidelity.EMPTY, "The hand is odd.", " \n…"),
        (fidelity.LENGTH_CHANGED, "The hand is odd. " * 4, "The hand is odd."),
        (fidelity.LENGTH_CHANGED, "The hand is odd.", "The hand is odd. " * 4),
        (fidelity.SIDE_CHANGED, "A halo in the upper corner.", "A halo is in the bottom corner."),
        (fidelity.SIDE_CHANGED, "The hand on the left is odd.", "That hand is odd."),
        (
            fidelity.SIDE_CHANGED,
            "The owl sits behind the bear.",
            "Behind the owl the bear sits. The bear behind the owl.",
        ),
        (fidelity.NUMBER_CHANGED, "There are three coins.", "There are four coins."),
        (fidelity.NUMBER_CHANGED, "Two cats and three dogs.", "Three cats, two dogs."),
        (fidelity.NEGATION_CHANGED, "The edges look natural.", "Edges that look unnatural."),
        (fidelity.NEGATION_CHANGED, "Nothing could cast it.", "It could be cast."),
        (
            fidelity.CLASS_CHANGED,
            "The lamp proves an edited photo.",
            "A generated photo, as the lamp proves.",
        ),
        (fidelity.REGION_CHANGED, "The ear is odd.", "An odd nose."),
        (fidelity.COLOUR_CHANGED, "A red car with a halo.", "A halo around a blue car."),
        (fidelity.HEDGING_CHANGED, "The cloud is a copy.", "Perhaps the cloud is copied."),
        (fidelity.HEDGING_CHANGED, "The cloud may be a copy.", "The cloud is certainly a copy."),
        (fidelity.COPY, "The hand is odd.", "the hand — is ODD!"),
    ],
)
def test_each_signal_is_named(reason: str, original: str, reworded: str) -> None:
    assert judge(original, reworded) == reason


def test_another_answer_is_refused_whatever_the_text_says() -> None:
    original = Rationale("The hand is odd.", Label.FAKE)
    reworded = Rationale("An odd hand is to be seen.", Label.EDITED)
    assert verdict(original, reworded, 0.9, (), WINDOW) == fidelity.ANSWER_CHANGED


@pytest.mark.parametrize(
    ("similarity", "reason"),
    [
        (0.7999, fidelity.TOO_FAR),
        (0.80, ""),
        (0.99, ""),
        (0.9901, fidelity.TOO_CLOSE),
        (None, ""),
        (-1.0, "too_far"),
    ],
)
def test_the_window_is_inclusive_and_left_out_without_a_similarity(
    similarity: float | None, reason: str
) -> None:
    assert judge("The hand has odd nails.", "Odd nails are on the hand.", similarity) == reason


def test_a_paraphrase_must_differ_from_those_before_it() -> None:
    original = "The hand has odd nails, and its thumb is too long."
    once = "Odd nails are on the hand, whose thumb is overly long."
    assert judge(original, once) == ""
    assert judge(original, once + " Really.", None, once) == fidelity.REPEATS_ANOTHER
    assert judge(original, once, None, "The thumb of the hand is too long and its nails are odd.") == ""


def test_what_changes_nothing_passes() -> None:
    original = (
        "In the upper right corner, both of the two lamps are, really, bright. They don't match the room."
    )
    assert judge(original, "The two lamps at the top right are bright, which does not match the room.") == ""
    assert judge("The single coin is odd.", "That coin is odd.") == ""


@given(st.text(max_size=200), st.text(max_size=200), st.none() | st.floats(-1, 1), st.sampled_from(Label))
def test_every_pair_of_texts_gets_a_verdict_from_the_closed_list(
    a: str, b: str, similarity: float | None, answer: Label
) -> None:
    words = {getattr(fidelity, name) for name in REASONS}
    reason = verdict(
        Rationale(a, Label.FAKE), Rationale(b, answer), similarity, [Rationale(a, answer)], WINDOW
    )
    assert reason in words | {""}


REASONS = [
    name
    for name, value in vars(fidelity).items()
    if name.isupper() and isinstance(value, str) and name[0] != "_"
]


@given(st.sampled_from(PAIRS))
def test_a_text_is_a_copy_of_itself_and_never_contradicts_itself(pair: dict[str, str]) -> None:
    assert judge(pair["original"], pair["original"]) == fidelity.COPY
    assert judge(pair["reworded"], pair["reworded"], 1.0) == fidelity.COPY


def _verdicts(kind: str, *, lexical: bool) -> Counter[bool]:
    """How many of the labelled pairs of a kind are refused."""
    found: Counter[bool] = Counter()
    for pair in (pair for pair in PAIRS if pair["kind"] == kind):
        similarity = lexical_similarity(pair["original"], pair["reworded"]) if lexical else None
        found[bool(judge(pair["original"], pair["reworded"], similarity))] += 1
    return found


@pytest.mark.parametrize("lexical", [False, True])
def test_few_flips_get_through_and_few_true_paraphrases_are_refused(lexical: bool) -> None:
    flips, true = _verdicts("flip", lexical=lexical), _verdicts("paraphrase", lexical=lexical)
    assert min(flips.total(), true.total()) >= 60
    assert flips[False] <= 0.10 * flips.total()
    assert true[True] <= 0.15 * true.total()


def test_most_flips_are_refused_for_the_reason_that_they_are_labelled_with() -> None:
    flips = [pair for pair in PAIRS if pair["kind"] == "flip"]
    right = sum(judge(p["original"], p["reworded"]) == f"{p['what']}_changed" for p in flips)
    assert right >= 0.85 * len(flips)
