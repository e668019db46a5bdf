"""Which refusals are believed at once, which are asked again, and what they come to then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dfj_bootstrap.calls.call import Call, Place
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.errors import CallFailed, EndpointRejected
from dfj_bootstrap.limits.breaker import MANY
from dfj_bootstrap.limits.broken import Doubtful
from dfj_bootstrap.limits.doubts import Doubts

CALL = Call("generator", "m", "tiny", "digest", ("Write.",), None, {}, 0.0, 100, Place("s", 2))
OTHER = replace(CALL, parts=("Write more.",))
REJECTED = EndpointRejected("the key")


def weighed(doubts: Doubts, status: int, call: Call = CALL, *, page: bool = False) -> Exception:
    return doubts.weighed(call, status, "no", REJECTED, page=page)


def doubted(doubts: Doubts, status: int, call: Call = CALL, *, page: bool = False) -> Doubtful:
    found = weighed(doubts, status, call, page=page)
    assert isinstance(found, Doubtful)
    assert not found.maybe_paid
    return found


@pytest.mark.parametrize("status", [401, 403, 404])
def test_before_any_answer_the_server_is_believed(status: int) -> None:
    assert weighed(Doubts("m"), status) is REJECTED


def test_the_answers_of_other_workers_count_too() -> None:
    assert weighed(Doubts("m", answered_before=lambda: True), 401) is REJECTED  # the key may be another one
    assert doubted(Doubts("m", answered_before=lambda: True), 403).verdict().finish is Finish.REFUSED
    assert doubted(Doubts("m", lambda: True), 403).verdict().finish is Finish.REFUSED


@pytest.mark.parametrize("status", [400, 402, 429])
def test_what_is_no_matter_of_access_is_believed_at_any_time(status: int) -> None:
    doubts = Doubts("m")
    doubts.answered(OTHER)
    assert weighed(doubts, status) is REJECTED


@pytest.mark.parametrize("status", [401, 404])
def test_after_answers_it_stops_the_run_only_where_nobody_was_answered_since(status: int) -> None:
    doubts = Doubts("m")
    doubts.answered(OTHER)
    doubted(doubts, status)
    with pytest.raises(EndpointRejected):
        doubted(doubts, status).verdict()
    last = doubted(doubts, status)
    doubts.answered(OTHER)
    with pytest.raises(CallFailed, match=f"models.m: .* {status}"):
        last.verdict()


def test_a_403_after_answers_concerns_its_call_alone() -> None:
    doubts = Doubts("m")
    doubts.answered(OTHER)
    reply = doubted(doubts, 403).verdict()
    assert (reply.text, reply.finish, reply.cost_usd) == ("no", Finish.REFUSED, 0.0)


def test_a_403_to_many_calls_and_no_answer_in_between_stops_the_run() -> None:
    doubts = Doubts("m")
    doubts.answered(OTHER)
    others = [doubted(doubts, 403, replace(CALL, parts=(str(n),))) for n in range(MANY)]
    with pytest.raises(EndpointRejected):
        doubted(doubts, 403).verdict()
    doubts.answered(OTHER)
    assert others[0].verdict().finish is Finish.REFUSED


def test_a_web_page_is_not_the_servers_own_word_but_no_refusal_of_a_call_before_any_answer() -> None:
    doubts = Doubts("m")
    page = doubted(doubts, 403, page=True)
    with pytest.raises(EndpointRejected):
        page.verdict()
