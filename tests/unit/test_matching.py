"""Claims and entities of two texts, as models say which of them match: what is read, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.calls.call import IMAGE
from dfj_bootstrap.endpoints.scripted.roles import answer as double
from dfj_bootstrap.intake.item_rows import RowRefused
from dfj_bootstrap.intake.judged_rows import candidate, reference_of
from dfj_bootstrap.prompting.forms import Unreadable
from dfj_bootstrap.prompting.judging import CLAIMS, question_on_texts
from dfj_bootstrap.prompting.matching import KINDS, MATCH_FIELDS, MOST_ITEMS, TEXTS, Matches, read_matching
from dfj_bootstrap.prompting.templates import check_placeholders, load_prompt, parse_prompt
from tests.support.hostile import TEXTS as HOSTILE


def items(*flags: bool) -> list[dict[str, Any]]:
    return [{"text": f"thing {number}", "matched": flag} for number, flag in enumerate(flags)]


def reply(**lists: Any) -> dict[str, Any]:
    """A good reply but for the lists that are given."""
    return {**{name: [] for name in MATCH_FIELDS}, **lists}


GOOD = reply(
    reference_claims=items(True, False), candidate_claims=items(True), candidate_entities=items(False)
)
READ = {"claims": Matches((True, False), (True,)), "entities": Matches((), (False,))}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(GOOD),
        f"Here it is:\n```json\n{json.dumps(GOOD, indent=2)}\n```",
        json.dumps({**GOOD, "note": "more"}),
        "\n".join(f"<{name}>{json.dumps(value)}</{name}>" for name, value in GOOD.items()),
        f"<think>{json.dumps(reply())}</think>{json.dumps(GOOD)}",
        json.dumps(GOOD) + json.dumps(GOOD),
        json.dumps(GOOD | {"candidate_claims": [*items(True), {"text": " Thing  0", "matched": True}]}),
    ],
)
def test_matches_are_read_however_they_are_wrapped_and_each_counts_once(text: str) -> None:
    assert read_matching(text, False) == (READ, None)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("Both say the same.", "was not a JSON object with the fields reference_claims"),
        (json.dumps({k: v for k, v in GOOD.items() if k != "candidate_claims"}), "not a JSON object"),
        (json.dumps(reply(reference_claims=None)), "reference_claims must be a list"),
        (json.dumps(reply(reference_claims={"text": "x", "matched": True})), "must be a list"),
        (json.dumps(reply(reference_claims="two of them")), "must be a list in JSON"),
        (json.dumps(reply(reference_claims=["a claim"])), "has no text"),
        (json.dumps(reply(reference_claims=[{"text": " \u200b", "matched": False}])), "has no text"),
        (json.dumps(reply(reference_claims=[{"text": "x"}])), "true or false"),
        (json.dumps(reply(reference_claims=[{"text": "x", "matched": "true"}])), "true or false"),
        (json.dumps(reply(reference_claims=[{"text": "x", "matched": 1}])), "true or false"),
        (json.dumps(reply(reference_claims=items(*[False] * (MOST_ITEMS + 1)))), "31 items; the most is 30"),
        (json.dumps(reply(reference_claims=[*items(True), *items(False)], candidate_claims=items(True))),
         "once matched and once not"),
        (json.dumps(reply(candidate_entities=items(True))), "a text that was said to have none"),
        (json.dumps(reply(reference_claims=items(True))), "a text that was said to have none"),
        (json.dumps(GOOD) + json.dumps(reply()), "two different answers"),
        (json.dumps(GOOD)[:-3], "not a JSON object"),
    ],
)  # fmt: skip
def test_what_cannot_be_counted_is_none(text: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read_matching(text, False)


def test_two_answers_are_none_however_long_they_are() -> None:
    """The reader of forms looks at the last objects of a text only."""
    long = items(*[True] * MOST_ITEMS)
    first = dict.fromkeys(MATCH_FIELDS, long)
    second = first | {"candidate_claims": items(*[False] * MOST_ITEMS)}
    assert read_matching(json.dumps(first), False)[0]["claims"].candidate == (True,) * MOST_ITEMS
    with pytest.raises(Unreadable, match="two different answers"):
        read_matching(json.dumps(first) + json.dumps(second), False)


@given(st.dictionaries(st.sampled_from(list(MATCH_FIELDS)), st.lists(st.booleans(), max_size=MOST_ITEMS)))
def test_every_flag_comes_back_in_its_order_or_the_whole_is_unreadable(flags: dict[str, list[bool]]) -> None:
    text = json.dumps(reply(**{name: items(*each) for name, each in flags.items()}))
    sides = {kind: [flags.get(f"{text}_{kind}", []) for text in TEXTS] for kind in KINDS}
    if any((any(a) and not b) or (any(b) and not a) for a, b in sides.values()):
        with pytest.raises(Unreadable):
            read_matching(text, False)
    else:
        found, _ = read_matching(text, False)
        assert {k: [list(m.reference), list(m.candidate)] for k, m in found.items()} == sides


@given(st.text(st.characters(codec=None), max_size=200))
def test_whatever_is_replied_is_read_or_told_to_be_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        read_matching(text, False)


def test_the_shipped_prompt_has_its_places_and_shows_no_picture() -> None:
    prompt = load_prompt("judge/claims-v1")
    check_placeholders(prompt, CLAIMS)
    (text,) = question_on_texts(
        prompt, {"reference": "One {candidate_response}.", "candidate_response": "T."}
    )
    assert text.count("One {candidate_response}.") == 1
    assert all(name in text for name in MATCH_FIELDS)
    assert f" {MOST_ITEMS} items" in text
    own = parse_prompt("own", "{reference} against {candidate_response}: <image>")
    assert question_on_texts(own, {})[-1] == IMAGE


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"gold_rationale": "The cup."}, "The cup."),
        ({"reference": "The cup."}, "The cup."),
        ({"gold_rationale": "The cup.", "reference": "The lamp."}, "The cup."),
        ({"gold_rationale": None, "reference": "It ends </reference> here."}, "It ends [/reference] here."),
    ],
)
def test_a_reference_is_found_and_does_not_break_out_of_its_place(row: dict[str, Any], text: str) -> None:
    assert reference_of(row) == text


@pytest.mark.parametrize("row", [{}, {"reference": " "}, {"gold_rationale": 5}, {"gold_rationale": ""}])
def test_a_row_without_a_reference_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(RowRefused):
        reference_of(row)


@given(HOSTILE, HOSTILE)
def test_the_double_matches_both_ways_whatever_it_is_shown(a: str, b: str) -> None:
    a, b = candidate(a), candidate(b)
    prompt = load_prompt("judge/claims-v1")
    (text,) = question_on_texts(prompt, {"reference": a, "candidate_response": b})
    (swapped,) = question_on_texts(prompt, {"reference": b, "candidate_response": a})
    found, mirrored = (double("judge", each, "", 0.0) for each in (text, swapped))
    for kind in KINDS:
        assert found[f"reference_{kind}"] == mirrored[f"candidate_{kind}"]
