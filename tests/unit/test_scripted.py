"""The scripted model: what its configuration asks for, and how recorded answers are found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.config.models import Faults, ScriptedModel
from dfj_bootstrap.endpoints.scripted.endpoint import behaviour_of
from dfj_bootstrap.endpoints.scripted.replay import FIELDS, Recorded, Recording, check_replay
from dfj_bootstrap.endpoints.scripted.server import ModelServer
from dfj_bootstrap.endpoints.scripted.wire import completion
from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.prompting.replies import read_rating, read_rationale

REQUEST = {"role": "generator", "seed": "s 1", "level": "3", "round": "0", "prompt": "Write."}


def body(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "double", "messages": [{"role": "user", "content": text}], **more}


def test_every_fault_that_can_be_ordered_is_a_kind_of_the_server() -> None:
    faults = Faults(**dict.fromkeys(Faults.model_fields, 0.1))
    rates = behaviour_of(ScriptedModel(backend="scripted", faults=faults)).rates
    assert len(rates) == len(Faults.model_fields)
    assert set(rates.values()) == {0.1}


def test_a_429_says_when_or_does_not() -> None:
    assert behaviour_of(ScriptedModel(backend="scripted", retry_after_s=1.5)).retry_after == "1.5"
    assert behaviour_of(ScriptedModel(backend="scripted", retry_after_s=None)).retry_after == ""


def test_more_faults_than_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 1"):
        Faults(server_errors=0.7, refusals=0.4)


def test_invented_answers_can_be_read_and_are_the_same_again() -> None:
    asked = body("Write the rationale of level 3. The class it names must be: real.")
    first = completion("answer", "generator", asked, 0.0)
    text = first["choices"][0]["message"]["content"]
    assert read_rationale(text)[1] == "real"
    assert "passably" in text
    assert completion("answer", "generator", asked, 0.0) == first
    shown = body("<reasoning>It arguably bends.</reasoning> <answer>fake</answer>", response_format={})
    rated = completion("answer", "evaluator", shown, 0.0)["choices"][0]["message"]["content"]
    assert read_rating(rated).score == 2


def test_the_line_that_says_most_wins_and_null_matches_anything() -> None:
    recording = Recording(
        [
            {"answer": "any"},
            {"answer": "role", "role": "generator", "level": None},
            {"answer": "place", "role": "generator", "seed": "s 1", "level": 3, "round": 0},
        ]
    )
    assert recording.find(REQUEST, "d") == Recorded("place")
    assert recording.find(REQUEST | {"level": "4"}, "d") == Recorded("role")
    assert recording.find(REQUEST | {"role": "evaluator"}, "d") == Recorded("any")


def test_without_a_line_that_fits_nothing_is_found() -> None:
    assert Recording().find(REQUEST, "d") is None
    assert Recording([{"answer": "x", "prompt": "Rate."}]).find(REQUEST, "d") is None


@given(st.lists(st.sampled_from(FIELDS), unique=True), st.text(max_size=5))
def test_a_line_is_found_by_whatever_it_says_of_its_request(names: list[str], digest: str) -> None:
    line = {"answer": "yes", **{name: REQUEST[name] for name in names}}
    assert Recording([line]).find(REQUEST, digest) == Recorded("yes")


def test_among_equal_lines_the_request_draws_always_the_same() -> None:
    recording = Recording([{"answer": str(n), "role": "generator"} for n in range(5)])
    found = [recording.find(REQUEST, f"digest {n}") for n in range(40)]
    assert len(set(found)) > 1
    assert found == [recording.find(REQUEST, f"digest {n}") for n in range(40)]


def test_a_recorded_refusal_is_one_again() -> None:
    choice = completion("answer", "generator", body("x"), 0.0, Recorded("No.", "refused"))["choices"][0]
    assert choice["message"]["refusal"] == "No."


@pytest.mark.parametrize("line", ["[1]", "{", '{"text": "x"}', '{"answer": 3}'])
def test_a_file_that_holds_something_else_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_text(json.dumps({"answer": "x"}) + "\n" + line + "\n")
    with pytest.raises(ConfigError, match=r"calls\.jsonl"):
        check_replay(ScriptedModel(backend="scripted", replay=path))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        check_replay(ScriptedModel(backend="scripted", replay=tmp_path / "gone"))


async def test_the_port_is_known_before_the_server_starts_and_free_after_it() -> None:
    server = ModelServer()
    port = server.port
    assert f":{port}/" in server.base_url
    await server.close()
    again = ModelServer()
    await again.close()
