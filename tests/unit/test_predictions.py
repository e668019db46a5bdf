"""Rows in, predictions out: what a row shows, what replies say, what is written of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.app.predictions import with_prediction
from dfj_bootstrap.calls.call import IMAGE, Call, Place
from dfj_bootstrap.config.models import GeminiModel, OpenAIModel, VLLMModel
from dfj_bootstrap.domain.rationale import Label, Rationale
from dfj_bootstrap.endpoints.gemini import wire as gemini
from dfj_bootstrap.endpoints.openai import wire as openai
from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.intake.item_rows import RowRefused
from dfj_bootstrap.intake.json_lines import JsonLine, read_lines
from dfj_bootstrap.intake.judged_rows import candidate, picture_of, row_id, shown_by, texts_of
from dfj_bootstrap.prompting.forms import Unreadable
from dfj_bootstrap.prompting.judging import (
    PAIRWISE,
    POINTWISE,
    choice_reader,
    question,
    read_label_opinion,
    read_opinion,
    whole_turn,
)
from dfj_bootstrap.prompting.templates import check_placeholders, load_prompt, parse_prompt
from dfj_bootstrap.tasks.predictions import Answer
from dfj_bootstrap.tasks.verdicts import chosen, preferred, scored
from tests.support.hostile import TEXTS

A, B = (Rationale(text, Label.FAKE).tagged() for text in ("The sleeve.", "The cup."))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES, max_size=5), st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_a_row_comes_back_as_it_is_with_its_prediction_alone(
    row: dict[str, Any], ascii_only: bool, indent: Any
) -> None:
    text = json.dumps(row, ensure_ascii=ascii_only, indent=indent).replace("\n", " ")
    raw = text.encode("utf-8", "surrogatepass" if not ascii_only else "strict") + b" \r\n"
    written = with_prediction(JsonLine(1, row, raw), {"status": "ok", "raw": "\n"})
    assert written.endswith(b"\n")
    assert written.count(b"\n") == 1
    found = json.loads(written.decode("utf-8", "surrogatepass"))
    assert found.pop("prediction") == {"status": "ok", "raw": "\n"}
    assert found == {name: value for name, value in row.items() if name != "prediction"}


def test_a_number_keeps_its_digits(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"n": 1.50e0, "big": 123456789012345678901234567890}\n{ }')
    first, second = (with_prediction(line, {}) for line in read_lines(path) if isinstance(line, JsonLine))
    assert first == b'{"n": 1.50e0, "big": 123456789012345678901234567890, "prediction": {}}\n'
    assert second == b'{"prediction": {}}\n'


@pytest.mark.parametrize(
    ("text", "score", "reasoning"),
    [
        ("<reasoning>It holds.</reasoning>\n<score>4</score>", 4, "It holds."),
        ("<score>4</score>", 4, None),
        ('{"reasoning": "It holds.", "score": 4}', 4, "It holds."),
        ('```json\n{"score": "4/5"}\n```', 4, None),
        ("<think><score>1</score></think><reasoning>r</reasoning><score>5</score>", 5, "r"),
        ("<reasoning>It says <score>1</score> too.</reasoning><score>2</score>", 2, None),
    ],
)
def test_scores_are_read_in_the_forms_that_judges_are_trained_on(
    text: str, score: int, reasoning: str | None
) -> None:
    found, said = read_opinion(text, False)
    assert found == score
    assert reasoning is None or said == reasoning


@pytest.mark.parametrize(
    "text",
    [
        "", "4", "I would say four out of five.", "<score>6</score>", "<score>0</score>", '{"score": true}',
        "<score>3</score><score>4</score>", "<reasoning>Here <score>2</score> is a draft.</reasoning>",
        '{"score": 3} {"score": 4}', "<think><score>3</score></think>", "<score>1-5</score>",
        "<score>3.5</score>",
    ],
)  # fmt: skip
def test_what_is_no_score_is_none(text: str) -> None:
    with pytest.raises(Unreadable):
        read_opinion(text, False)


@pytest.mark.parametrize("text", ["<reasoning>It", "<reasoning>r</reasoning><score>4", '{"score": '])
def test_what_was_cut_off_before_its_end_is_no_score(text: str) -> None:
    with pytest.raises(Unreadable):
        read_opinion(text, True)


@pytest.mark.parametrize(
    ("text", "plain", "ties"),
    [
        ("<answer>A</answer>", "A", "A"),
        ("<answer> b. </answer>", "B", "B"),
        ('{"answer": "B"}', "B", "B"),
        ("<reasoning>r</reasoning><answer>A</answer>", "A", "A"),
        ("<answer>tie</answer>", None, "tie"),
        ("<answer>Both bad</answer>", None, "both_bad"),
        ("<answer>both_bad</answer>", None, "both_bad"),
        ("<answer>A or B</answer>", None, None),
        ("<answer>A</answer> or <answer>B</answer>", None, None),
        ("<answer>C</answer>", None, None),
        ("A", None, None),
    ],
)
def test_choices_are_those_that_the_config_takes(text: str, plain: str | None, ties: str | None) -> None:
    for with_ties, meant in ((False, plain), (True, ties)):
        read = choice_reader(ties=with_ties)
        if meant is None:
            with pytest.raises(Unreadable):
                read(text, False)
        else:
            assert read(text, False)[0] == meant


def test_a_class_needs_no_reasoning() -> None:
    assert read_label_opinion("<answer>Edited</answer>", False) == (Label.EDITED, None)
    with pytest.raises(Unreadable):
        read_label_opinion("<answer>deepfake</answer>", False)


def test_the_shipped_prompts_have_their_places_and_those_of_others_may_have_more_braces() -> None:
    for name, form in (
        ("pointwise-v1", POINTWISE), ("pairwise-v1", PAIRWISE), ("pairwise-ties-v1", PAIRWISE),
    ):  # fmt: skip
        check_placeholders(load_prompt(f"judge/{name}"), form)
    check_placeholders(parse_prompt("own", "{response_a} {response_b} {A_or_B} {x: 1}"), PAIRWISE)
    for twice in ("<image>{image}", "<image><image>", "{image} {image}"):
        with pytest.raises(ConfigError, match="more than once"):
            check_placeholders(parse_prompt("own", f"{twice}{{candidate_response}}"), POINTWISE)


@given(TEXTS, TEXTS)
def test_no_text_gets_out_of_its_place_in_a_question(a: str, b: str) -> None:
    prompt = parse_prompt("own", "One <image> {response_a} two {response_b} {A_or_B}")
    values = {"response_a": candidate(a), "response_b": candidate(b)}
    parts = question(prompt, values)
    assert parts == ("One ", IMAGE, f" {values['response_a']} two {values['response_b']} {{A_or_B}}")
    assert "<image>" not in values["response_a"] + values["response_b"]


@given(TEXTS)
def test_a_turn_is_shown_as_it_is(text: str) -> None:
    turn = text.replace("<image>", "")
    assert "".join(whole_turn(f"{turn}<image>{text}")).replace(IMAGE, "<image>", 1) == f"{turn}<image>{text}"
    assert whole_turn("\0image") == (IMAGE, "image")


@given(TEXTS, st.sampled_from(Label))
def test_a_tagged_candidate_stays_what_the_dataset_would_hold(reasoning: str, label: Label) -> None:
    tagged = Rationale(reasoning, label).tagged()
    assert candidate(tagged) == tagged
    assert candidate(candidate(reasoning)) == candidate(reasoning)


def test_both_orders_swap_two_texts_and_nothing_else() -> None:
    turn = f"Reply <answer>A</answer> or <answer>B</answer>.\nA: {A}\nB: {B}\nEnd."
    shown = shown_by({"id": "1", "messages": [{"role": "user", "content": turn}], "images": ["x"]})
    assert shown.pair
    assert shown.swapped_turn() == turn.replace(A, "?").replace(B, A).replace("?", B)
    with pytest.raises(RowRefused):
        shown_by({"id": "1", "messages": [{"role": "user", "content": A}]}).swapped_turn()


@pytest.mark.parametrize(
    ("row", "texts"),
    [
        ({"candidate": "x"}, ("x",)),
        ({"response_a": "x", "response_b": "y"}, ("x", "y")),
        ({"triplet_id": 7, "caption_1": "x", "caption_2": "y"}, ("x", "y")),
        ({"ID": "7", "Output1": "x", "Output2": "y", "Better": "Output1"}, ("x", "y")),
        ({"id": "7", "query": "q", "response": ["x", "y"], "human_ranking": [0, 1]}, ("x", "y")),
        ({"prediction": {"rationale": "x", "label": "real"}}, (Rationale("x", Label.REAL).tagged(),)),
    ],
)
def test_the_texts_of_each_form_are_found(row: dict[str, Any], texts: tuple[str, ...]) -> None:
    shown = texts_of({"id": "1", **row})
    assert (shown.texts, shown.pair) == (texts, len(texts) == 2)
    assert shown.query == row.get("query")


def test_the_ids_of_exams_are_their_own() -> None:
    assert row_id({"triplet_id": 7, "id": "x"}) == 7
    assert row_id({"ID": "7"}) == "7"
    ranked = {"id": "7", "query": "q", "response": ["x", "y"], "human_ranking": [0, 1]}
    assert row_id(ranked) != row_id({**ranked, "response": ["x", "z"]})
    assert row_id({}) is None


@pytest.mark.parametrize(
    "row",
    [
        {}, {"image": None}, {"images": []}, {"images": ["a", "b"]}, {"images": "a"}, {"image": 5},
        {"images": [{"bytes": "x"}]},
    ],
)  # fmt: skip
def test_a_row_names_one_picture(row: dict[str, Any]) -> None:
    with pytest.raises(RowRefused):
        picture_of(row)


@pytest.mark.parametrize(
    "row",
    [
        {}, {"candidate": ""}, {"candidate": 5}, {"response_a": "x"}, {"response": ["x"]}, {"messages": "x"},
        {"messages": []}, {"messages": [{"role": "user"}]},
        {"messages": [{"role": "user", "content": "<image>"}]},
        {"messages": [{"role": "user", "content": "<image><image>x"}]}, {"messages": [5]},
        {"messages": [{"role": "user", "content": "x"}] * 2}, {"candidate": "x", "label": "deepfake"},
        {"candidate": "x", "label": 1},
    ],
)  # fmt: skip
def test_a_row_without_something_to_judge_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(RowRefused):
        texts_of({"id": "1", **row})


def said(value: Any, status: str = "ok") -> Answer[Any]:
    return Answer(status, value, None, None if status == "failed" else "r", "" if status == "ok" else "why")


@pytest.mark.parametrize(
    ("a", "b", "consistent"),
    [("A", "B", True), ("B", "A", True), ("A", "A", False), ("tie", "tie", True), ("both_bad", "tie", False)],
)
def test_a_choice_is_consistent_where_the_other_order_has_the_same_preference(
    a: str, b: str, consistent: bool
) -> None:
    verdict = chosen([said(a), said(b)])
    assert (verdict["status"], verdict["answer"], verdict["answer_swapped"]) == ("ok", a, b)
    assert verdict["consistent"] is consistent


def test_a_second_order_that_fails_has_the_row_asked_again_and_one_that_cannot_be_read_has_not() -> None:
    assert chosen([said("A"), said(None, "failed")])["status"] == "failed"
    unread = chosen([said("A"), said(None, "unparsable")])
    assert (unread["status"], unread["consistent"]) == ("ok", False)
    assert chosen([said(None, "unparsable"), said("A")])["status"] == "unparsable"
    assert "consistent" not in chosen([said("A")])


@given(st.sampled_from([*range(1, 6), None]), st.sampled_from([*range(1, 6), None]))
def test_scores_give_a_preference_only_where_both_are_there(a: int | None, b: int | None) -> None:
    both = [said(each, "ok" if each else "refused") for each in (a, b)]
    verdict = preferred(both)
    if a is None or b is None:
        assert (verdict["status"], verdict["answer"]) == ("refused", None)
    else:
        assert verdict["answer"] == ("tie" if a == b else "A" if a > b else "B")
    assert scored(both[:1])["score"] == a


def test_a_call_without_fields_asks_for_no_form_on_any_wire() -> None:
    call = Call("judge", "m", "m", "", ("What?",), None, {}, 0.0, 99, Place("1"))
    for schema in (True, False):
        config = OpenAIModel.model_validate({"backend": "openai", "model": "m"})
        body = json.loads(openai.request_body(call, config, openai.Dialect(schema=schema), None))
        assert "response_format" not in body
        assert body["messages"][0]["content"] == [{"type": "text", "text": "What?"}]
        of_google = GeminiModel.model_validate({"backend": "gemini", "model": "m"})
        sent = gemini.request_body(call, of_google, gemini.Dialect(schema=schema), None)
        assert not {"responseMimeType", "responseJsonSchema"} & sent["generationConfig"].keys()
        assert sent["contents"][0]["parts"] == [{"text": "What?"}]


def test_an_adapter_is_what_is_asked_of_a_server_of_ones_own() -> None:
    tree = {"backend": "vllm", "model": "base", "args": ["--lora-modules", "judge=/weights"]}
    assert VLLMModel.model_validate(tree).asked_as == "base"
    assert VLLMModel.model_validate(tree | {"adapter": "judge"}).asked_as == "judge"
    with pytest.raises(ValueError, match="no --lora-modules"):
        VLLMModel.model_validate({"backend": "vllm", "model": "base", "adapter": "judge"})
