"""Ray in trouble: raylets, heads and workers that die or hang, bare nodes, poison, strangers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from dfj_bootstrap.cluster.encoder import NodeEncoder
from dfj_bootstrap.errors import ConfigError
from tests.support.model_server import Behaviour, read_log, server_process
from tests.support.processes import when_gone, when_lines
from tests.support.ray_trouble import (
    BROKEN_PACKAGE,
    LOOPBACK,
    POISON,
    listening,
    parent_of,
    processes_of,
    ray_node,
    sabotage,
)
from tests.support.runs import (
    ENVIRONMENT,
    KEY,
    Paid,
    dfj,
    model_config,
    start_dfj,
    status,
    tree_digest,
    write_config,
)
from tests.support.seeds import write_seed_rows

pytestmark = pytest.mark.slow

RAY = ("--set", "engine.kind=ray", "--set", "engine.address=local")
IN_FLIGHT = 16


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_seed_rows(tmp_path, 12)
    return tmp_path


def test_a_lost_ray_is_started_again_and_nothing_is_paid_twice(folder: Path) -> None:
    log = folder / "log"
    with server_process(Behaviour(latency_s=0.5), log, longest_s=600) as base_url:
        config = write_config(folder, **model_config(base_url, max_in_flight=IN_FLIGHT))
        process = start_dfj("generate", config, *RAY)
        when_lines(log, 60, process)
        _kill(processes_of(process.pid, "raylet/raylet"))
        when_lines(log, 200, process)
        _kill(processes_of(process.pid, "gcs/gcs_server"))
        output, _ = process.communicate(timeout=400)
        paid = Paid.of(read_log(log))
        again = write_config(folder, "local.yaml", output="local", **model_config(base_url, max_in_flight=64))
        assert dfj("generate", again).returncode == 0
    assert process.returncode == 0, output
    assert output.count("Ray was lost") == 2, output
    assert "state-dump" not in output
    assert paid.repeated == 0  # its workers lived on, and were let go in good order
    assert tree_digest(folder / "run" / "dfj-meta") == tree_digest(folder / "local" / "dfj-meta")


def _kill(processes: list[int], how: signal.Signals = signal.SIGKILL) -> None:
    assert len(processes) == 1
    os.kill(processes[0], how)


def test_our_own_ray_listens_on_loopback_and_asks_for_its_token(folder: Path) -> None:
    log = folder / "log"
    with server_process(Behaviour(latency_s=2), log) as base_url:
        config = write_config(folder, **model_config(base_url, max_in_flight=IN_FLIGHT))
        process = start_dfj("generate", config, *RAY)
        when_lines(log, 3, process)
        ours = processes_of(process.pid)
        heads = listening(processes_of(process.pid, "gcs/gcs_server"))
        found = listening(ours)
        tokens = {_variable(pid, "RAY_AUTH_TOKEN") for pid in processes_of(process.pid, "ray::RayWorker")}
        words = "".join(Path(f"/proc/{pid}/cmdline").read_text() for pid in ours)
        asked = [_ask(port, mode, token) for _, _, port in heads for mode, token in _STRANGERS]
        let_in = [_ask(port, "token", token) for _, _, port in heads for token in tokens]
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert len(found) >= 5
    assert {address for _, address, _ in found} <= set(LOOPBACK), found
    assert len(tokens) == 1
    assert len(tokens & {"", "stranger"}) == 0
    assert not any(token in words + output for token in tokens)
    assert let_in == ["in"]
    assert asked == ["AuthenticationError"] * len(_STRANGERS)


_STRANGERS = (("disabled", ""), ("token", "stranger"))


def _variable(process: int, name: str) -> str:
    pairs = Path(f"/proc/{process}/environ").read_text().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair).get(name, "")


def _ask(port: int, mode: str, token: str) -> str:
    """What Ray's head on this machine says to somebody who asks for its table of keys."""
    code = (
        "import sys\nfrom ray._raylet import GcsClient\n"
        "try:\n    GcsClient(address=sys.argv[1]).internal_kv_keys(b'', None, timeout=20)\n    print('in')\n"
        "except Exception as error:\n    print(type(error).__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, f"127.0.0.1:{port}"],
        env={**ENVIRONMENT, "RAY_AUTH_MODE": mode, "RAY_AUTH_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout.strip()


def test_a_cluster_loses_a_node_and_goes_on_and_loses_all_and_ends(folder: Path) -> None:
    log, port = folder / "log", 20000 + os.getpid() % 10000
    write_seed_rows(folder, 60)  # enough to last until both nodes have a worker, on a busy machine too
    with (
        server_process(Behaviour(latency_s=0.5), log) as base_url,
        ray_node("--head", f"--port={port}", "--dashboard-port=0", "--include-dashboard=false") as head,
        ray_node(f"--address=127.0.0.1:{port}") as other,
    ):
        config = write_config(folder, **model_config(base_url, max_in_flight=IN_FLIGHT))
        address = ("--set", "engine.kind=ray", "--set", f"engine.address=127.0.0.1:{port}")
        # More than there are nodes: one that is slow to start may find its place on the other node.
        process = start_dfj("generate", config, *address, "--set", "engine.workers=4")
        answers = _one_worker_on_each(head, other, log, process)
        _kill(processes_of(other.pid, "raylet/raylet"))
        when_lines(log, answers + 60, process)
        _kill(processes_of(head.pid, "gcs/gcs_server"))
        output, _ = process.communicate(timeout=400)
    assert process.returncode == 2, output
    assert "its partitions go on elsewhere" in output
    assert "dfj: the Ray cluster is lost: " in output.splitlines()[-1]
    assert status(folder / "run")["state"] == "failed"


def _one_worker_on_each(
    head: subprocess.Popen[str], other: subprocess.Popen[str], log: Path, process: subprocess.Popen[str]
) -> int:
    """How many answers there are once both nodes have a worker; some may take their time to start."""
    for answers in range(20, 2000, 20):
        when_lines(log, answers, process)
        workers = [pid for node in (head, other) for pid in processes_of(node.pid, "ray::RayWorker")]
        if len({parent_of(pid) for pid in workers}) == 2:
            return answers
    process.terminate()
    raise AssertionError(f"one node got no worker: {workers}, {process.communicate(timeout=60)[0]}")


def test_a_node_without_the_package_ends_the_run_with_its_name_and_the_reason(folder: Path) -> None:
    done = _sabotaged(folder, BROKEN_PACKAGE)
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert "4 workers in a row died before they took any work, the last one on node 127.0.0.1: " in last
    assert "ModuleNotFoundError: No module named 'dfj_bootstrap'" in last


def test_a_partition_that_kills_its_worker_each_time_is_named_after_three_deaths(folder: Path) -> None:
    done = _sabotaged(folder, POISON)
    assert done.returncode == 2, done.stderr
    assert "partition 3: 3 workers in a row died over it" in done.stderr.splitlines()[-1]
    opened = Counter((folder / "opened").read_text().split())
    assert opened["3"] in (3, 4)  # one that got further than the one before begins the count anew
    assert status(folder / "run")["seeds"]["pending"] < 12


def _sabotaged(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    config = write_config(folder)
    return subprocess.run(
        [sys.executable, "-m", "dfj_bootstrap", "generate", str(config), *RAY],
        env=sabotage(folder, code),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_workers_that_die_again_and_again_end_nothing_while_the_work_gets_on(folder: Path) -> None:
    log = folder / "log"
    with server_process(Behaviour(latency_s=0.1), log) as base_url:
        config = write_config(folder, **model_config(base_url, max_in_flight=IN_FLIGHT))
        process = start_dfj("generate", config, *RAY, "--set", "engine.workers=1")
        for killed in range(5):
            when_lines(log, 60 * (killed + 1), process)
            victims = processes_of(process.pid, "ray::RayWorker")
            _kill(victims)
            when_gone(victims)
        output, _ = process.communicate(timeout=200)
        paid = Paid.of(read_log(log))
    assert process.returncode == 0, output
    assert output.count("its partitions go on elsewhere") == 5
    assert paid.repeated <= 5 * IN_FLIGHT


def test_a_worker_that_hangs_is_taken_for_dead(folder: Path) -> None:
    log = folder / "log"
    with server_process(Behaviour(latency_s=0.1), log) as base_url:
        config = write_config(folder, **model_config(base_url, max_in_flight=IN_FLIGHT))
        process = _impatient("generate", config, *RAY, "--set", "engine.workers=1")
        when_lines(log, 60, process)
        _kill(processes_of(process.pid, "ray::RayWorker"), signal.SIGSTOP)
        output, _ = process.communicate(timeout=200)
    assert process.returncode == 0, output
    assert "has not answered for 6 s; its partitions go on elsewhere" in output


def _impatient(*arguments: str | Path) -> subprocess.Popen[str]:
    """``dfj`` with a driver that takes a worker for dead after six seconds."""
    code = (
        "import sys\nfrom dfj_bootstrap.cluster import member\nmember._SILENT_S = 6.0\n"
        "from dfj_bootstrap.cli.main import run\nsys.exit(run(sys.argv[1:]))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**ENVIRONMENT, "OPENAI_API_KEY": KEY},
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("ray://127.0.0.1:10001", "is Ray Client's"),
        ("127.0.0.1:1", "Ray can't be joined at 127.0.0.1:1"),
        ("nonsense", "Ray can't be joined at nonsense"),
    ],
)
def test_a_cluster_that_cannot_be_joined_is_one_sentence(folder: Path, address: str, says: str) -> None:
    config = write_config(folder, engine={"kind": "ray", "address": address})
    done = dfj("generate", config)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith("dfj: engine.address: ")
    assert says in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_what_an_encoder_died_of_reaches_whoever_asks_it() -> None:
    with pytest.raises(ConfigError, match="no Python package 'not_there' is installed"):
        NodeEncoder("package:not_there").encode(["text"])


def test_an_encoder_on_a_node_without_the_extra_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch", "sentence_transformers"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=r"dfj-bootstrap\[embeddings\]"):
        NodeEncoder("owner/model").encode(["text"])
