"""Prices: the configuration's win, the library's fill in, and nothing is guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from dfj_bootstrap.config.models import GeminiModel, OpenAIModel, ScriptedModel, VLLMModel
from dfj_bootstrap.config.paid import Prices
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.endpoints.prices import is_sold, price_notes, priced, prices_of, with_prices


def openai_model(name: str, **fields: object) -> OpenAIModel:
    return OpenAIModel.model_validate({"backend": "openai", "model": name, **fields})


def test_a_model_of_the_openai_server_is_priced_by_the_library() -> None:
    found = priced(openai_model("gpt-6-luna"))
    assert found.prices is not None
    assert 0 < found.prices.input < found.prices.output
    assert found.prices.cached is not None
    assert found.prices.cached < found.prices.input
    assert found.source.startswith("genai-prices ")


def test_prices_in_the_config_win_over_the_library() -> None:
    own = Prices(input=1.5, output=2.5)
    assert priced(openai_model("gpt-6-luna", prices=own)).prices == own
    assert priced(openai_model("gpt-6-luna", prices=own)).source == "config"


@pytest.mark.parametrize(
    ("name", "base_url"),
    [
        ("gpt-6-luna", "http://127.0.0.1:8000/v1"),
        ("gpt-6-luna", "https://models.example.org/v1"),
        ("gpt-6-luna-of-my-own", None),
        ("no such model", None),
    ],
)
def test_a_model_that_the_library_does_not_list_for_that_server_has_no_price(
    name: str, base_url: str | None
) -> None:
    assert priced(openai_model(name, base_url=base_url)).prices is None
    assert priced(openai_model(name, base_url=base_url)).as_row() == {"source": None}


def test_a_model_that_is_charged_by_the_call_as_well_has_no_price() -> None:
    assert prices_of(openai_model("sonar", base_url="https://api.perplexity.ai")) is None


@pytest.mark.parametrize(
    ("name", "base_url"),
    [
        ("openai/gpt-6-sol", "https://openrouter.ai/api/v1"),
        ("gpt-6-sol", "https://me.openai.azure.com/openai/v1/"),
        ("gemini-3.8-flash", "https://generativelanguage.googleapis.com/v1beta/openai/"),
    ],
)
def test_servers_that_sell_models_are_known_by_their_address(name: str, base_url: str) -> None:
    assert prices_of(openai_model(name, base_url=base_url))


def test_gemini_is_priced_at_google_but_not_behind_a_gateway() -> None:
    google = GeminiModel(backend="gemini", model="gemini-3.8-flash")
    assert prices_of(google)
    assert prices_of(google.model_copy(update={"base_url": "http://127.0.0.1:1"})) is None


def test_a_config_gets_its_prices_once_and_keeps_all_else() -> None:
    config = config_of(fast={"model": "gpt-6-luna"}, own={"model": "x"})
    full = with_prices(config)
    fast, own = full.models["fast"], full.models["own"]
    assert isinstance(fast, OpenAIModel)
    assert isinstance(own, OpenAIModel)
    assert fast.prices == prices_of(openai_model("gpt-6-luna"))
    assert own.prices is None
    assert full.model_copy(update={"models": config.models}) == config


def test_the_run_folder_is_told_where_each_price_comes_from() -> None:
    notes = price_notes(
        config_of(a={"model": "gpt-6-luna"}, b={"model": "x", "prices": PRICES}, c={"model": "x"})
    )
    assert set(notes) == {"a", "b", "c"}
    assert notes["a"]["source"].startswith("genai-prices ")
    assert notes["b"] == {"source": "config", "input": 1.0, "output": 2.0, "cached": None}
    assert notes["c"] == {"source": None}


def config_of(**models: dict[str, object]) -> Config:
    tree = {name: {"backend": "openai", **fields} for name, fields in models.items()}
    return Config.model_validate({"seeds": Path("seeds.jsonl"), "models": tree})


PRICES = {"input": 1, "output": 2}


def test_a_model_that_runs_here_is_sold_by_nobody() -> None:
    assert is_sold(openai_model("x"))
    assert not is_sold(VLLMModel(backend="vllm", model="/models/x"))
    assert not is_sold(ScriptedModel(backend="scripted"))
    assert prices_of(VLLMModel(backend="vllm", model="gpt-6-luna")) is None
