"""A stand-in for the ``vllm`` command: starts in a moment, answers as ``vllm serve`` does, dies when told to.

``stand_in_vllm.py serve MODEL --host H --port P [--note FILE] [--die-at N] [--fail] [--never-ready]
[--stubborn]``; other arguments are ignored. Like vLLM it asks for the key in ``VLLM_API_KEY``, and it starts
an engine process that nothing but a signal ends. One JSON line per start and per call goes to the note.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from dfj_bootstrap.endpoints.scripted.wire import completion, role_of

_ENGINE = "import signal; signal.signal(signal.SIGTERM, signal.{}); signal.pause()"
_DEATH = 3


class StandIn(ThreadingHTTPServer):
    """The server of one life."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.key = os.environ["VLLM_API_KEY"]
        self.calls = 0
        self.engine = subprocess.Popen([sys.executable, "-c", _engine(arguments)], stdin=subprocess.DEVNULL)
        self.first_life = not any(line["port"] == arguments.port for line in read_note(arguments.note))
        super().__init__((arguments.host, arguments.port), _Handler)
        self.note(event="start", processes=[os.getpid(), self.engine.pid, os.getppid(), os.getpgid(0)])

    def note(self, **line: Any) -> None:
        if self.arguments.note:
            with self.arguments.note.open("a") as file:
                file.write(json.dumps({"port": self.arguments.port, **line}) + "\n")


class _Handler(BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._say(503 if self.server.arguments.never_ready else 200, {})

    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != f"Bearer {server.key}":
            self._say(401, {"error": {"message": "Unauthorized"}})
            return
        server.calls += 1
        if server.first_life and server.calls == server.arguments.die_at:
            sys.stderr.write("RuntimeError: the engine is dead\n")
            os._exit(_DEATH)
        pictures = json.dumps(body).count("data:image/")
        server.note(
            event="call", seed=self.headers["X-DFJ-Seed"], host=self.headers["Host"], pictures=pictures
        )
        headers = dict(self.headers.items())
        self._say(200, completion("answer", role_of(headers, body), body, 0.3))

    def _say(self, status: int, content: Any) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def read_note(note: Path | None) -> list[dict[str, Any]]:
    """The lines that all servers have written so far."""
    return [json.loads(line) for line in note.read_text().splitlines()] if note and note.exists() else []


def processes_of(note: Path) -> list[int]:
    """The ids of all servers, engines and supervisors that ever were."""
    return sorted({pid for line in read_note(note) for pid in line.get("processes", ())})


def command_on_path(folder: Path) -> Path:
    """A folder for the ``PATH`` whose ``vllm`` is the stand-in."""
    folder.mkdir()
    command = folder / "vllm"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "$@"\n')
    command.chmod(0o755)
    return folder


def _engine(arguments: argparse.Namespace) -> str:
    return _ENGINE.format("SIG_IGN" if arguments.stubborn else "SIG_DFL")


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="Stand-in for the vllm command.")
    parser.add_argument("verb", choices=["serve"])
    parser.add_argument("model")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--note", type=Path)
    parser.add_argument("--die-at", type=int, default=0)
    for flag in ("--fail", "--never-ready", "--stubborn"):
        parser.add_argument(flag, action="store_true")
    arguments, _ = parser.parse_known_args(words)
    sys.stderr.write(f"\x1b[36mINFO\x1b[0m serving {arguments.model}\n")
    if arguments.fail:
        raise ValueError("no such model")
    if arguments.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    StandIn(arguments).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
