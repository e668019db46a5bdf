"""The command line as a person meets it: real processes, their words, exit codes and what they leave."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import ESCAPES, balanced, python, refusal
from tests.support.model_server import Behaviour, read_log, server_process
from tests.support.runs import ROOT, dfj, model_config, status, tree_digest, write_config
from tests.support.seeds import BAD, seed_row, write_rows, write_seed_rows

COMMANDS = ("init", "check", "preview", "generate", "status")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with four seeds and a config for the rules."""
    write_seed_rows(tmp_path, 4)
    write_config(tmp_path)
    return tmp_path


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder with the broken and hostile rows."""
    shutil.copytree(BAD / "images", tmp_path / "in" / "images")
    shutil.copy(BAD / "rows.jsonl", tmp_path / "in" / "seeds.jsonl")
    write_config(tmp_path / "in", output="../out/run")
    return tmp_path


# Help and usage


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = dfj(command, "--help")
    assert done.returncode == 0
    assert f"Example: dfj {command} " in done.stdout
    assert f"Usage: dfj {command} " in done.stdout


def test_help_lists_the_commands_and_version_is_one_line() -> None:
    listed = dfj("--help").stdout
    assert all(f"\n  {command} " in listed for command in COMMANDS)
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", dfj("--version").stdout)


@pytest.mark.parametrize(
    "arguments",
    [[], ["generate"], ["bogus"], ["generate", "--bogus", "c.yaml"], ["preview", "c", "--n", "0"]],
)
def test_wrong_usage_exits_with_2_and_shows_the_usage(arguments: list[str]) -> None:
    done = dfj(*arguments)
    assert done.returncode == 2
    assert "Usage: dfj" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


# From nothing to a dataset


def test_init_check_generate_and_status_work_from_an_empty_folder(tmp_path: Path) -> None:
    done = dfj("init", "demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    config = (tmp_path / "demo" / "config.yaml").read_text()
    assert len(config.strip().splitlines()) == 5
    checked = dfj("check", "demo/config.yaml", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "6 good rows, 0 refused" in checked.stdout
    made = dfj("generate", "demo/config.yaml", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    run = tmp_path / "demo" / "runs" / "first"
    assert f"{run} is complete." in made.stdout
    assert "seeds        6 read" in made.stdout
    assert status(run)["state"] == "complete"
    again = dfj("generate", "demo/config.yaml", cwd=tmp_path)
    assert again.returncode == 0
    assert "complete already: nothing to do" in again.stdout


def test_init_takes_an_empty_folder_and_leaves_a_full_one_alone(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert dfj("init", tmp_path / "empty").returncode == 0
    before = tree_digest(tmp_path / "empty")
    assert "not an empty folder" in refusal(dfj("init", tmp_path / "empty"))
    assert tree_digest(tmp_path / "empty") == before
    assert "not an empty folder" in refusal(dfj("init", tmp_path / "empty" / "config.yaml"))


def test_init_says_in_one_line_where_it_may_not_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "Not a directory" in refusal(dfj("init", tmp_path / "file" / "new"))


def test_status_json_is_one_object_with_the_promised_fields(folder: Path) -> None:
    made = dfj("generate", folder / "config.yaml", "--json")
    assert made.returncode == 0, made.stderr
    assert made.stderr == ""
    found = status(folder / "run")
    promised = {
        "seeds": {"total", "complete", "incomplete", "failed", "pending", "refused"},
        "trajectories": {"accepted", "rejected", "failed", "pending"},
        "paraphrases": {"accepted", "rejected"},
        "calls": {"answered", "replayed", "retried"},
        "tokens": {"input", "output", "cached"},
    }
    for name, fields in promised.items():
        assert fields <= found[name].keys()
        assert all(isinstance(found[name][field], int) for field in fields)
    assert isinstance(found["cost_usd"], float)
    assert isinstance(found["wall_s"], float)
    assert "tally" not in found
    assert found["state"] == "complete"
    assert found["seeds"]["total"] == 4
    assert balanced(found)
    assert {name: json.loads(made.stdout)[name] for name in found} == found


def test_status_for_people_and_while_watching_ends_with_the_run(folder: Path) -> None:
    assert dfj("generate", folder / "config.yaml").returncode == 0
    shown = dfj("status", folder / "run").stdout
    assert f"{folder / 'run'}: complete (" in shown
    assert "trajectories" in shown
    watched = dfj("status", folder / "run", "--watch", "--json")
    assert watched.returncode == 0
    assert json.loads(watched.stdout)["state"] == "complete"


def test_status_of_no_run_is_refused(tmp_path: Path) -> None:
    assert "no run here" in refusal(dfj("status", tmp_path))
    assert "no run here" in refusal(dfj("status", tmp_path / "nothing", "--json"))


def test_a_limit_takes_the_first_rows_and_the_next_start_the_rest(folder: Path) -> None:
    first = dfj("generate", folder / "config.yaml", "--limit", "2")
    assert first.returncode == 0, first.stderr
    assert "the first 2 seeds are done; run again without --limit for the rest" in first.stdout
    found = status(folder / "run")
    assert found["seeds"]["complete"] + found["seeds"]["incomplete"] == 2
    assert balanced(found)
    assert dfj("generate", folder / "config.yaml").returncode == 0
    assert status(folder / "run")["seeds"]["total"] == 4


def test_into_a_pipe_go_plain_lines_at_every_change_of_state_without_bars_and_colours(folder: Path) -> None:
    done = dfj("generate", folder / "config.yaml")
    assert not ESCAPES.search(done.stdout + done.stderr)
    assert "━" not in done.stderr
    states = [line.split(":")[0] for line in done.stderr.splitlines()]
    assert list(dict.fromkeys(states)) == ["planning", "working", "assembling"]
    assert "20/20 levels" in done.stderr


def test_a_reader_that_goes_away_is_no_error(folder: Path) -> None:
    command = f"{_shell('generate', folder / 'config.yaml')} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


# What is wrong is said in one sentence


def test_check_lists_refused_rows_with_file_line_field_and_why(hostile: Path) -> None:
    config = hostile / "in" / "config.yaml"
    done = dfj("check", config)
    assert done.returncode == 0, done.stderr
    seeds = hostile / "in" / "seeds.jsonl"
    assert f"{seeds}:2: label: is missing; use real, fake or edited" in done.stdout
    assert f"{seeds}:7: annotations.0.box: -5 is outside the grid" in done.stdout
    assert "13 good rows, 26 refused" in done.stdout
    assert not ESCAPES.search(done.stdout + done.stderr)
    found = json.loads(dfj("check", config, "--json").stdout)
    assert found["good"] == 13
    assert len(found["refused"]) == 26
    assert set(found["refused"][0]) == {"file", "line", "field", "why", "id"}
    assert not (hostile / "out").exists()  # a check leaves nothing


def test_check_without_a_good_row_cannot_go_on(folder: Path) -> None:
    write_rows(folder / "seeds.jsonl", [seed_row(1, label="deepfake?")])
    said = refusal(dfj("check", folder / "config.yaml"))
    assert "no good row" in said
    assert "line 1 (seed-00001): label" in said


@pytest.mark.parametrize("command", ["check", "generate", "preview"])
@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (None, ["config.yaml: cannot read the config: No such file"]),
        ("seeds: [", ["config.yaml line 1, column 9: not valid YAML"]),
        ("sedes: seeds.jsonl", ["`sedes`: unknown key; did you mean `seeds`?"]),
        ("seeds: none.jsonl", ["none.jsonl: no such file; `seeds` must name the seeds file"]),
    ],
)
def test_a_config_that_will_not_do_is_refused_with_file_field_and_fix(
    folder: Path, command: str, text: str | None, parts: list[str]
) -> None:
    if text is None:
        (folder / "config.yaml").unlink()
    else:
        (folder / "config.yaml").write_text(text)
    said = refusal(dfj(command, folder / "config.yaml"))
    for part in parts:
        assert part in said


def test_a_broken_override_is_refused(folder: Path) -> None:
    said = refusal(dfj("generate", folder / "config.yaml", "--set", "refine"))
    assert "--set refine: write it as KEY=VALUE" in said


def test_without_a_key_nothing_is_sent_and_the_variable_is_named(folder: Path) -> None:
    config = write_config(folder, models={"m": {"backend": "openai", "model": "x"}}, generator={"model": "m"})
    for command in ("check", "generate"):
        said = refusal(dfj(command, config, key=""))
        assert "models.m: the environment variable OPENAI_API_KEY is not set" in said
        assert ".env" in said


def test_a_key_may_stand_in_a_env_file_beside_the_config(folder: Path) -> None:
    (folder / ".env").write_text("OPENAI_API_KEY=sk-from-the-file\nOTHER_KEY=sk-other\n")
    with server_process(Behaviour(key="sk-from-the-file"), folder / "log") as base_url:
        config = write_config(folder, **model_config(base_url))
        done = dfj("generate", config, "--limit", "1", key="", cwd="/")
        assert done.returncode == 0, done.stderr
        refused_key = dfj("generate", config, key="sk-from-the-environment-which-wins")
        assert refused_key.returncode == 2
    written = b"".join(path.read_bytes() for path in (folder / "run").rglob("*") if path.is_file())
    assert b"sk-from-the-file" not in written


def test_a_env_file_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / ".env").write_bytes(b"OPENAI_API_KEY=\xff\xfe")
    assert ".env: cannot read the keys" in refusal(dfj("check", folder / "config.yaml"))


def test_a_misspelt_placeholder_in_a_prompt_is_found_before_any_call(folder: Path) -> None:
    (folder / "mine.txt").write_text("Write for {lable}: {gold}")
    with server_process(Behaviour(), folder / "log") as base_url:
        values = model_config(base_url)
        values["generator"]["prompt"] = "mine.txt"
        config = write_config(folder, **values)
        for command in ("check", "generate"):
            said = refusal(dfj(command, config))
            assert "{lable}" in said
            assert "`label`" in said
    assert read_log(folder / "log") == []


def test_a_missing_extra_is_named_with_the_command_that_installs_it(folder: Path) -> None:
    config = write_config(folder, similarity={"backend": "sentence-transformers"})
    hide = "import sys; sys.modules['sentence_transformers'] = None; "
    call = "from dfj_bootstrap.cli.main import run; sys.exit(run(sys.argv[1:]))"
    done = python("-c", hide + call, "check", config)
    said = refusal(done)
    assert "dfj-bootstrap[embeddings]" in said
    assert "lexical" in said


def test_the_job_entry_point_ends_with_the_code_and_its_meaning(folder: Path) -> None:
    def job(*arguments: str) -> subprocess.CompletedProcess[str]:
        return python(ROOT / "jobs" / "generate.py", *arguments, cwd=folder)

    done = job("config.yaml", "--output", "job-run", "--set", "refine.max_rounds=2")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "exit code 0: done"
    assert status(folder / "job-run")["state"] == "complete"
    failed = job("none.yaml")
    assert failed.returncode == 2
    assert failed.stderr.splitlines()[-1] == "exit code 2: the run cannot go on"


def _shell(*arguments: str | Path) -> str:
    words = [sys.executable, "-m", "dfj_bootstrap", *map(str, arguments)]
    return f"cd {shlex.quote(str(ROOT))} && {shlex.join(words)}"
