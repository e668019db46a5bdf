"""The files of ``swift infer``: whatever is left out, added or reordered, answers find their questions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.calls.call import IMAGE, Call, Place
from dfj_bootstrap.endpoints.swift.rows import Question, question_of, read_answers, write_rows
from tests.support.seeds import make_seed

QUESTIONS = st.lists(
    st.tuples(st.text(max_size=5), st.sampled_from([(), ("a.png",), ("b.png",)])), max_size=8
)


def result(question: Question, response: Any) -> dict[str, Any]:
    """As the real one writes it."""
    text, names = question
    turns = [{"role": "user", "content": text}, {"role": "assistant", "content": response}]
    images = [{"bytes": None, "path": f"/run/swift/{name}"} for name in names]
    return {"response": response, "labels": None, "messages": turns, "images": images}


def call(*parts: str, **fields: Any) -> Call:
    image = make_seed().image if IMAGE in parts else None
    return Call("judge", "judge", "m", "", parts, image, fields, 0.0, 9, Place("a"))


@given(QUESTIONS, st.randoms(use_true_random=False), st.lists(st.binary(max_size=9), max_size=3))
def test_what_is_answered_is_answered_by_its_own_result(
    tmp_path_factory: pytest.TempPathFactory, questions: list[Question], random: Any, garbage: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("results") / "results.jsonl"
    kept = [number for number in range(len(questions)) if random.random() < 0.7]
    lines = [
        json.dumps(result(questions[n], f"to {questions[n]}"), ensure_ascii=False).encode() for n in kept
    ]
    lines += [line.replace(b"\n", b" ") for line in garbage]
    random.shuffle(lines)
    path.write_bytes(b"\n".join(lines))
    found = read_answers(path, questions)
    assert len(found) == len(kept)
    assert all(text == f"to {questions[number]}" for number, text in found.items())


@pytest.mark.parametrize(
    "wrong",
    [
        {"response": None},
        {"response": ["a"]},
        {"messages": None},
        {"messages": [{"role": "user", "content": None}]},
        {"messages": [{"role": "user", "content": "q"}, {"role": "user", "content": "q"}]},
        {"images": {"path": "a.png"}},
        {"images": [{"path": "other.png"}]},
        {"images": []},
    ],
)
def test_what_is_no_answer_is_passed_over(tmp_path: Path, wrong: dict[str, Any]) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps(result(("q", ("a.png",)), "yes") | wrong))
    assert read_answers(path, [("q", ("a.png",))]) == {}


def test_pictures_may_be_named_barely_and_no_file_has_no_answers(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    assert read_answers(path, [("q", ())]) == {}
    path.write_text(json.dumps(result(("q", ()), "yes") | {"images": ["/elsewhere/a.png"]}))
    assert read_answers(path, [("q", ("a.png",))]) == {0: "yes"}


def test_a_question_is_the_prompt_as_it_stands_with_a_form_only_where_there_are_fields() -> None:
    image = make_seed().image
    assert question_of(call(IMAGE, "Judge.")) == ("<image>Judge.", (f"{image.digest}{image.suffix}",))
    assert question_of(call("Judge.", score={})) == (
        "Judge.\n\nReply in exactly this form:\n<score>…</score>", (),
    )  # fmt: skip


@given(st.lists(st.text(max_size=20), max_size=6))
def test_rows_say_what_the_questions_say(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    calls = [call(text) for text in texts]
    path = write_rows(calls, tmp_path_factory.mktemp("rows"))
    rows = [json.loads(line) for line in path.read_bytes().split(b"\n") if line]
    assert [(row["messages"][0]["content"], row["images"]) for row in rows] == [
        (question_of(each)[0], []) for each in calls
    ]
