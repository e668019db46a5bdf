"""Refusals in words, beside observations that begin alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.language.refusals import is_refusal

REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I’m sorry, but I can’t assist with that request.",
    "I am sorry, I cannot comply.",
    "**I'm sorry, but I can't**",
    "Sorry, I can't do that.",
    "I apologize, but I cannot generate misleading content.",
    "I cannot assist with this request.",
    "I can't help with identifying people.",
    "I cannot identify real people in images.",
    "I'm unable to provide that.",
    "I am unable to assist.",
    "I'm not able to identify the person in this image.",
    "Unfortunately, I am not able to help with that.",
    "As an AI language model, I cannot judge photographs of people.",
    "I must decline to write misleading text.",
    "I won't write a misleading explanation.",
    "I can not provide a rating.",
    '{"reasoning": "I\'m sorry, but I can\'t assist with that.", "answer": "real"}',
    '```json\n{\n  "reasoning": "I cannot help with this.",\n  "answer": "fake"\n}\n```',
    "<reasoning>I cannot help with this.</reasoning> <answer>real</answer>",
]

OBSERVATIONS = [
    "I cannot see any seam in the picture.",
    "I can't find a fault.",
    "I cannot help but notice the sign.",
    "I cannot identify any trace of editing here.",
    "I am sorry to say the hand is wrong: it has six fingers.",
    "Unfortunately, I can't see where the wall ends.",
    "Unfortunately the text on the sign is unreadable.",
    "Sorry state of the fence: it merges with the wall.",
    "As an AI image this would be unusual: the text can be read.",
    "The man cannot provide a shadow.",
    '{"reasoning": "I cannot make out a seam, so it is real.", "answer": "real"}',
    "",
    "{}",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_in_words_is_recognised_whatever_it_is_wrapped_in(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize("text", OBSERVATIONS)
def test_an_observation_is_no_refusal(text: str) -> None:
    assert not is_refusal(text)


@given(st.text())
def test_no_text_is_too_odd(text: str) -> None:
    assert is_refusal(text) in (True, False)
