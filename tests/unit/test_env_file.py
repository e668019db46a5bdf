"""A `.env` beside the config: a line that sets nothing is named, and never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from dfj_bootstrap.cli.env_file import check_env_file
from dfj_bootstrap.errors import ConfigError

SECRET = "sk-0123456789"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n# a comment\n\n",
        f"OPENAI_API_KEY={SECRET}",
        f"export A='{SECRET}'\r\nB = \"x\ny\" # two lines\nC=\nd_1.x-y=a=b\n",
    ],
)
def test_a_file_that_sets_variables_is_good(tmp_path: Path, text: str) -> None:
    (tmp_path / ".env").write_text(text)
    check_env_file(tmp_path / ".env")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"A=1\nOPENAI_API_KEY: {SECRET}\n", 2),
        (f"A=1\n\n \n{SECRET}\nB=2\n", 4),
        (f"OPENAI_API_KEY {SECRET}", 1),
        (f"export OPENAI_API_KEY {SECRET}", 1),
        ("# c\nexport OPENAI_API_KEY\n", 2),
        (f"A=1\r\nB=2\r\n={SECRET}\r\n", 3),
        (f"A=1\nOPENAI_API_KEY='{SECRET}\nB=2\n", 2),
        (f"OPENAI_API_KEY='{SECRET}'x\n", 1),
        (f"$env:OPENAI_API_KEY={SECRET}\n", 1),
        (f"A=1\nOPENAI_API_KEY={SECRET}\0\n", 2),
    ],
)
def test_a_line_that_sets_nothing_is_named_and_not_shown(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / ".env"
    path.write_bytes(text.encode())
    with pytest.raises(ConfigError) as refused:
        check_env_file(path)
    assert str(refused.value) == f"{path} line {line}: write it as NAME=VALUE, with both quotes or none"


@pytest.mark.parametrize(
    ("encoding", "why"), [("utf-16", "not UTF-8 text; save it as UTF-8"), ("utf-8-sig", "byte order mark")]
)
def test_a_file_that_an_editor_saved_in_its_own_way_is_told(tmp_path: Path, encoding: str, why: str) -> None:
    path = tmp_path / ".env"
    path.write_bytes(f"OPENAI_API_KEY={SECRET}".encode(encoding))
    with pytest.raises(ConfigError, match=why) as refused:
        check_env_file(path)
    assert str(refused.value).startswith(f"{path}: cannot read the keys: it ")
    assert SECRET not in str(refused.value)


def test_no_file_and_a_folder_are_no_trouble(tmp_path: Path) -> None:
    check_env_file(tmp_path / ".env")
    check_env_file(tmp_path)
