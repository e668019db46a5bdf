"""What a run will cost and has cost: ``plan``, ``check --live``, the question of ``generate``, costs."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dfj_bootstrap.cli.plan import confirm_cost, likely_cost
from dfj_bootstrap.config.file import load_config
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.estimate.forecast import SAMPLE, forecast
from tests.support.model_server import Behaviour, read_log, server_process
from tests.support.runs import ENVIRONMENT, KEY, dfj, model_config, status, write_config
from tests.support.seeds import write_seed_rows

SEEDS = 12
PRICES = {"input": 1.0, "cached": 0.5, "output": 4.0}

FACTOR = 1.3
"""How far the likely figures may be off after a preview of a third of the seeds."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_seed_rows(tmp_path, SEEDS)
    return tmp_path


def plan(config: Path, *arguments: str) -> dict[str, Any]:
    done = dfj("plan", config, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def in_order(tree: Any) -> int:
    """How many low – likely – high triples a report holds, all of them in order."""
    if not isinstance(tree, dict):
        return 0
    if set(tree) == {"low", "likely", "high"}:
        assert 0 <= tree["low"] <= tree["likely"] <= tree["high"]
        return 1
    return sum(in_order(inner) for inner in tree.values())


def unreachable(**limits: Any) -> dict[str, Any]:
    """A model on a port where nobody listens: planning must not call."""
    return model_config("http://127.0.0.1:9/v1", **limits)


def test_a_run_of_the_rules_is_free(folder: Path) -> None:
    config = write_config(folder)
    done = dfj("plan", config)
    assert done.returncode == 0
    assert "free" in done.stdout
    assert plan(config)["total"]["cost_usd"] == {"low": 0, "likely": 0, "high": 0}


def test_the_plan_is_made_without_a_call_a_key_or_a_trace(folder: Path) -> None:
    config = write_config(folder, **unreachable(prices=PRICES))
    before = sorted(folder.rglob("*"))
    found = plan(config)
    assert in_order(found) > 20
    assert found["total"]["calls"]["low"] > SEEDS * 20
    assert found["total"]["cost_usd"]["low"] > 0
    assert found["endpoints"]["double"]["prices"]["source"] == "config"
    assert sorted(folder.rglob("*")) == before


def test_more_seeds_cost_more_and_a_limit_cuts_them(folder: Path) -> None:
    config = write_config(folder, **unreachable(prices=PRICES))
    few, all_ = (plan(config, "--limit", str(n))["total"] for n in (4, SEEDS))
    for figure in ("low", "likely", "high"):
        assert all_["calls"][figure] == pytest.approx(3 * few["calls"][figure], abs=2)
        assert few["cost_usd"][figure] < all_["cost_usd"][figure]


def test_where_no_price_is_known_the_plan_says_so(folder: Path) -> None:
    config = write_config(folder, **unreachable())
    assert plan(config)["total"]["cost_usd"] is None
    assert plan(config)["unpriced"] == ["double"]
    assert "models.double: not known" in dfj("plan", config).stdout


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_no_name_is_cut_however_narrow_the_terminal(folder: Path, columns: int) -> None:
    names = [f"a-rather-long-name-of-a-model-number-{n}" for n in range(4)]
    model = {"backend": "openai", "model": "tiny", "base_url": "http://127.0.0.1:9/v1", "prices": PRICES}
    roles = ("writer", "generator", "evaluator", "paraphraser")
    played: dict[str, Any] = {role: {"model": name} for role, name in zip(roles, names, strict=True)}
    config = write_config(folder, models=dict.fromkeys(names, model), **played)
    shown = _on_a_terminal(columns, "plan", config)
    table = shown.split("time   ")[0].splitlines()
    assert all(any(name in line for line in table) for name in names)
    assert max(map(len, table)) <= columns
    for figure in ("calls", "tokens in", "tokens out", "USD"):
        assert any(figure in line for line in table)
    assert "…" not in shown
    assert "\\x1b" not in shown


def _on_a_terminal(columns: int, *arguments: str | Path) -> str:
    """What a command shows on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {n: v for n, v in ENVIRONMENT.items() if n not in ("COLUMNS", "LINES", "NO_COLOR")}
    command = [sys.executable, "-m", "dfj_bootstrap", *map(str, arguments)]
    with subprocess.Popen(command, stdout=theirs, env=environment | {"TERM": "xterm"}) as process:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # how the end of a terminal is told
            while more := os.read(ours, 65536):
                shown += more
    os.close(ours)
    assert process.returncode == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).replace("\r\n", "\n")


@pytest.mark.slow
def test_after_a_preview_the_likely_figures_are_near_what_the_run_takes(folder: Path) -> None:
    with server_process(Behaviour(), folder / "log") as base_url:
        config = write_config(folder, **model_config(base_url, prices=PRICES))
        blind = plan(config)
        previewed = dfj("preview", config, "--n", str(SEEDS // 3), "--json")
        assert previewed.returncode == 0, previewed.stderr
        spent = json.loads(previewed.stdout)
        seen = plan(config)
        done = dfj("generate", config, "--json")
        assert done.returncode == 0, done.stderr
    books = json.loads(done.stdout)
    assert seen["seeds"] == {"total": SEEDS, "finished": SEEDS // 3, "begun": 0, "refused": 0}
    assert "the preview" in seen["basis"]
    calls = books["calls"]["answered"] - spent["calls"]["answered"]
    cost = books["cost_usd"] - spent["cost_usd"]
    assert calls / FACTOR < seen["total"]["calls"]["likely"] < calls * FACTOR
    assert cost / FACTOR < seen["total"]["cost_usd"]["likely"] < cost * FACTOR
    for figures in (blind["total"], seen["total"]):
        assert in_order(figures) == 5
    assert blind["total"]["cost_usd"]["low"] < books["cost_usd"] < blind["total"]["cost_usd"]["high"]
    after = plan(config)
    assert after["seeds"]["finished"] == SEEDS
    assert after["total"]["calls"] == {"low": 0, "likely": 0, "high": 0}
    assert after["spent_usd"] == books["cost_usd"]


@pytest.mark.slow
def test_what_a_stopped_run_was_answered_is_not_counted_again(folder: Path) -> None:
    with server_process(Behaviour(), folder / "log") as base_url:
        config = write_config(folder, **model_config(base_url, prices=PRICES))
        whole = plan(config)
        assert dfj("generate", config, "--limit", "6").returncode == 0
        rest = plan(config)
    assert rest["seeds"]["finished"] + rest["seeds"]["begun"] == 6
    assert 0 < rest["total"]["calls"]["likely"] < 0.75 * whole["total"]["calls"]["likely"]
    assert "the run so far" in rest["basis"]


@pytest.mark.slow
def test_a_run_made_with_other_settings_is_no_basis(folder: Path) -> None:
    with server_process(Behaviour(), folder / "log") as base_url:
        config = write_config(folder, **model_config(base_url, prices=PRICES))
        assert dfj("preview", config, "--n", "2").returncode == 0
        other = plan(config, "--set", "generator.temperature=0.1")
    assert "documented defaults" in other["basis"]
    assert other["seeds"]["begun"] == other["seeds"]["finished"] == 0


@pytest.mark.slow
def test_a_dear_run_is_not_started_unasked_but_goes_on_unasked(folder: Path) -> None:
    log = folder / "log"
    with server_process(Behaviour(), log) as base_url:
        dear = {"prices": {"input": 90.0, "output": 90.0}}
        config = write_config(folder, **model_config(base_url, **dear))
        refused = dfj("generate", config)
        assert refused.returncode == 2
        assert "--yes" in refused.stderr
        assert "likely to cost $" in refused.stderr
        assert not (folder / "run").exists()
        assert read_log(log) == []
        assert dfj("generate", config, "--set", "confirm_above_usd=100000", "--limit", "1").returncode == 0
        resumed = dfj("generate", config)
        assert resumed.returncode == 0, resumed.stderr
        assert dfj("generate", config, "--output", folder / "again", "--limit", "1", "--yes").returncode == 0


def test_a_person_on_a_terminal_is_asked_and_may_say_no(folder: Path) -> None:
    config = load_config(Config, write_config(folder, **unreachable(prices={"input": 90.0, "output": 90.0})))
    asked: list[str] = []

    def agrees(question: str) -> bool:
        asked.append(question)
        return True

    confirm_cost(config, lambda: likely_cost(config, None), asked.append, agrees)
    assert len(asked) == 1
    assert asked[0].startswith("this run is likely to cost $")
    with pytest.raises(ConfigError, match="nothing was spent"):
        confirm_cost(config, lambda: likely_cost(config, None), asked.append, lambda question: False)


def test_a_run_below_the_sum_is_not_asked_about(folder: Path) -> None:
    config = load_config(Config, write_config(folder, **unreachable(prices=PRICES)))
    confirm_cost(config, lambda: likely_cost(config, None), pytest.fail, None)


def test_a_quick_look_at_the_first_rows_comes_near_the_whole(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, SAMPLE + 40)
    config = load_config(Config, write_config(tmp_path, **unreachable(prices=PRICES)))
    quick, whole = forecast(config, quick=True), forecast(config)
    assert quick.seeds == whole.seeds == SAMPLE + 40
    assert quick.load.calls.likely == pytest.approx(whole.load.calls.likely, rel=0.01)
    assert forecast(config, limit=10, quick=True).seeds == 10


def test_a_run_without_known_prices_says_so_once_and_goes_on(folder: Path) -> None:
    with server_process(Behaviour(), folder / "log") as base_url:
        config = write_config(folder, **model_config(base_url))
        done = dfj("generate", config, "--limit", "1")
    assert done.returncode == 0
    assert done.stderr.count("no price is known for models.double") == 1


@pytest.mark.slow
def test_costs_stand_by_role_and_level_and_add_up(folder: Path) -> None:
    with server_process(Behaviour(), folder / "log") as base_url:
        config = write_config(folder, **model_config(base_url, prices=PRICES))
        assert dfj("generate", config, "--limit", "3").returncode == 0
    books = status(folder / "run")
    costs = books["costs"]
    assert set(costs) == {"generator", "evaluator", "paraphraser"}
    assert set(costs["generator"]) == {"1", "2", "3", "4"}
    assert set(costs["paraphraser"]) == {"1", "2", "3", "4", "5"}
    assert set(costs["evaluator"]) == {"any"}
    added = sum(usd for levels in costs.values() for usd in levels.values())
    assert added == pytest.approx(books["cost_usd"], abs=1e-4)
    shown = dfj("status", folder / "run").stdout
    assert all(role in shown for role in costs)
    manifest = json.loads((folder / "run" / "run.json").read_text())
    assert manifest["prices"] == {"double": {"source": "config", **PRICES}}
    assert manifest["versions"]["genai-prices"]


@pytest.mark.parametrize(("schema", "form"), [(True, "json"), (False, "tagged text")])
def test_a_live_check_makes_one_call_per_model_and_tells_how_it_went(
    folder: Path, schema: bool, form: str
) -> None:
    log = folder / "log"
    with server_process(Behaviour(schema=schema), log) as base_url:
        config = write_config(folder, **model_config(base_url, prices=PRICES))
        done = dfj("check", config, "--live", "--json")
        lines = dfj("check", config, "--live").stdout
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)["live"]["double"]
    assert (said["problem"], said["answered_as"], said["structured"]) == ("", "double", form)
    assert said["cost_usd"] > 0
    assert said["latency_s"] > 0
    assert "answered as double" in lines
    assert [line["kind"] for line in read_log(log)].count("answer") == 2
    assert not (folder / "run").exists()


def test_a_live_check_names_each_model_that_cannot_be_used_and_no_key(folder: Path) -> None:
    with server_process(Behaviour(key=KEY, model="double"), folder / "log") as base_url:
        tree = model_config(base_url)
        for name, model in (("other", "no-such-model"), ("broken", "double")):
            tree["models"][name] = {**tree["models"]["double"], "model": model}
        tree["models"]["broken"]["api_key_env"] = "BROKEN_API_KEY"
        tree["generator"]["model"], tree["paraphraser"]["model"] = "other", "broken"
        (folder / ".env").write_text("BROKEN_API_KEY=sk-wrong-9876543210\n")
        config = write_config(folder, **tree)
        done = dfj("check", config, "--live")
    assert done.returncode == 2
    told = [
        line for line in done.stdout.splitlines() if line.startswith("models.") and "key is taken" not in line
    ]
    assert len(told) == 3
    assert any(line.startswith("models.double: double answered") for line in told)
    assert any(line.startswith("models.other: no no-such-model there") for line in told)
    assert any(line.startswith("models.broken: the server refused the key") for line in told)
    for secret in (KEY, "sk-wrong-9876543210"):
        assert secret not in done.stdout + done.stderr
