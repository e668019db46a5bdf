"""``backend: swift`` in a configuration: what may stand there, and the command line that comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dfj_bootstrap.config.file import load_config
from dfj_bootstrap.config.models import SwiftModel
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.endpoints.prices import with_prices
from dfj_bootstrap.endpoints.swift.command import Sampling, infer_command, infer_environment, swift_command
from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.ms_swift.command import VARIABLE
from dfj_bootstrap.roles.generation import FORMS
from dfj_bootstrap.roles.identity import identity_of
from tests.support import stand_in_swift

PUBLISHED = {
    "--model": "MBZUAI/Qwen-2.5-VL-Instruct-7B-Pointwise-DFJ", "--max_new_tokens": "2048",
    "--temperature": "0", "--max_batch_size": "16", "--torch_dtype": "bfloat16", "--stream": "false",
    "--use_hf": "true", "--val_dataset": "/r/rows.jsonl", "--result_path": "/r/results.jsonl",
}  # fmt: skip
"""The flags of the published script."""

ADDED = {"--write_batch_size": "16"}
"""Else results are written every thousand rows."""


def model(**values: Any) -> SwiftModel:
    return SwiftModel.model_validate({"backend": "swift", "model": "Qwen/Qwen2.5-VL-3B-Instruct"} | values)


def load(folder: Path, **values: Any) -> Config:
    path = folder / "c.yaml"
    swift = {"backend": "swift", "model": "tiny", **values}
    tree = {"seeds": "s.jsonl", "models": {"judge": swift}, "evaluator": {"model": "judge"}}
    path.write_text(yaml.safe_dump(tree))
    return load_config(Config, path)


def test_the_flags_are_the_published_ones() -> None:
    judge = model(model=PUBLISHED["--model"])
    command = infer_command(
        Path("/e/swift"), judge, Sampling(0.0, 2048), 16, Path("/r/rows.jsonl"), Path("/r/results.jsonl")
    )
    assert command[:2] == ["/e/swift", "infer"]
    assert dict(zip(command[2::2], command[3::2], strict=True)) == PUBLISHED | ADDED
    env = infer_environment(judge)
    assert (env["MAX_PIXELS"], env["MIN_PIXELS"], env["IMAGE_FACTOR"]) == ("1003520", "3136", "28")


@pytest.mark.parametrize(
    ("name", "env", "flag"),
    [
        ("Qwen/Qwen2.5-VL-7B-Instruct", {"MAX_PIXELS": "12544", "MIN_PIXELS": "3136"}, []),
        ("Qwen/Qwen3-VL-8B-Instruct", {"IMAGE_MAX_TOKEN_NUM": "12", "IMAGE_MIN_TOKEN_NUM": "4"}, []),
        ("OpenGVLab/InternVL3-8B", {}, ["--max_pixels", "12544"]),
    ],
)
def test_limits_of_pictures_are_told_as_the_family_takes_them(
    name: str, env: dict[str, str], flag: list[str]
) -> None:
    judge = model(model=name, max_pixels=12544)
    told = infer_environment(judge)
    assert {key: told.get(key) for key in env} == env
    command = infer_command(Path("swift"), judge, Sampling(0.0, 9), 16, Path("r"), Path("o"))
    assert [word for word in command if word in ("--max_pixels", "12544")] == flag


def test_it_is_free_and_stays_so_when_its_prices_are_filled_in(tmp_path: Path) -> None:
    priced = with_prices(load(tmp_path))
    assert priced.models["judge"].model_dump()["prices"] == {"input": 0.0, "output": 0.0, "cached": None}
    assert Config.model_validate(priced.model_dump(mode="json")) == priced


def test_a_chunk_is_what_is_in_flight() -> None:
    assert model().max_in_flight == model().chunk == 256
    judge = model(chunk=7)
    assert judge.max_in_flight == 7
    assert SwiftModel.model_validate(judge.model_dump(mode="json")) == judge


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"max_in_flight": 3}, "`max_in_flight` is what `chunk` says here"),
        ({"requests_per_minute": 3}, "`requests_per_minute` is for servers"),
        ({"prices": {"input": 1, "output": 1}}, "`prices`: `swift infer` tells no tokens"),
        ({"max_attempts": 2}, "`max_attempts` is for servers"),
        ({"args": ["--val_dataset", "x"]}, "--val-dataset is set by the run itself"),
        ({"args": ["--result-path=x"]}, "--result-path is set by the run itself"),
    ],
)
def test_what_is_not_for_it_is_refused(tmp_path: Path, value: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, **value)
    assert said in str(caught.value)


def test_paths_start_from_the_folder_of_the_config(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    judge = load(tmp_path, adapter="out/checkpoint-2", command="env/bin/swift").models["judge"]
    assert isinstance(judge, SwiftModel)
    assert judge.model == str(tmp_path / "tiny")
    assert judge.adapter == tmp_path / "out" / "checkpoint-2"
    assert judge.command == tmp_path / "env" / "bin" / "swift"
    hub = load(tmp_path, model="Qwen/Qwen2.5-VL-3B-Instruct").models["judge"]
    assert isinstance(hub, SwiftModel)
    assert hub.model == "Qwen/Qwen2.5-VL-3B-Instruct"


def test_the_command_is_found_as_for_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = stand_in_swift.command_in(tmp_path)
    monkeypatch.setenv(VARIABLE, str(named))
    assert swift_command("judge", model()) == named
    assert swift_command("judge", model(command=named.parent / "python")) == named.parent / "python"
    with pytest.raises(ConfigError, match=r"models\.judge\.command: .* is no command"):
        swift_command("judge", model(command=tmp_path))


def test_the_adapter_is_known_by_its_files_wherever_they_are(tmp_path: Path) -> None:
    def adapter_of(**values: Any) -> Any:
        return identity_of(load(tmp_path, **values), FORMS)["evaluator"]["adapter"]

    here = tmp_path / "a"
    here.mkdir()
    assert adapter_of() is None
    assert adapter_of(adapter="a") == "missing"
    (here / "adapter_config.json").write_text("{}")
    (here / "adapter_model.safetensors").write_bytes(b"one")
    digest = adapter_of(adapter="a")
    (here / "trainer_state.json").write_text("{}")
    here.rename(tmp_path / "b")
    assert adapter_of(adapter="b") == digest
    (tmp_path / "b" / "adapter_model.safetensors").write_bytes(b"two!")
    assert adapter_of(adapter="b") not in (digest, "missing", None)
