"""Paths that a file system would take, though nobody can have meant a folder of that name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dfj_bootstrap.config.file import load_config
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.local_paths import local_path

ADDRESSES = [
    "s3://bucket/run",
    "gs://bucket",
    "https://host/x",
    "file://data/x",
    "dbfs://x",
    "me@host:runs/x",
]
TEMPLATES = [
    "$HOME/x",
    "${HOME}/x",
    "runs/{date}",
    "runs/%Y-%m-%d",
    "%USERPROFILE%/x",
    "runs/$(date)",
    "<run>",
]
WINDOWS = ["C:/runs", "C:\\runs", "runs\\x"]
ODD = ["runs/x ", " runs/x", "runs/a\nb", "runs/\x1b[31m"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        *((text, "is an address; write a path of this machine") for text in ADDRESSES),
        *((text, "is not filled in; write it out") for text in TEMPLATES),
        *((text, "is a path of Windows") for text in WINDOWS),
        *((text, "has blanks around it, or a line break") for text in ODD),
        ("~nobody-of-this-name/x", "home directory"),
        ("x" * 300, "File name too long"),
    ],
)  # fmt: skip
def test_what_names_nothing_here_is_refused_and_nothing_is_made(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ConfigError) as refused:
        local_path("output", Path(text), tmp_path)
    said = str(refused.value)
    assert said.startswith(f"`output`: {text!r} ")
    assert why in said.replace("which ", "")
    assert said.isprintable()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text",
    ["runs/x", "../x", "/data/x", "100%", "a:b", "c$/x", "runs/a b", "run-1,2", "größe", "x=1", "v1.2+3"],
)
def test_a_plain_name_is_taken_as_it_is(tmp_path: Path, text: str) -> None:
    assert local_path("output", Path(text), tmp_path) == (tmp_path / text).resolve()


@pytest.mark.parametrize("text", ["$HOME", "{date}", "a\\b", "me@host:x"])
def test_what_is_there_may_have_any_name(tmp_path: Path, text: str) -> None:
    (tmp_path / text).mkdir()
    assert local_path("output", Path(text), tmp_path) == tmp_path / text


def test_the_home_folder_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert local_path("output", Path("~/runs"), Path("/")) == tmp_path / "home" / "runs"


@pytest.mark.parametrize("field", ["seeds", "image_root", "output", "models.double.replay"])
def test_every_path_of_a_configuration_is_looked_at(tmp_path: Path, field: str) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump({"seeds": "s.jsonl", "models": {"double": {"backend": "scripted"}}}))
    with pytest.raises(ConfigError) as refused:
        load_config(Config, config, [f"{field}=s3://bucket/x"])
    assert str(refused.value).startswith(f"{config}: `{field}`: 's3://bucket/x' is an address")
    with pytest.raises(ConfigError, match="`seeds`: 'gs://b/x' is an address"):
        load_config(Config, config, ["seeds=[s.jsonl, 'gs://b/x']"])
