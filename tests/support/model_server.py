"""The shipped scripted server as tests use it: it keeps its requests, and runs as a process of its own.
It knows more kinds of replies (``odd_replies``).

In the test's own process it is ``async with ModelServer(behaviour) as server``; as a process of its own,
for tests that kill the client, it is ``with server_process(behaviour, log) as base_url``, or
``python -m tests.support.model_server --port-file F --log F --behaviour JSON``. One line per request goes
to the log, before the answer is sent: kind, role, seed, level, round, and a digest of body and tracing
headers, so that a repeated paid call shows as a repeated digest.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any

from aiohttp import web

from dfj_bootstrap.endpoints.scripted import server as scripted_server
from dfj_bootstrap.endpoints.scripted.replay import Recording
from dfj_bootstrap.endpoints.scripted.server import Behaviour, Request
from dfj_bootstrap.endpoints.scripted.wire import ANSWERED, completion, role_of, texts
from tests.support.odd_replies import lasting_kind, odd_reply, split_rates

__all__ = [
    "ANSWERED", "Behaviour", "ModelServer", "Request", "completion", "read_log", "server_process", "texts",
]  # fmt: skip


class ModelServer(scripted_server.ModelServer):
    """The server; ``requests`` holds all that came, in order, unless ``keep`` is off."""

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        recording: Recording | None = None,
        *,
        log: IO[str] | None = None,
        keep: bool = True,
    ) -> None:
        ordered = behaviour or Behaviour()
        self._lasting, passing = split_rates(ordered.rates)
        super().__init__(replace(ordered, rates=passing), recording, watch=self._record)
        self.requests: list[Request] = []
        self._log = log
        self._keep = keep

    @property
    def answered(self) -> list[Request]:
        """Requests that got a paid answer."""
        return [request for request in self.requests if request.kind in ANSWERED]

    def _kind(self, number: int, digest: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> str:
        lasting = "" if number in self.behaviour.script else lasting_kind(self._lasting, digest)
        return lasting or super()._kind(number, digest, headers, body)

    def _response(self, kind: str, raw: web.Request, body: Mapping[str, Any], digest: str) -> web.Response:
        def good() -> dict[str, Any]:
            return completion("answer", role_of(raw.headers, body), body, self.behaviour.off_level)

        return odd_reply(kind, good) or super()._response(kind, raw, body, digest)

    def _record(self, request: Request) -> None:
        if self._keep:
            self.requests.append(request)
        if self._log is None:
            return
        headers = request.headers
        line = {
            "number": request.number,
            "digest": request.digest,
            "kind": request.kind,
            "role": headers.get("X-DFJ-Role"),
            "seed": headers.get("X-DFJ-Seed"),
            "level": headers.get("X-DFJ-Level"),
            "round": headers.get("X-DFJ-Round"),
        }
        self._log.write(json.dumps(line) + "\n")
        self._log.flush()


@contextmanager
def server_process(behaviour: Behaviour, log: Path, *, longest_s: float = 300) -> Iterator[str]:
    """A server in a process of its own, which outlives its clients; yields its base URL."""
    command = [sys.executable, "-m", "tests.support.model_server", "--log", str(log)]
    command += ["--behaviour", json.dumps(asdict(behaviour)), "--longest-s", str(longest_s)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def read_log(log: Path) -> list[dict[str, Any]]:
    """The log's lines so far."""
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


async def _serve(arguments: argparse.Namespace, log: IO[str]) -> None:
    behaviour = Behaviour.from_json(arguments.behaviour)
    async with ModelServer(behaviour, log=log, keep=False) as server:
        _announce(server, arguments.port_file)
        await asyncio.sleep(arguments.longest_s)


def _announce(server: ModelServer, port_file: str | None) -> None:
    sys.stdout.write(server.base_url + "\n")
    sys.stdout.flush()
    if port_file:
        part = Path(f"{port_file}.part")
        part.write_text(str(server.port))
        part.replace(port_file)


def main() -> None:
    parser = argparse.ArgumentParser(description="Scripted chat completions server for tests.")
    parser.add_argument("--port-file", help="where the port is written once the server listens")
    parser.add_argument("--log", required=True, help="where one line per request is appended")
    parser.add_argument("--behaviour", default="{}", help="the fields of Behaviour as JSON")
    parser.add_argument("--longest-s", type=float, default=300, help="the server ends itself after this")
    arguments = parser.parse_args()
    with Path(arguments.log).open("a", encoding="utf-8") as log:
        asyncio.run(_serve(arguments, log))


if __name__ == "__main__":
    main()
