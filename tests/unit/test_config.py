"""The configuration: strict, with defaults, and with errors that say file, field and fix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dfj_bootstrap.config import ROLES, Config, OpenAIModel
from dfj_bootstrap.config_file import load_config
from dfj_bootstrap.errors import ConfigError

OPENAI = {"backend": "openai", "model": "m"}


def load(folder: Path, *overrides: str, **values: Any) -> Config:
    path = folder / "c.yaml"
    path.write_text(yaml.safe_dump({"seeds": "seeds.jsonl"} | values), encoding="utf-8")
    return load_config(path, overrides)


def complaint(folder: Path, text: str, *overrides: str) -> str:
    """What is said about a file of this text; it always starts with the file's name."""
    path = folder / "c.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    said = str(caught.value)
    assert "\n" not in said
    assert "pydantic" not in said
    return said.removeprefix(str(path))


def test_five_lines_are_enough(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert config.seeds == tmp_path / "seeds.jsonl"
    assert config.output == tmp_path / "runs" / "default"
    assert {getattr(config, role).model for role in ROLES} == {"rules"}
    assert (config.refine.threshold, config.refine.max_rounds, config.refine.gate) == (0, 4, "per-level")
    assert (config.paraphraser.count, config.paraphraser.max_tries) == (5, 3)
    assert (config.similarity.min, config.similarity.max) == (0.80, 0.99)


def test_relative_paths_start_from_the_folder_of_the_config(tmp_path: Path) -> None:
    prompt = tmp_path / "mine" / "v7.txt"
    prompt.parent.mkdir()
    prompt.write_text("text")
    config = load(
        tmp_path,
        seeds=["a.jsonl", "/data/b.jsonl"],
        image_root="../pictures",
        output="out",
        generator={"prompt": "mine/v7.txt"},
    )
    assert config.seed_files == [tmp_path / "a.jsonl", Path("/data/b.jsonl")]
    assert config.image_root == tmp_path.parent / "pictures"
    assert config.output == tmp_path / "out"
    assert config.generator.prompt == str(prompt)
    assert config.evaluator.prompt == "evaluator/v1"


def test_overrides_win_and_are_read_as_yaml(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        "refine.max_rounds=2",
        "models.fast={backend: openai, model: x}",
        "models.fast.prices.input=0.5",
        "models.fast.prices.output=1",
        "generator.model=fast",
        "image_root=null",
        "similarity.model=a=b",
        refine={"max_rounds": 3, "threshold": 1},
    )
    assert (config.refine.max_rounds, config.refine.threshold) == (2, 1)
    fast = config.models["fast"]
    assert isinstance(fast, OpenAIModel)
    assert fast.prices
    assert fast.prices.input == 0.5
    assert config.similarity.model == "a=b"


def test_the_rules_are_always_there_and_other_models_beside_them(tmp_path: Path) -> None:
    assert set(load(tmp_path, models={"fast": OPENAI}).models) == {"fast", "rules"}


def test_a_configuration_holds_the_names_of_keys_and_never_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    assert "sk-secret" not in load(tmp_path, models={"fast": OPENAI}).model_dump_json()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("sedes: x", ["`sedes`: unknown key", "`seeds`"]),
        ("seeds: x\nrefine: {max_round: 3}", ["`refine.max_round`", "`max_rounds`"]),
        ("seeds: x\nzzz: 1", ["`zzz`: unknown key; known: "]),
        ("seeds: x\ngenerator: {temprature: 1}", ["`generator.temprature`", "`temperature`"]),
        ("seeds: x\nmodels: {f: {backend: openai, timeout: 3}}", ["`models.f.timeout`", "`timeout_s`"]),
        ("seeds: x\nmodels: {openai: {backend: openai, model: m, keys: 3}}", ["`models.openai.keys`"]),
        ("seeds: x\nmodels: {r: {backend: rules, model: m}}", ["`models.r.model`", "known: backend"]),
        (
            "seeds: x\nmodels: {f: {backend: openai, model: m, prices: {input: 1, outptu: 2}}}",
            ["`models.f.prices.outptu`", "`output`", "(and 1 more)"],
        ),
        ("seeds: x\nmodels: {f: {backend: opneai}}", ["`models.f`: unknown `backend` 'opneai'", "`openai`"]),
        ("seeds: x\nmodels: {f: {model: m}}", ["`models.f`: needs a `backend`"]),
        ("seeds: x\nmodels: {f: }", ["`models.f`: must be a section", "not empty"]),
        ("seeds: x\nmodels: [f]", ["`models`: must be a section", "not ['f']"]),
        ("seeds: x\nmodels: {f: {backend: openai}}", ["`models.f.model`: missing"]),
        ("output: x", ["`seeds`: missing; it has no default"]),
        ("seeds: 3", ["`seeds`: 3 is not a path"]),
        ("seeds: []", ["`seeds`: names no file"]),
        ("seeds: [a, 4]", ["`seeds`: 4 is not a path"]),
        ('seeds: ""', ["`seeds`: '' is not a path"]),
        ('seeds: "a\\0b"', ["`seeds` must not hold a null character"]),
        ("seeds: x\noutput: 2024", ["`output`: 2024 is not a path"]),
        ("seeds: ~nobody-of-this-name/x", ["home directory"]),
        ("seeds: x\nrefine: {max_rounds: many}", ["`refine.max_rounds`: must be a whole number, not 'many'"]),
        ("seeds: x\nrefine: {max_rounds: 0}", ["`refine.max_rounds`: must be at least 1, not 0"]),
        ("seeds: x\nrefine: {threshold: 1.5}", ["`refine.threshold`: must be a whole number, not 1.5"]),
        ("seeds: x\nrefine: {gate: per_level}", ["`refine.gate`: must be 'per-level' or 'image-mad'"]),
        ("seeds: x\nrefine: 3", ["`refine`: must be a section of `key: value` lines, not 3"]),
        ("seeds: x\nrefine:", ["`refine`: must be a section", "not empty"]),
        ("seeds: x\nengine: {workers: yes}", ["`engine`: `workers` must not be true"]),
        ("seeds: x\ntracing_headers: 7", ["`tracing_headers`: must be true or false, not 7"]),
        ("seeds: x\ndataset: {test_fraction: .nan}", ["`dataset.test_fraction`: must be a finite number"]),
        ("seeds: x\ndataset: {test_fraction: 2}", ["`dataset.test_fraction`: must be at most 1, not 2"]),
        ("seeds: x\nsimilarity: {min: 0.9, max: 0.1}", ["`similarity`: min (0.9) is above max (0.1)"]),
        ("seeds: x\ngenerator: {model: ruls}", ["generator.model: no model named 'ruls'", "`rules`"]),
        ('seeds: x\ngenerator: {prompt: "a\\0"}', ["`generator`: `prompt` must not hold a null character"]),
        ("seeds: x\n1: 2", ["`1`: keys must be words"]),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_with_file_field_and_fix(
    tmp_path: Path, text: str, parts: list[str]
) -> None:
    said = complaint(tmp_path, text)
    for part in parts:
        assert part in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seeds: [", " line 1, column 9: not valid YAML: "),
        ("seeds: x\nseeds: y", " line 2, column 1: not valid YAML: the key `seeds` stands twice"),
        ("seeds: x\nrefine:\n  max_rounds: 1\n  max_rounds: 2", " line 4, column 3: not valid YAML: "),
        ("seeds: x\n\tbad: tab", " line 2, column 1: not valid YAML: "),
        ("seeds: !!python/object/apply:os.system [true]", " line 1, column 8: not valid YAML: "),
        ("seeds: \x07", ": not valid YAML: "),
        ("- seeds", ": the config must be a mapping"),
        ("", ": the config must be a mapping"),
        ("[" * 5000, ": not valid YAML: "),
    ],
)
def test_what_is_no_yaml_mapping_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    assert complaint(tmp_path, text).startswith(said)


def test_a_file_that_is_not_text_or_not_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"seeds: caf\xe9")
    with pytest.raises(ConfigError, match=r"c\.yaml: not valid YAML: not UTF-8 text \(byte 11\)"):
        load_config(path)
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot read the config: No such file"):
        load_config(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot read the config: Is a directory"):
        load_config(tmp_path)


@pytest.mark.parametrize("override", ["refine", "=3", "refine.=3", ".x=1", "refine..max_rounds=3"])
def test_an_override_without_key_and_value_is_refused(tmp_path: Path, override: str) -> None:
    said = complaint(tmp_path, "seeds: x", override)
    assert said == f"--set {override}: write it as KEY=VALUE, e.g. --set refine.max_rounds=2"


def test_an_override_below_a_value_or_with_broken_yaml_is_refused(tmp_path: Path) -> None:
    assert "`seeds` holds a value" in complaint(tmp_path, "seeds: x", "seeds.first=y")
    assert "not valid YAML" in complaint(tmp_path, "seeds: x", "refine={")


def test_an_override_of_an_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    assert "did you mean `max_rounds`?" in complaint(tmp_path, "seeds: x", "refine.max_round=2")
