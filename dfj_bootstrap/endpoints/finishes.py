"""How an answer ended, by the reason that the server gives: only what is known to be complete is.

Servers spell the reasons of the same few ends differently; they are told apart without case and prefix. A
filter's reason is recognised by its words, since each vendor has more of them every year.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.endpoints.wire import mapping
from dfj_bootstrap.language.refusals import is_refusal

_COMPLETE = frozenset(
    {"stop", "eos", "eos_token", "end_turn", "end_of_turn", "stop_sequence", "complete", "completed"}
)
_CUT_OFF = frozenset(
    {"length", "max_tokens", "max_length", "max_output_tokens", "model_length", "token_limit", "continuation"}
)
_FILTERED = re.compile(
    r"content_?filter|safety|prohibited|blocklist|blocked|refus|sensitive|spii|recitation|moderation|guardrail|"
    r"escalation|model_armor|toxic|policy|data_?inspection"
)
"""What the reasons of filters hold."""

_POLICY_CODE = re.compile(
    r"content_?filter|content_?policy|responsibleai|data_?inspection|moderation|prohibited_content|safety|sensitive"
)
_POLICY_WORDS = (
    "content management policy",
    "content policy",
    "content filter",
    "usage polic",
    "safety system",
    "flagged",
    "inappropriate content",
    "sensitive content",
    "敏感",
)

_PREFIX = re.compile(r"^finish_?reason[_.]")


def finish_of(reason: object, text: str) -> Finish:
    """How an answer ended.

    Args:
        reason: as the server gives it; ``None`` or empty where it doesn't say.
        text: what the model said: it may also refuse in words.
    """
    word = _word(reason)
    if is_filter(word):
        return Finish.REFUSED
    if word in _CUT_OFF:
        return Finish.LENGTH
    if word and word not in _COMPLETE:
        return Finish.INCOMPLETE
    if is_refusal(text):
        return Finish.REFUSED
    return Finish.STOP if word else Finish.UNTOLD


def is_filter(word: object) -> bool:
    """Whether a reason or a code is that of a content filter."""
    return _FILTERED.search(_word(word)) is not None


def is_policy_refusal(status: int, code: str, message: str) -> bool:
    """Whether a content filter, not the request's form, is why a server answered with an error."""
    words = message.lower()
    return status in (400, 403, 422, 451) and (
        _POLICY_CODE.search(code) is not None or any(policy in words for policy in _POLICY_WORDS)
    )


def filtered_for(answer: Mapping[str, Any]) -> str:
    """What a filter says of a prompt or an answer that it stopped, in one line; empty where none did."""
    return "; ".join(dict.fromkeys(_verdicts(answer)))


def _verdicts(answer: Mapping[str, Any]) -> Iterator[str]:
    for name in ("promptFeedback", "prompt_feedback"):
        feedback = mapping(answer.get(name))
        reason = feedback.get("blockReason") or feedback.get("block_reason")
        if reason:
            own = feedback.get("blockReasonMessage") or feedback.get("block_reason_message")
            yield "; ".join(
                str(word)
                for word in (f"the prompt was blocked: {reason}", own, *categories(feedback))
                if word
            )
    prompts = answer.get("prompt_filter_results") or answer.get("prompt_annotations")
    for each in prompts if isinstance(prompts, list) else []:
        yield from _results("the prompt", mapping(each).get("content_filter_results"))
    yield from _results("the answer", answer.get("content_filter_results"))


def categories(rated: Mapping[str, Any]) -> list[object]:
    """The categories that Google's filters blocked for."""
    ratings = rated.get("safetyRatings") or rated.get("safety_ratings")
    found = [mapping(rating) for rating in ratings] if isinstance(ratings, list) else []
    return [rating.get("category") for rating in found if rating.get("blocked")]


def _results(what: str, results: object) -> Iterator[str]:
    """Azure's verdicts, by category."""
    for category, result in mapping(results).items():
        if mapping(result).get("filtered") is True:
            yield f"{what} was blocked: {category}"


def _word(reason: object) -> str:
    if reason is None:
        return ""
    text = re.sub(r"[\s-]+", "_", str(reason).strip().lower())
    return _PREFIX.sub("", text)
