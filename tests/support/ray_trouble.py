"""What Ray's processes are, what they listen on, and workers that are made to fail."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.runs import ENVIRONMENT

LOOPBACK = ("127.0.0.1", "::1", "::ffff:127.0.0.1")

BROKEN_PACKAGE = """
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "dfj_bootstrap":
            raise ModuleNotFoundError("No module named 'dfj_bootstrap'")
sys.meta_path.insert(0, Block())
"""
"""For ``sabotage``: a node without the package."""

POISON = """
import dfj_bootstrap.engine.worker as engine
real = engine.Worker.work
async def work(self, partition, report):
    with open(os.environ["DFJ_TEST_LOG"], "a") as log:
        log.write(f"{partition}\\n")
    if partition == 3:
        await asyncio.sleep(0.2)
        os._exit(1)
    await real(self, partition, report)
engine.Worker.work = work
"""
"""For ``sabotage``: partition 3 kills its worker soon after it was opened."""


def sabotage(folder: Path, code: str) -> dict[str, str]:
    """The environment by which each of Ray's worker processes runs ``code`` first; the driver doesn't."""
    site = folder / "site"
    site.mkdir()
    head = 'import asyncio, os, sys\nif any("default_worker" in part for part in sys.orig_argv):\n'
    body = "".join(f"    {line}\n" for line in code.splitlines())
    (site / "sitecustomize.py").write_text(head + body)
    path = os.pathsep.join([str(site), ENVIRONMENT["PYTHONPATH"]])
    return {**ENVIRONMENT, "PYTHONPATH": path, "DFJ_TEST_LOG": str(folder / "opened")}


def processes_of(leader: int, name: str = "") -> list[int]:
    """The ids of the processes in a session whose command has ``name`` in its first word."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _session(entry) == leader:
            command = _read(entry / "cmdline").split("\0")[0]
            if name in command:
                found.append(int(entry.name))
    return found


def parent_of(process: int) -> int:
    """The id of a process's parent."""
    return int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])


def listening(processes: list[int]) -> list[tuple[int, str, int]]:
    """Process id, address and port of all TCP sockets that these processes listen on."""
    sockets = {**_listeners("tcp", socket.AF_INET), **_listeners("tcp6", socket.AF_INET6)}
    found = []
    for process in processes:
        for link in Path(f"/proc/{process}/fd").glob("*"):
            try:
                inode = str(link.readlink())
            except OSError:
                continue
            if inode in sockets:
                found.append((process, *sockets[inode]))
    return found


@contextmanager
def ray_node(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A node of a cluster in a session of its own, once it is up; ended by its id."""
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp", ignore_cleanup_errors=True) as short:
        command = [str(Path(sys.executable).parent / "ray"), "start", "--block", "--num-cpus=1"]
        command += ["--object-store-memory=100000000", *arguments]
        if "--head" in arguments:
            command.append(f"--temp-dir={short}")
        with subprocess.Popen(
            command, env={**ENVIRONMENT, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        ) as node:  # fmt: skip
            try:
                assert node.stdout
                assert any("Ray runtime started" in line for line in node.stdout)
                yield node
            finally:
                node.terminate()


def _session(entry: Path) -> int:
    fields = _read(entry / "stat").rsplit(")", 1)[-1].split()
    return int(fields[3]) if len(fields) > 3 else -1


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _listeners(table: str, family: int) -> dict[str, tuple[str, int]]:
    """Listening sockets of all processes by what a link to one says."""
    found = {}
    for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A":
            address, port = fields[1].split(":")
            words = [bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8)]
            found[f"socket:[{fields[9]}]"] = (socket.inet_ntop(family, b"".join(words)), int(port, 16))
    return found
