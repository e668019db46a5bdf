"""A server that writes bytes: what no web framework would send."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeAlias

from dfj_bootstrap.endpoints.scripted.wire import completion, role_of

GZIP = b"Content-Encoding: gzip\r\n"


def response(body: bytes, status: str = "200 OK", headers: bytes = b"") -> bytes:
    """A well-formed HTTP response."""
    length = b"Content-Length: %d\r\n" % len(body)
    return b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: application/json\r\n%s%s\r\n%s" % (
        status.encode(), length, headers, body,
    )  # fmt: skip


def redirect(to: str, status: str = "307 Temporary Redirect") -> bytes:
    """A redirect with no body."""
    return response(b"", status, b"Location: " + to.encode("latin-1") + b"\r\n")


def answer(reasoning: str = "Bent fingers.", label: str = "fake") -> bytes:
    """A good answer to both kinds of clients at once: a chat completion that is a Gemini response too."""
    text = json.dumps({"reasoning": reasoning, "answer": label})
    body: dict[str, Any] = {
        "model": "tiny",
        "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5},
        "candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5},
    }
    return response(json.dumps(body).encode())


HOLD = b"\0"
"""A reply that is none: the connection stays open, and nothing is said."""

Reply: TypeAlias = bytes | Callable[[bytes], bytes]
"""What is sent, or how to make it from the request's body."""


def real(body: bytes) -> bytes:
    """The answer of a model that plays all roles."""
    asked = json.loads(body)
    return response(json.dumps(completion("answer", role_of({}, asked), asked, off_level=0.1)).encode())


class RawServer:
    """Answers the n-th request with the n-th reply, the last one for ever, and closes the connection."""

    def __init__(self, replies: Sequence[Reply], tls: ssl.SSLContext | None = None) -> None:
        self._replies = replies
        self._tls = tls
        self._closing = asyncio.Event()
        self.requests: list[bytes] = []
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        self._server.close()
        await self._server.wait_closed()

    @property
    def base_url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
            self.requests.append(head)
            reply = self._replies[min(len(self.requests), len(self._replies)) - 1]
            if reply == HOLD:
                await self._closing.wait()
                return
            writer.write(reply if isinstance(reply, bytes) else reply(body))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client went away
        finally:
            writer.close()


def _length(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    return next((int(value) for name, _, value in lines if name == b"content-length"), 0)
