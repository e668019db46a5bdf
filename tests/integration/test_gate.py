"""The gate, on a clock that the test moves: who goes when, and who waits for what."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.calls.call import Call, Place, Reply
from dfj_bootstrap.config.models import OpenAIModel
from dfj_bootstrap.config.paid import Prices
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.errors import CallFailed, EndpointRejected, Stopped
from dfj_bootstrap.limits.breaker import FIRST_FAILURES, MANY, NEVER_UP_S, OUTAGE_S, Breaker, answered, broke
from dfj_bootstrap.limits.broken import Broken, Throttled
from dfj_bootstrap.limits.exchange import Grant, whole_of
from dfj_bootstrap.limits.gate import ALONE_S, Gate
from dfj_bootstrap.limits.purse import Purse
from dfj_bootstrap.limits.retries import PATIENCE_S
from tests.support.timers import ManualTimers, settled

ANSWER = Reply("ok", Finish.STOP, "tiny", input_tokens=60, output_tokens=40, cost_usd=0.001)


class Caller:
    """Sends attempts through a gate and ends them when the test says so."""

    def __init__(self, **limits: Any) -> None:
        self.timers = ManualTimers()
        self.purse = Purse()
        prices = Prices(input=1.0, output=1.0)
        self.model = OpenAIModel(backend="openai", model="tiny", prices=prices, **limits)
        self.gate = Gate("fast", self.model, prices, self.purse, self.timers)
        self.sent: list[str] = []
        self._ends: dict[str, asyncio.Future[None]] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def open(self, proven: bool = True) -> None:
        self.gate.grant(replace(whole_of(self.model), proven=proven))

    async def send(self, *names: str, **changes: Any) -> None:
        for name in names:
            self.tasks[name] = asyncio.create_task(self._attempt(name, a_call(**changes)))
            await settled()

    async def end(self, *names: str, error: Exception | None = None) -> None:
        for name in names:
            future = self._ends[name]
            if error:
                future.set_exception(error)
            else:
                future.set_result(None)
            await settled()

    async def _attempt(self, name: str, call: Call) -> None:
        self._ends[name] = asyncio.get_running_loop().create_future()
        async with self.gate.admitted(call) as permit:
            self.sent.append(name)
            await self._ends[name]
            permit.settle(ANSWER)

    async def close(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)  # what they raised was ordered


def a_call(role: str = "generator", try_index: int = 0, max_tokens: int = 100) -> Call:
    place = Place("seed", 2, try_index=try_index)
    return Call(role, "fast", "tiny", "digest", ("Write.",), None, {}, 0.0, max_tokens, place)


async def test_nothing_goes_before_the_first_grant_and_the_first_call_goes_alone() -> None:
    caller = Caller(max_in_flight=4)
    await caller.send("a", "b", "c")
    assert caller.sent == []
    caller.open(proven=False)
    await settled()
    assert caller.sent == ["a"]
    await caller.end("a")
    assert caller.sent == ["a", "b", "c"]
    await caller.close()


async def test_a_rejected_key_costs_one_call() -> None:
    caller = Caller(max_in_flight=4)
    caller.open(proven=False)
    await caller.send("a", "b", "c")
    await caller.end("a", error=EndpointRejected("the key"))
    await caller.timers.advance(100)
    assert caller.sent == ["a"]
    await caller.close()


async def test_a_first_call_that_takes_long_is_not_waited_for() -> None:
    caller = Caller(max_in_flight=4)
    caller.open(proven=False)
    await caller.send("a", "b", "c")
    await caller.timers.advance(ALONE_S + 0.1)
    assert caller.sent == ["a", "b", "c"]
    await caller.close()


async def test_calls_go_by_age_and_first_tries_at_paraphrases_after_what_chains_hang_on() -> None:
    caller = Caller(max_in_flight=1)
    caller.open()
    await caller.send("now")
    await caller.send("paraphrase", role="paraphraser")
    await caller.send("evaluation", role="evaluator")
    await caller.send("next try", role="paraphraser", try_index=1)
    await caller.send("generation")
    for name in ("now", "evaluation", "next try", "generation"):
        await caller.end(name)
    assert caller.sent == ["now", "evaluation", "next try", "generation", "paraphrase"]
    await caller.close()


async def test_a_call_that_is_cancelled_while_it_waits_takes_no_slot() -> None:
    caller = Caller(max_in_flight=1)
    caller.open()
    await caller.send("a", "b", "c")
    caller.tasks["b"].cancel()
    await settled()
    await caller.end("a")
    assert caller.sent == ["a", "c"]
    await caller.close()


async def test_a_smaller_grant_ends_no_call_and_lets_none_in() -> None:
    caller = Caller(max_in_flight=3)
    caller.open()
    await caller.send("a", "b", "c", "d", "e")
    caller.gate.grant(Grant(1, proven=True))
    await caller.end("a", "b")
    assert caller.sent == ["a", "b", "c"]
    await caller.end("c")
    assert caller.sent == ["a", "b", "c", "d"]
    await caller.close()


async def test_stopping_tells_who_waits_and_lets_calls_in_flight_end() -> None:
    caller = Caller(max_in_flight=1)
    caller.open()
    await caller.send("a", "b")
    caller.gate.stop_admission()
    await settled()
    assert isinstance(caller.tasks["b"].exception(), Stopped)
    await caller.end("a")
    assert caller.tasks["a"].exception() is None
    await caller.send("c")
    assert isinstance(caller.tasks["c"].exception(), Stopped)


async def test_requests_per_minute_are_kept_smoothly_and_used_fully() -> None:
    caller = Caller(max_in_flight=1000, requests_per_minute=60)
    caller.open()
    await caller.send(*(str(n) for n in range(40)))
    assert len(caller.sent) == 1
    counts = []
    for _ in range(6):
        before = len(caller.sent)
        await caller.timers.advance(5)
        counts.append(len(caller.sent) - before)
    assert counts == pytest.approx([5] * 6, abs=1)
    await caller.close()


async def test_tokens_are_reserved_by_estimate_and_settled_by_usage() -> None:
    caller = Caller(max_in_flight=1000, tokens_per_minute=6000)
    caller.open()
    await caller.send(*(str(n) for n in range(60)), max_tokens=400)
    await caller.timers.advance(30)
    reserved = len(caller.sent)
    assert 6 <= reserved <= 9  # 3000 tokens at about 400 each
    for name in list(caller.sent):
        await caller.end(name)
    await settled()
    assert len(caller.sent) >= reserved + 4  # 100 each were used, the rest was given back
    await caller.close()


async def test_a_lone_429_holds_back_its_own_call_only() -> None:
    caller = Caller(max_in_flight=4)
    caller.open()
    await caller.send("a", "b")
    await caller.end("a")
    await caller.end("b", error=Throttled("429", 30.0))
    await caller.send("c", "d", "e")
    assert caller.sent == ["a", "b", "c", "d", "e"]
    await caller.close()


async def test_429s_in_a_row_hold_back_all_for_as_long_as_was_asked() -> None:
    caller = Caller(max_in_flight=4)
    caller.open()
    await caller.send("a", "b", "c")
    await caller.end("a", "b", "c", error=Throttled("429", 7.0))
    await caller.send("d")
    await caller.timers.advance(6.9)
    assert "d" not in caller.sent
    await caller.timers.advance(0.2)
    assert "d" in caller.sent
    await caller.close()


async def test_the_slot_of_a_429_is_shut_for_about_one_answer() -> None:
    caller = Caller(max_in_flight=2)
    caller.open()
    await caller.send("a")
    await caller.timers.advance(2.0)
    await caller.end("a")
    await caller.send("b", "c", "d", "e")
    await caller.end("b", error=Throttled("429"))
    assert caller.sent == ["a", "b", "c"]
    await caller.timers.advance(2.1)
    assert caller.sent == ["a", "b", "c", "d"]
    await caller.close()


async def test_nothing_is_sent_while_the_server_says_that_nothing_is_left_of_its_rate() -> None:
    caller = Caller(max_in_flight=4)
    caller.open()
    caller.gate.used_up(62.0)
    await caller.send("a")
    await caller.timers.advance(61.9)
    assert caller.sent == []
    await caller.timers.advance(0.2)
    assert caller.sent == ["a"]
    await caller.close()


async def test_an_endpoint_that_keeps_failing_is_paused_and_probed_by_one_call() -> None:
    caller = Caller(max_in_flight=MANY)
    caller.open()
    names = [str(n) for n in range(MANY)]
    await caller.send(*names)
    await caller.end(*names, error=Broken("500"))
    await caller.send("probe", "b", "c")
    assert "probe" not in caller.sent
    await caller.timers.advance(0.6)
    assert "probe" in caller.sent
    assert "b" not in caller.sent
    await caller.end("probe", error=Broken("500"))
    await caller.timers.advance(0.6)
    assert "b" not in caller.sent  # the next pause is longer
    await caller.timers.advance(0.6)
    assert "b" in caller.sent
    await caller.end("b")
    assert "c" in caller.sent
    await caller.close()


async def test_an_outage_that_does_not_end_fails_who_waits_and_who_comes() -> None:
    caller = Caller(max_in_flight=MANY)
    caller.open()
    names = [str(n) for n in range(MANY)]
    await caller.send("first")
    await caller.end("first")
    await caller.send(*names)
    await caller.end(*names, error=Broken("no connection"))
    await caller.send("waits", role="paraphraser")
    await caller.send("probe 1")
    await caller.timers.advance(OUTAGE_S / 2)
    await caller.end("probe 1", error=Broken("no connection"))
    await caller.send("probe 2")
    await caller.timers.advance(OUTAGE_S / 2 + 1)
    await caller.end("probe 2", error=Broken("no connection"))
    with pytest.raises(CallFailed, match=r"models\.fast: no call was answered for 10 minutes: no connection"):
        await caller.tasks["waits"]
    await caller.send("comes")
    with pytest.raises(CallFailed):
        await caller.tasks["comes"]
    await caller.timers.advance(31)
    await caller.send("probe 3")
    await caller.end("probe 3")
    await caller.send("goes")
    assert caller.sent[-1] == "goes"
    await caller.close()


async def test_a_server_that_never_answered_ends_the_run_with_the_last_cause() -> None:
    caller = Caller(max_in_flight=4)
    caller.open(proven=False)
    names = [str(n) for n in range(FIRST_FAILURES)]
    await caller.send(*names, "waits")
    for name in names[:-1]:
        await caller.end(name, error=Broken("no connection"))
        await caller.timers.advance(NEVER_UP_S / (FIRST_FAILURES - 1) + 0.1)
    assert caller.sent == names  # one at a time
    await caller.end(names[-1], error=Broken("a web page"))
    for name in (names[-1], "waits"):
        with pytest.raises(
            EndpointRejected, match=r"models\.fast: none of 5 attempts was answered: a web page"
        ):
            await caller.tasks[name]
    await caller.send("comes")
    with pytest.raises(EndpointRejected):
        await caller.tasks["comes"]
    assert "waits" not in caller.sent
    await caller.close()


@pytest.mark.parametrize("known", ["answered here", "answered elsewhere", "few", "soon"])
async def test_a_server_that_answered_anyone_or_failed_seldom_is_not_given_up(known: str) -> None:
    caller = Caller(max_in_flight=4)
    caller.gate.grant(replace(whole_of(caller.model), answered=known == "answered elsewhere"))
    if known == "answered here":
        await caller.send("first")
        await caller.end("first")
    failures = FIRST_FAILURES - 1 if known == "few" else MANY - 1
    for name in map(str, range(failures)):
        await caller.send(name)
        await caller.timers.advance(0.5 if known == "soon" else 40)
        await caller.end(name, error=Broken("no connection"))
        with pytest.raises(Broken):
            await caller.tasks[name]
    await caller.close()


async def test_a_429_is_no_answer_and_no_failure_of_the_server() -> None:
    caller = Caller(max_in_flight=4)
    caller.open(proven=False)
    for name in map(str, range(2 * FIRST_FAILURES)):
        await caller.send(name)
        await caller.timers.advance(40)
        await caller.end(name, error=Throttled("429"))
    assert not caller.gate.demand().answered
    await caller.send("last")
    await caller.timers.advance(40)
    await caller.end("last")
    assert caller.gate.demand().answered
    await caller.close()


@pytest.mark.parametrize("asked", [None, 0.0, 0.01, 1.0])
@pytest.mark.parametrize("proven", [True, False])
async def test_a_server_that_says_429_for_ever_is_asked_seldom_and_told_of_once_a_minute(
    asked: float | None, proven: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caller = Caller(max_in_flight=16)
    caller.open(proven=proven)
    minutes, ended = 5, 0
    for second in range(minutes * 600):
        await caller.send(*(f"{second}-{n}" for n in range(2)) if second < 100 else ())
        for name in caller.sent[ended:]:
            await caller.end(name, error=Throttled("429", asked))
        ended = len(caller.sent)
        await caller.timers.advance(0.1)
    assert ended <= 16 + 10 + 3 * minutes
    told = [record for record in caplog.records if "429" in record.getMessage()]
    assert 2 <= len(told) <= minutes + 1
    await caller.close()


async def test_an_answer_ends_the_pause_that_no_server_asked_for() -> None:
    caller = Caller(max_in_flight=4)
    caller.open()
    await caller.send("a", "b", "c", "d")
    await caller.end("a", "b", "c", error=Throttled("429"))
    await caller.send("e")
    assert "e" not in caller.sent
    await caller.end("d")
    await caller.timers.advance(0.01)
    assert "e" in caller.sent
    await caller.close()


async def test_a_wait_is_told_as_it_will_be_obeyed(caplog: pytest.LogCaptureFixture) -> None:
    caller = Caller(max_in_flight=4)
    caller.open()
    await caller.send("a", "b", "c")
    await caller.end("a", "b", "c", error=Throttled("429", 86_400.0))
    assert f"nothing is sent for {PATIENCE_S:.1f} s" in caplog.text
    await caller.close()


async def test_dollars_are_set_aside_before_a_call_and_settled_by_its_answer() -> None:
    caller = Caller(max_in_flight=4)
    asked: list[bool] = []
    caller.purse.on_short = lambda: asked.append(True)
    need = caller.gate.need_of(a_call()).usd
    caller.purse.allow(need * 1.5)
    caller.open()
    await caller.send("a", "b")
    assert caller.sent == ["a"]
    assert asked == [True]
    report = caller.purse.report()
    assert report.reserved == pytest.approx(need)
    assert report.next_call == pytest.approx(need)
    await caller.end("a")
    assert caller.purse.report().spent == pytest.approx(0.001)
    caller.purse.allow(0.001 + need)
    await settled()
    assert caller.sent == ["a", "b"]
    await caller.close()


def test_the_worst_case_covers_any_tokeniser_and_the_whole_answer() -> None:
    gate = Caller().gate
    need = gate.need_of(a_call(max_tokens=500))
    assert need.usd * 1e6 >= len("Write.") + 500
    assert need.tokens >= 500


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 10)), max_size=100))
def test_a_breaker_is_open_only_after_many_failures_in_a_row(events: list[tuple[bool, float]]) -> None:
    state, now, row = Breaker(), 0.0, 0
    for works, pause in events:
        now += pause + 0.001
        state = answered(state) if works else broke(state, now - 0.0005, now)
        row = 0 if works else row + 1
        assert state.in_a_row == row
        assert state.is_open == (row >= MANY)
        assert state.until - now <= 30 or not state.is_open
