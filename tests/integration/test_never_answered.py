"""Servers that never answer, keys and addresses that can't be right: what the command line makes of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.support.commands import refusal
from tests.support.model_server import Behaviour, server_process
from tests.support.raw_server import RawServer, Reply, real, redirect, response
from tests.support.runs import ENVIRONMENT, KEY, dfj, model_config, status, write_config
from tests.support.seeds import write_seed_rows

PAGE = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"
SOON_S = 45.0
"""Of a whole command, on a machine that does other things too."""


@contextmanager
def raw_server(replies: Sequence[Reply]) -> Iterator[str]:
    """A raw server in a thread of its own; yields its address."""
    up, over, found = Event(), Event(), list[RawServer]()

    async def serve() -> None:
        async with RawServer(replies) as server:
            found.append(server)
            up.set()
            await asyncio.to_thread(over.wait)

    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert up.wait(10)
        yield found[0].base_url
    finally:
        over.set()
        thread.join()


def a_run(folder: Path, base_url: str, seeds: int = 2, **values: Any) -> Path:
    write_seed_rows(folder, seeds)
    limits = values.pop("limits", {})
    return write_config(folder, **model_config(base_url, **limits) | values)


def ended_early(config: Path, *arguments: str) -> str:
    """The one line with which a start ended that soon found nobody there."""
    started = time.monotonic()
    said = refusal(dfj("generate", config, *arguments))
    assert time.monotonic() - started < SOON_S
    found = status(config.parent / "run")
    assert found["state"] == "failed"
    assert found["why"] in said
    assert not (config.parent / "run" / "dfj-meta").exists()
    return said


@pytest.mark.parametrize(("seeds", "attempts"), [(1, 1), (20, 5)])
def test_a_refused_port_ends_the_run_soon(tmp_path: Path, seeds: int, attempts: int) -> None:
    config = a_run(tmp_path, "http://127.0.0.1:9/v1", seeds, limits={"max_attempts": attempts})
    said = ended_early(config)
    assert "models.double: none of" in said
    assert "127.0.0.1:9 refuses it; nothing listens there" in said


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (PAGE, "which sent a web page: look at `base_url`"),
        (redirect("https://other.example/v2/chat/completions"), "give `base_url: https://other.example/v2`"),
    ],
)
def test_what_is_no_model_server_ends_the_run_soon(tmp_path: Path, reply: bytes, cause: str) -> None:
    with raw_server([reply]) as address:
        assert cause in ended_early(a_run(tmp_path, f"{address}/v1"))


def test_a_gemini_gateway_that_is_not_there_ends_the_run_soon(tmp_path: Path) -> None:
    model = {"backend": "gemini", "model": "tiny", "base_url": "http://nowhere.invalid"}
    write_seed_rows(tmp_path, 2)
    config = write_config(tmp_path, models={"flash": model}, evaluator={"model": "flash"})
    assert "the host name nowhere.invalid is not known" in ended_early(config)


def test_a_fallback_that_is_not_there_ends_the_run_when_it_is_needed(tmp_path: Path) -> None:
    """It would leave out what the first model refuses: rows that are not like the others."""
    with server_process(Behaviour(rates={"refusal": 0.3}), tmp_path / "log") as base_url:
        values = model_config(base_url)
        values["models"]["mild"] = values["models"]["double"] | {"base_url": "http://127.0.0.1:9/v1"}
        values["generator"]["fallback"] = ["mild"]
        write_seed_rows(tmp_path, 8)
        config = write_config(tmp_path, **values)
        said = ended_early(config)
        assert "models.mild: none of" in said
        kept = status(tmp_path / "run")["calls"]["answered"]
        values["models"]["mild"]["base_url"] = base_url
        done = dfj("generate", write_config(tmp_path, **values))
    assert done.returncode == 0, done.stderr
    assert kept > 0
    assert status(tmp_path / "run")["calls"]["replayed"] >= kept


@pytest.mark.slow
def test_over_ray_workers_too(tmp_path: Path) -> None:
    config = a_run(tmp_path, "http://127.0.0.1:9/v1", 40, engine={"kind": "ray", "workers": 3})
    started = time.monotonic()
    said = refusal(dfj("generate", config))
    assert time.monotonic() - started < 2 * SOON_S  # Ray starts and ends in it
    assert "127.0.0.1:9 refuses it" in said


def test_an_outage_at_the_start_that_passes_is_waited_for(tmp_path: Path) -> None:
    with raw_server([*[response(b"loading", "503 Unavailable")] * 9, real]) as address:
        done = dfj("generate", a_run(tmp_path, f"{address}/v1", limits={"max_attempts": 1}))
    assert done.returncode == 0, done.stderr
    assert status(tmp_path / "run")["seeds"]["failed"] == 0


def test_a_server_that_fails_after_good_answers_fails_seeds(tmp_path: Path) -> None:
    broken = response(b"no", "500 Error")
    with raw_server([real, real, broken]) as address:
        limits = {"max_attempts": 1, "max_in_flight": 1}
        done = dfj("generate", a_run(tmp_path, f"{address}/v1", 1, limits=limits))
    assert done.returncode == 3, done.stderr
    assert status(tmp_path / "run")["seeds"]["failed"] == 1


@pytest.mark.parametrize(
    ("base_url", "cause"),
    [("127.0.0.1:8000/v1", "must begin with http:// or https://"), ("http://[::1", "can't be read"),
     ("http://host:99999/v1", "can't be read"), ("http:///v1", "names no host"), ("ftp://host", "must begin"),
     ("http://exa mple", "holds a space"), ("", "must not be blank"),
     (f"http://host/v1?key={KEY}", "no query (`key`)"),
     (f"http://{KEY}@host/v1", "no user or password")],
)  # fmt: skip
def test_an_address_that_can_not_be_right_is_found_by_check(
    tmp_path: Path, base_url: str, cause: str
) -> None:
    config = a_run(tmp_path, base_url)
    for command in ("check", "generate"):
        said = refusal(dfj(command, config))
        assert "models.double" in said
        assert "base_url" in said
        assert cause in said
        assert KEY not in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("key", [f"{KEY}\n", f"“{KEY}”", f"{KEY}\r", f"Bearer {KEY}", f"{KEY}\u200b"])
def test_a_key_that_can_not_be_sent_is_found_by_check(tmp_path: Path, key: str) -> None:
    config = a_run(tmp_path, "http://127.0.0.1:9/v1")
    for command in ("check", "generate"):
        said = refusal(dfj(command, config, key=key))
        assert "the key in the environment variable OPENAI_API_KEY holds" in said
        assert KEY not in said


def test_a_key_in_place_of_its_variable_is_refused_and_written_nowhere(tmp_path: Path) -> None:
    config = a_run(tmp_path, "http://127.0.0.1:9/v1", limits={"api_key_env": KEY})
    for command in ("check", "plan", "generate", "preview"):
        done = dfj(command, config)
        assert "models.double.api_key_env" in refusal(done)
        assert KEY not in done.stdout + done.stderr
    said = refusal(dfj("check", config, "--set", f"models.double.api_key_env={KEY}"))
    assert KEY not in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("variable", "value"), [("SSL_CERT_FILE", "/no/such/file"), ("HTTP_PROXY", "http://[::1")]
)
def test_what_is_wrong_in_the_environment_is_found_by_check(
    tmp_path: Path, variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = a_run(tmp_path, "http://127.0.0.1:9/v1")
    monkeypatch.setitem(ENVIRONMENT, variable, value)
    for command in ("check", "generate"):
        assert f"dfj: {variable}: " in refusal(dfj(command, config))


@pytest.mark.parametrize("hidden", ["", "  "])
def test_an_empty_variable_does_not_hide_what_stands_in_the_env_file(tmp_path: Path, hidden: str) -> None:
    (tmp_path / ".env").write_text(f"MY_KEY={KEY}\n")
    with server_process(Behaviour(key=KEY), tmp_path / "log") as base_url:
        config = a_run(tmp_path, base_url, limits={"api_key_env": "MY_KEY"})
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(ENVIRONMENT, "MY_KEY", hidden)
            done = dfj("generate", config, "--limit", "1")
    assert done.returncode == 0, done.stderr


def test_a_variable_that_is_set_wins_over_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KEY=another\n")
    with server_process(Behaviour(key=KEY), tmp_path / "log") as base_url:
        done = dfj("generate", a_run(tmp_path, base_url), "--limit", "1")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["check", "plan", "generate", "preview"])
def test_the_root_of_the_file_system_is_no_run_folder(tmp_path: Path, command: str) -> None:
    write_seed_rows(tmp_path, 1)
    said = refusal(dfj(command, write_config(tmp_path, output="/")))
    assert "`output`: / can't be a run folder" in said


def test_live_says_soon_that_nobody_is_there(tmp_path: Path) -> None:
    started = time.monotonic()
    done = dfj("check", a_run(tmp_path, "http://127.0.0.1:9/v1"), "--live")
    assert done.returncode == 2
    assert "127.0.0.1:9 refuses it" in done.stdout
    assert time.monotonic() - started < SOON_S / 2
