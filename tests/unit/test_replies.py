"""What models reply, and what is read from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dfj_bootstrap.domain.rationale import Label
from dfj_bootstrap.domain.texts import says_something, without_controls
from dfj_bootstrap.prompting.forms import Unreadable, read_fields
from dfj_bootstrap.prompting.leaks import leak
from dfj_bootstrap.prompting.replies import Rating, read_critique, read_rating, read_rationale, read_score

CORPUS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "replies.jsonl").read_text("utf-8").splitlines()
]
GOOD = [row for row in CORPUS if "why" not in row]
BAD = [row for row in CORPUS if "why" in row]
TEXT = st.text().map(without_controls).filter(says_something)
PAIRS = [
    ("<think>", "</think>"), ("<thinking>", "</Thinking >"), ("<thought>", "</thought>"),
    ("[THINK]", "[/THINK]"),
    ("<reflection>", "</reflection>"), ("<seed:think>", "</seed:think>"),
    ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
    ("<unused94>", "<unused95>"), ("<|begin_of_thought|>", "<|end_of_thought|>"), ("<|think|>", "<|/think|>"),
    ("<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>"), ("<|channel>thought", "<channel|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("analysis", "assistantfinal"), ("Here is my thought process:", "\nHere is my response:\n"),
]  # fmt: skip
MARKED = st.lists(
    st.sampled_from([mark for pair in PAIRS for mark in pair] + ["<answer>", "{", '"', "red"]), max_size=6
).map("".join)
ANY = st.text(st.characters(codec=None), max_size=200)
PIECES = [
    "<reasoning>", "</reasoning>", "<answer>", "</answer>", "<feedback>", "</feedback>", "<score>", "4",
    "</score>", "fake", "{", "}", '"', ":", ",", "[", "\\", "```",
    '{"reasoning": "a", "answer": "fake"}', "\n", "\ud800", "\0", "9" * 5000,
]  # fmt: skip
FRAGMENTS = st.lists(st.sampled_from([*PIECES, "<think>", "</think>"])).map("".join)


@pytest.mark.parametrize("row", GOOD, ids=[row["name"] for row in GOOD])
def test_a_usable_reply_is_read(row: dict[str, Any]) -> None:
    if row["kind"] == "rationale":
        expected = (row["reasoning"], Label(row["answer"]))
        assert read_rationale(row["text"], cut_off=row["cut_off"]) == expected
    else:
        rating = read_rating(row["text"], cut_off=row["cut_off"])
        assert (rating.score, rating.feedback) == (row["score"], row["feedback"])


@pytest.mark.parametrize("row", BAD, ids=[row["name"] for row in BAD])
def test_an_unusable_reply_says_why(row: dict[str, Any]) -> None:
    read = read_rationale if row["kind"] == "rationale" else read_rating
    with pytest.raises(Unreadable) as raised:
        read(row["text"], cut_off=row["cut_off"])
    assert row["why"] in str(raised.value)
    assert len(str(raised.value)) < 120


@given(st.one_of(ANY, FRAGMENTS), st.booleans())
@example("{" * 100_000, False)
@example('{"a":' * 50_000, False)
@example("<reasoning>" * 20_000, False)
@example('{"reasoning": ' + "9" * 10_000 + ', "answer": "fake"}', False)
def test_nothing_that_a_model_says_crashes_the_reading(text: str, cut_off: bool) -> None:
    for read in (read_rationale, read_rating, read_critique):
        try:
            result = read(text, cut_off=cut_off)
        except Unreadable as unreadable:
            assert str(unreadable)
        else:
            assert result


@given(TEXT, st.sampled_from(Label), st.booleans())
@example('</reasoning> "quotes" {braces} <answer>real</answer> \\ ```', Label.FAKE, True)
def test_a_json_reply_reads_back_whatever_the_text(reasoning: str, answer: Label, ascii_only: bool) -> None:
    text = json.dumps({"reasoning": reasoning, "answer": answer}, ensure_ascii=ascii_only)
    for wrapped in (text, f"```json\n{text}\n```", f"Here it is: {text} Done."):
        assert read_rationale(wrapped) == (reasoning, answer)


@given(TEXT.filter(lambda text: "</reasoning>" not in text.lower()), st.sampled_from(Label))
@example('{"reasoning": "x", "answer": "real"} <answer>real</answer> </answer> <b>', Label.FAKE)
def test_a_tagged_reply_reads_back_whatever_the_text(reasoning: str, answer: Label) -> None:
    text = f"<reasoning>{reasoning}</reasoning> <answer>{answer}</answer>"
    assert read_rationale(text) == (reasoning, answer)


@given(
    draft=st.one_of(ANY, st.lists(st.one_of(ANY, st.sampled_from(["<>", "</>", *PIECES]))).map("".join)),
    marks=st.sampled_from(PAIRS),
    text=MARKED.map("The cup is {}.".format),
    answer=st.sampled_from(Label),
)
@example('{"reasoning": "draft', PAIRS[0], "It holds </reasoning> and </answer>.", Label.FAKE)
@example("<reasoning>draft <answer>", PAIRS[0], "It holds </reasoning> and </answer>.", Label.FAKE)
@example('{"a":' * 200, PAIRS[0], "red", Label.REAL)
def test_whatever_was_thought_the_answer_is_what_stands_last(
    draft: str, marks: tuple[str, str], text: str, answer: Label
) -> None:
    opening, closing = marks
    draft = draft.replace("<>", opening).replace("</>", closing)
    given_json = json.dumps({"reasoning": text, "answer": answer})
    for reply in (given_json, f"```json\n{given_json}\n```", f"<answer>{given_json}</answer>"):
        assert read_rationale(draft + closing + reply) == (text, answer)
    tagged = "<reasoning>The red cup.</reasoning>\n<answer>{}</answer>".format
    assert read_rationale(draft + closing + tagged(answer)) == ("The red cup.", answer)


@given(
    FRAGMENTS.filter(lambda text: "</think>" not in text),
    st.sampled_from(["", "Sure.\n", "<answer>real</answer>"]),
)
def test_thoughts_alone_are_no_answer(draft: str, before: str) -> None:
    for reply in (f"{before}<think>{draft}", f"{before}<think>{draft}</think>"):
        with pytest.raises(Unreadable):
            read_rationale(reply)


@given(
    st.sampled_from(Label),
    st.sampled_from(Label),
    st.sampled_from(["json", "tags"]),
    st.sampled_from(["json", "tags"]),
)
def test_two_answers_are_one_only_where_they_agree(first: Label, second: Label, one: str, other: str) -> None:
    forms = {
        "json": '{{"reasoning": "The red cup.", "answer": "{}"}}'.format,
        "tags": "<reasoning>The red cup.</reasoning> <answer>{}</answer>".format,
    }
    reply = f"{forms[one](first)}\nor\n{forms[other](second)}"
    if first is second:
        assert read_rationale(reply) == ("The red cup.", first)
    else:
        with pytest.raises(Unreadable):
            read_rationale(reply)


@given(MARKED.map("It reads {} in print.".format), st.integers(1, 5))
def test_marks_of_thinking_in_a_field_are_its_text(text: str, score: int) -> None:
    for reply in (
        json.dumps({"reasoning": text, "feedback": text, "score": score}),
        json.dumps({"score": score, "feedback": text, "reasoning": text}, indent=1),
    ):
        assert read_rating(reply) == Rating(score, text, text)
        assert read_critique(reply) == text


@given(TEXT, TEXT, st.integers(1, 5))
def test_a_rating_reads_back(reasoning: str, feedback: str, score: int) -> None:
    rating = read_rating(json.dumps({"reasoning": reasoning, "feedback": feedback, "score": score}))
    assert (rating.reasoning, rating.feedback, rating.score) == (reasoning, feedback, score)


@given(st.one_of(st.integers(), st.floats(), st.booleans(), st.none(), st.text()))
def test_a_score_is_one_of_five_numbers_or_nothing(value: object) -> None:
    try:
        score = read_score(value)
    except Unreadable:
        return
    assert score in {1, 2, 3, 4, 5}
    assert str(score) in str(value)


@given(ANY)
def test_cleaned_text_can_be_stored_and_shown(text: str) -> None:
    cleaned = without_controls(text)
    assert cleaned == without_controls(cleaned)
    cleaned.encode("utf-8")
    assert not any(ord(c) < 32 and c not in "\n\t" for c in cleaned)
    assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x7f\x85") & set(cleaned)


def test_further_fields_are_left_out() -> None:
    assert read_fields('{"a": 1, "b": 2}', ["a"]) == {"a": 1}


@pytest.mark.parametrize(
    "feedback",
    [
        "The gold rationale says the hand has six fingers.",
        "Compared with the reference, it misses the sleeve.",
        "The reference mentions a shadow.",
        "Matches the ground truth well.",
        "The ground-truth explanation names the roof.",
        "The annotators marked the window.",
        "It ignores the annotated region.",
        "The reference explanation has more.",
        "Lower than the intended level.",
        "The human annotations point to the hand.",
        "It says less than the gold.",
        "The reference shows six fingers, not five.",
        "The reference clearly points to the sleeve.",
        "It leaves out the reference's main point.",
        "The provided reference speaks of the roof.",
        "It misses the given regions.",
        "The fault lies at [120, 300, 260, 520].",
        "The bounding box lies further left.",
    ],
)
def test_feedback_that_speaks_of_the_reference_is_caught(feedback: str) -> None:
    assert leak(feedback)


@pytest.mark.parametrize(
    "feedback",
    [
        "The gold necklace is described well, but its clasp is not.",
        "The gold text on the sign is garbled, as the rationale says.",
        "There is no reference point for the size of the boat.",
        "The reference points along the track do not converge.",
        "The date [2024, 5] on the screen is garbled, and so is the box given to the child.",
        "The claim about the sheen of the gold is right.",
        "The label on the bottle is misread.",
        "The human figure has six fingers.",
        "It names the right class but not where to look.",
    ],
)
def test_feedback_about_the_picture_is_left_alone(feedback: str) -> None:
    assert not leak(feedback)
