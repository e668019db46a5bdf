"""The shipped configs name models that are sold today, and that costs can be told for.

What is newest is asked of the price library, so that a newer list fails these tests once a config has aged.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo

from dfj_bootstrap.cli.check import check_run
from dfj_bootstrap.cli.plan import plan_run
from dfj_bootstrap.config.file import kind_in, load_config
from dfj_bootstrap.config.models import GeminiModel, OpenAIModel, VLLMModel
from dfj_bootstrap.config.paid import PaidModel
from dfj_bootstrap.config.roles import ROLES
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.domain.image_tokens import family
from dfj_bootstrap.endpoints.prices import is_sold, priced

CONFIGS = [
    path for path in sorted((Path(__file__).parents[2] / "configs").glob("*.yaml")) if kind_in(path) is Config
]
SELLERS = {OpenAIModel: "openai", GeminiModel: "google"}

every_config = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)


REAL = [
    model
    for path in CONFIGS
    for model in load_config(Config, path).models.values()
    if isinstance(model, OpenAIModel | GeminiModel | VLLMModel)
]
SOLD = [model for model in REAL if is_sold(model)]


def listed(model: PaidModel) -> ModelInfo:
    """What the price library says of a model."""
    (seller,) = (p for p in get_snapshot().providers if p.id == SELLERS[type(model)])
    found = seller.find_model(model.model)
    assert found is not None, f"{model.model} is in no price list"
    return found


def generation(name: str) -> int:
    """``5`` of ``gpt-5.4-mini``; 0 of what is no chat model of a numbered series."""
    match = re.match(r"(?:gpt|gemini)-(\d+)(?:\.\d+)?(?:-|$)", name)
    return int(match[1]) if match else 0


def newest(model: PaidModel) -> int:
    """The newest generation that a model's seller lists and has not retired."""
    (seller,) = (p for p in get_snapshot().providers if p.id == SELLERS[type(model)])
    return max(generation(each.id) for each in seller.models if not each.deprecated)


each_sold = pytest.mark.parametrize("model", SOLD, ids=lambda model: model.model)


def test_some_configs_are_for_models_that_are_sold() -> None:
    assert {type(model) for model in SOLD} == set(SELLERS)


@each_sold
def test_a_model_is_one_that_its_seller_still_sells_at_a_price_that_is_known(model: PaidModel) -> None:
    assert not listed(model).deprecated
    found = priced(model)
    assert found.prices is not None
    assert found.source.startswith("genai-prices "), "prices in a shipped config grow old"


@each_sold
def test_a_model_is_not_two_generations_old(model: PaidModel) -> None:
    assert 1 <= generation(model.model) <= newest(model) <= generation(model.model) + 1


@pytest.mark.parametrize(
    ("name", "number"),
    [("gpt-5.4-mini", 5), ("gpt-6", 6), ("gpt-4o", 0), ("gpt-image-2", 0), ("gemini-4", 4)],
)
def test_a_generation_is_the_number_behind_the_series(name: str, number: int) -> None:
    assert generation(name) == number


@pytest.mark.parametrize("model", REAL, ids=lambda model: model.model)
def test_the_tokens_of_a_picture_are_counted_by_a_rule_of_the_models_own_family(model: PaidModel) -> None:
    assert family(model.model), "counted as an unknown model's"


@every_config
def test_a_config_passes_its_check_with_any_key(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.setenv(name, "a-key-for-nothing")
    monkeypatch.setenv("PATH", f"{stand_in('vllm', tmp_path)}:{os.environ['PATH']}")
    found = check_run(elsewhere(path, tmp_path))
    assert found.exit_code == 0
    assert found.data["refused"] == []


@every_config
def test_a_plan_of_a_config_tells_its_cost_where_it_has_one(path: Path, tmp_path: Path) -> None:
    config = elsewhere(path, tmp_path)
    cost = plan_run(config).data["total"]["cost_usd"]
    played = [config.models[getattr(config, role).model] for role in ROLES]
    if any(isinstance(model, VLLMModel) for model in played):
        assert cost is None  # GPUs of one's own
    elif any(isinstance(model, PaidModel) for model in played):
        assert 0 < cost["low"] < cost["likely"] < cost["high"]
    else:
        assert cost == {"low": 0, "likely": 0, "high": 0}


def stand_in(command: str, folder: Path) -> Path:
    """A folder with a command of that name, since a check asks only whether it is there."""
    (folder / command).write_text("#!/bin/sh\n")
    (folder / command).chmod(0o755)
    return folder


def elsewhere(path: Path, folder: Path) -> Config:
    """A shipped config whose run would be kept in another folder."""
    without_torch = ["similarity.backend=lexical"]  # what is looked at here are models and keys
    return load_config(Config, path, without_torch).model_copy(update={"output": folder / "run"})
