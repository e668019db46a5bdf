"""The configuration: strict, with defaults, and with errors that say file, field and fix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dfj_bootstrap.config.file import load_config
from dfj_bootstrap.config.models import OpenAIModel
from dfj_bootstrap.config.roles import ROLES
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.errors import ConfigError

OPENAI = {"backend": "openai", "model": "m"}


def load(folder: Path, *overrides: str, **values: Any) -> Config:
    path = folder / "c.yaml"
    path.write_text(yaml.safe_dump({"seeds": "seeds.jsonl"} | values), encoding="utf-8")
    return load_config(Config, path, overrides)


def complaint(folder: Path, text: str, *overrides: str) -> str:
    """What is said about a file of this text; it always starts with the file's name."""
    path = folder / "c.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(Config, path, overrides)
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
        ("seeds: x\noutput: ~", ["`output`: is empty", "put it in quotes"]),
        ("seeds: x\nrefine: {threshold: 4}", ["`refine.threshold`: 4 accepts every rating; ", "use 3"]),
        ("seeds: x\nrefine: {threshold: 12, gate: image-mad}", ["`refine.threshold`: 12 ", "use 11"]),
        ("seeds: x\nrefine: {threshold: -1}", ["`refine.threshold`: must be at least 0"]),
        ("seeds: x\nrefine: {max_rounds: 101}", ["`refine.max_rounds`: must be at most 100, not 101"]),
        ("seeds: x\nrefine: {max_rounds: '9999999999999999999999'}", ["`refine.max_rounds`: must be at"]),
        ("seeds: x\nengine: {workers: 1025}", ["`engine.workers`: must be at most 1024"]),
        ("seeds: x\ngenerator: {temperature: 2.01}", ["`generator.temperature`: must be at most 2"]),
        ("seeds: x\nwriter: {temperature: -.1}", ["`writer.temperature`: must be at least 0"]),
        ("seeds: x\nevaluator: {temperature: .nan}", ["`evaluator.temperature`: must be a finite number"]),
        ("seeds: x\nevaluator: {max_tokens: 1000001}", ["`evaluator.max_tokens`: must be at most 1000000"]),
        ("seeds: x\ngenerator: {rng_seed: 9223372036854775808}", ["`rng_seed` must have fewer digits"]),
        ("seeds: x\ndataset: {rng_seed: '-9223372036854775809'}", ["`rng_seed` must have fewer digits"]),
        ("seeds: x\nparaphraser: {count: 101}", ["`paraphraser.count`: must be at most 100"]),
        ("seeds: x\nparaphraser: {max_tries: 101}", ["`paraphraser.max_tries`: must be at most 100"]),
        ("seeds: x\nbudget_usd: nan", ["`budget_usd`: must be a finite number"]),
        ("seeds: x\nbudget_usd: -.inf", ["`budget_usd`: must be"]),
        ("seeds: x\nsimilarity: {max: 1.01}", ["`similarity.max`: must be at most 1"]),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_with_file_field_and_fix(
    tmp_path: Path, text: str, parts: list[str]
) -> None:
    said = complaint(tmp_path, text)
    for part in parts:
        assert part in said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("timeout_s: 0", "`models.f.timeout_s`: must be more than 0"),
        ("timeout_s: .inf", "`models.f.timeout_s`: must be a finite number"),
        ("timeout_s: 86401", "`models.f.timeout_s`: must be at most 86400"),
        ("timeout_s: 1:30", "`models.f.timeout_s`: must be a number, not '1:30'"),
        ("max_in_flight: 1e9", "`models.f.max_in_flight`: must be at most 100000"),
        ("max_attempts: 101", "`models.f.max_attempts`: must be at most 100"),
        ("prices: {input: -1, output: 1}", "`models.f.prices.input`: must be at least 0"),
        ("prices: {input: .nan, output: 1}", "`models.f.prices.input`: must be a finite number"),
        ("model: ''", "`models.f`: `model` must not be blank"),
        ("model: '  '", "`models.f`: `model` must not be blank"),
        ("model: ' gpt'", "`models.f`: `model` must not begin or end with a blank"),
        ("model: 4.5", "`models.f`: `model` must be text, not 4.5; put it in quotes"),
        ("model: on", "`models.f`: `model` must not be true; put it in quotes"),
        ("model: “gpt”", "`models.f`: `model` must not stand in typographic quotes ('“gpt”')"),
        ('model: "gpt\\u200b"', "`models.f`: `model` must not hold a character that can't be seen (U+200B)"),
        ('model: "gpt\\n4"', "`models.f`: `model` must not hold a character that can't be seen (U+000A)"),
        ('model: "gpt\\u00a04"', "`models.f`: `model` must not hold a character that can't be seen (U+00A0)"),
        ("api_key_env: ''", "`models.f`: `api_key_env` must not be blank"),
    ],
)  # fmt: skip
def test_a_value_that_a_model_cannot_have_is_refused(tmp_path: Path, value: str, said: str) -> None:
    told = complaint(
        tmp_path,
        "seeds: x\nmodels:\n  f:\n    backend: openai\n"
        + (f"    {value}" if value.startswith("model:") else f"    model: m\n    {value}"),
    )
    assert said in told


@pytest.mark.parametrize("name", ["", " ", "a ", "a\tb", "a\u200b"])
def test_a_model_must_have_a_name_that_can_be_seen(tmp_path: Path, name: str) -> None:
    tree = {"seeds": "x", "models": {name: OPENAI}}
    assert complaint(tmp_path, yaml.safe_dump(tree)).startswith(f": models: the name {name!r} must not ")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", 10),
        ("1e1", 10),
        ("1_0", 10),
        ("0xA", 10),
        ("+10", 10),
        ("10.0", 10),
        ("'10'", 10),
        ("1.0e+1", 10),
    ],
)
def test_numbers_are_read_as_they_look(tmp_path: Path, text: str, value: int) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"seeds: x\nrefine: {{max_rounds: {text}}}")
    assert load_config(Config, path).refine.max_rounds == value


def test_a_date_is_a_name_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("seeds: 2024-01-01.jsonl\noutput: 2024-01-01")
    assert load_config(Config, path).output == tmp_path / "2024-01-01"


def test_aliases_may_be_used_and_not_piled_up(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("seeds: x\ngenerator: &g {temperature: 0.5}\nparaphraser: {<<: *g, count: 2}")
    config = load_config(Config, path)
    assert (config.paraphraser.temperature, config.paraphraser.count) == (0.5, 2)
    layers = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert "more than 100,000 values" in complaint(
        tmp_path, "\n".join(["a0: &a0 [x]", *layers, "seeds: *a8"])
    )
    assert "an alias stands for something that it is a part of" in complaint(tmp_path, "seeds: &a [*a]")


def test_the_mark_at_the_start_that_editors_leave_is_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes("seeds: x".encode("utf-8-sig"))
    assert load_config(Config, path).seeds == tmp_path / "x"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seeds: x\n? [a]\n: b", " line 2, column 3: not valid YAML: keys must be words"),
        ("seeds: x\n---\nseeds: y", " line 2, column 1: not valid YAML: but found another document"),
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
        load_config(Config, path)
    for encoding in ("utf-16", "utf-16-le"):
        path.write_bytes("seeds: x".encode(encoding))
        with pytest.raises(ConfigError, match=r"c\.yaml: not valid YAML: "):
            load_config(Config, path)
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot read the config: No such file"):
        load_config(Config, tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot read the config: Is a directory"):
        load_config(Config, tmp_path)


@pytest.mark.parametrize("override", ["refine", "=3", "refine.=3", ".x=1", "refine..max_rounds=3"])
def test_an_override_without_key_and_value_is_refused(tmp_path: Path, override: str) -> None:
    said = complaint(tmp_path, "seeds: x", override)
    assert said == f"--set {override}: write it as KEY=VALUE, e.g. --set refine.max_rounds=2"


def test_an_override_below_a_value_or_with_broken_yaml_is_refused(tmp_path: Path) -> None:
    assert "`seeds` holds a value" in complaint(tmp_path, "seeds: x", "seeds.first=y")
    assert "not valid YAML" in complaint(tmp_path, "seeds: x", "refine={")


def test_an_override_of_an_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    assert "did you mean `max_rounds`?" in complaint(tmp_path, "seeds: x", "refine.max_round=2")
