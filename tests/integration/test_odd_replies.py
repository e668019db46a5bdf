"""Servers that send what none should: each reply for real, to every kind of endpoint, then a good answer."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from dfj_bootstrap.calls.call import Call, Endpoint, Place
from dfj_bootstrap.config.models import GeminiModel, OpenAIModel, VLLMModel
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.domain.seed import ImageRef
from dfj_bootstrap.endpoints.gemini.endpoint import GeminiEndpoint
from dfj_bootstrap.endpoints.openai.endpoint import OpenAIEndpoint
from dfj_bootstrap.endpoints.vllm.endpoint import Replicas, VLLMEndpoint
from dfj_bootstrap.errors import CallFailed
from dfj_bootstrap.limits.gate import Gate
from dfj_bootstrap.prompting.replies import RATIONALE_FIELDS
from tests.support.certificates import certificate
from tests.support.model_server import ModelServer
from tests.support.raw_server import GZIP, HOLD, RawServer, answer, real, redirect, response
from tests.support.runs import KEY, dfj, model_config, status, write_config
from tests.support.seeds import write_seed_rows
from tests.support.timers import QuickTimers

OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
JSON = OK + b"Content-Type: application/json; charset="
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def length(said: str) -> bytes:
    return OK + f"Content-Length: {said}\r\n\r\n{{}}".encode()


def charset(name: str, body: bytes = b"{ }") -> bytes:
    return JSON + b"%s\r\nContent-Length: %d\r\n\r\n%s" % (name.encode(), len(body), body)


ODD: Mapping[str, bytes] = {
    "a long header": response(b"{}", headers=b"X-A: " + b"a" * 9000 + b"\r\n"),
    "many headers": response(b"{}", headers=b"".join(b"X-%d: a\r\n" % n for n in range(5000))),
    "a long status line": b"HTTP/1.1 200 " + b"a" * 9000 + b"\r\n\r\n",
    "no gzip": response(b"not compressed", headers=GZIP),
    "no deflate": response(b"not compressed", headers=b"Content-Encoding: deflate\r\n"),
    "no brotli": response(b"not compressed", headers=b"Content-Encoding: br\r\n"),
    "no zstd": response(b"not compressed", headers=b"Content-Encoding: zstd\r\n"),
    "half a gzip": response(gzip.compress(bytes(range(256)) * 9)[:60], headers=GZIP),
    "an unknown encoding": response(b"{}", headers=b"Content-Encoding: rot13\r\n"),
    "a bad chunk": CHUNKED + b"ZZ\r\nabc\r\n",
    "a negative chunk": CHUNKED + b"-5\r\nabc\r\n",
    "half a chunk": CHUNKED + b"20\r\nabc",
    "no last chunk": CHUNKED + b"2\r\n{}\r\n",
    "no status line": b"HELLO\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "http2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x46",
    "a page without a head": b"<html>hello</html>",
    "a status that is no number": b"HTTP/1.1 abc OK\r\n\r\n",
    "status 99": b"HTTP/1.1 99 X\r\nContent-Length: 0\r\n\r\n",
    "status 999": b"HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n",
    "status 1000": b"HTTP/1.1 1000 X\r\nContent-Length: 0\r\n\r\n",
    "only 100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "204": b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
    "206": response(b'{"choices": [', "206 Partial Content"),
    "304": b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n",
    "no colon in a header": OK + b"Foo\r\n\r\n{}",
    "a space in a header's name": OK + b"F oo: a\r\nContent-Length: 2\r\n\r\n{}",
    "a null in a header": OK + b"Foo: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
    "bytes in a header": response(b"{}", headers=b"Foo: \xff\xfe\r\nDate: \xff\r\n"),
    "bytes in the reason": b"HTTP/1.1 200 \xff\xfe\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
    "a longer body said": length("100"),
    "a shorter body said": length("1"),
    "a length that is no number": length("abc"),
    "a negative length": length("-5"),
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length and chunks": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an unknown transfer encoding": OK + b"Transfer-Encoding: foo\r\n\r\n{}",
    "closed at once": b"",
    "closed in the head": OK[:10],
    "an unknown charset": charset("foo"),
    "half a character": charset("utf-16", b"{}\xd8"),
    "a charset that is no text's": charset("hex"),
    "a charset for nothing": charset("undefined"),
    "latin-1": response(b'{"a": "\xe9"}'),
    "deep JSON": response(b"[" * 100_000),
    "a huge number": response(b'{"usage": ' + b"9" * 5000 + b"}"),
    "no JSON": response(b"hello"),
    "null": response(b"null"),
    "a list": response(b"[]"),
    "nothing": response(b""),
    "a page": OK + b"Content-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
    "a redirect to itself": redirect("/v1/chat/completions"),
    "a redirect elsewhere": redirect("https://other.example/v1/chat/completions"),
    "a redirect to no address": redirect("http://[::1"),
    "a redirect to no port": redirect("http://host:99999/"),
    "a redirect to bytes": redirect("http://ex\xe4mple/\xff"),
    "a redirect to a long name": redirect("http://" + "a" * 70 + ".com/"),
    "a redirect to ftp": redirect("ftp://host/"),
    "a redirect to nowhere": response(b"", "302 Found"),
    "a redirect to nothing": redirect(""),
    "301": redirect("http://host/", "301 Moved Permanently"),
    "303": redirect("http://host/", "303 See Other"),
    "300": redirect("http://host/", "300 Multiple Choices"),
    "an error that is no gzip": response(b"no", "500 Error", GZIP),
    "a deep error": response(b"[" * 100_000, "500 Error"),
    "an error in an odd charset": b"HTTP/1.1 500 E\r\nContent-Type: text/plain; charset=hex\r\n\r\n{}\xd8",
    "an error that is a number": response(b"5", "500 Error"),
    "a date of no calendar": response(b"{}", "503 E", b"Retry-After: Wed, 99 Foo 99999999 26:00:00 GMT\r\n"),
    "bytes in Retry-After": response(b"{}", "503 E", b"Retry-After: \xff\r\n"),
    "a 429 without a word": response(b"", "429 Too Many Requests"),
    "odd digits in a limit": response(b"{}", headers=b"x-ratelimit-remaining-requests: \xb2\r\n"),
    "a long limit": response(b"{}", headers=b"x-ratelimit-remaining-tokens: " + b"9" * 5000 + b"\r\n"),
    "a cookie that can't be sent back": response(b"{}", headers=b"Set-Cookie: a=\x01b; path=/\r\n"),
    "a cookie of no calendar": response(
        b"{}", headers=b"Set-Cookie: a=b; expires=Wed, 99 Foo 99999 26:99:99; max-age=" + b"9" * 99 + b"\r\n"
    ),
}  # fmt: skip
KINDS = ("openai", "gemini", "vllm")


class Fixed:
    """A replica that is always there."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    async def ready(self) -> str:
        return f"{self._base_url}/v1"

    async def aclose(self) -> None:
        """Nothing is open."""


async def no_sleep(seconds: float) -> None:
    await asyncio.sleep(0)


@asynccontextmanager
async def endpoint_to(kind: str, base_url: str, **config: Any) -> AsyncIterator[Endpoint]:
    settings: dict[str, Any] = {"model": "tiny", "timeout_s": 5, **config}
    client: dict[str, Any] = {"tracing": True, "sleep": no_sleep}
    endpoint: Endpoint
    if kind == "gemini":
        gemini = GeminiModel(backend="gemini", base_url=base_url, **settings)
        gate = Gate.wide_open("fast", gemini, QuickTimers())
        endpoint = GeminiEndpoint("fast", gemini, KEY, key_name="K", gate=gate, **client)
    elif kind == "vllm":
        vllm = VLLMModel(backend="vllm", **settings)
        gate = Gate.wide_open("fast", vllm, QuickTimers())
        endpoint = VLLMEndpoint("fast", vllm, Replicas([Fixed(base_url)], KEY), gate=gate, **client)
    else:
        openai = OpenAIModel(backend="openai", base_url=f"{base_url}/v1", **settings)
        endpoint = OpenAIEndpoint(
            "fast", openai, KEY, gate=Gate.wide_open("fast", openai, QuickTimers()), **client
        )
    try:
        yield endpoint
    finally:
        await endpoint.aclose()


def a_call(image: ImageRef | None = None) -> Call:
    return Call(
        "generator", "fast", "tiny", "p", ("Write.",), image, RATIONALE_FIELDS, 0.0, 77, Place("s", 2)
    )


async def failure(kind: str, base_url: str, **config: Any) -> str:
    """Why a call fails that is tried once."""
    async with endpoint_to(kind, base_url, max_attempts=1, **config) as endpoint:
        with pytest.raises(CallFailed) as raised:
            await endpoint.complete(a_call())
    return str(raised.value)


@pytest.mark.parametrize("kind", KINDS)
async def test_after_an_odd_reply_the_call_goes_on(kind: str) -> None:
    replies = [reply for odd in ODD.values() for reply in (odd, answer())]
    async with RawServer(replies) as server, endpoint_to(kind, server.base_url) as endpoint:
        for name in ODD:
            reply = await endpoint.complete(a_call())
            assert (name, reply.finish, reply.attempts) == (name, Finish.STOP, 2)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_odd_reply_without_end_fails_the_call_in_words_without_the_key(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "dfj_bootstrap")
    echo = b"HTTP/1.1 200 OK\r\nX: " + KEY.encode() + b"\x00" + b"a" * 9000 + b"\r\n\r\n"
    for odd in (echo, f"{KEY}\r\n\r\n".encode(), redirect(f"https://host/?key={KEY}")):
        async with RawServer([odd]) as server:
            said = await failure(kind, server.base_url)
            assert f"127.0.0.1:{server.port}" in said
            assert KEY not in said
    assert KEY not in caplog.text


@pytest.mark.parametrize("kind", KINDS)
async def test_a_redirect_takes_the_key_to_no_other_host(kind: str) -> None:
    async with RawServer([answer()]) as other:
        async with RawServer([redirect(f"{other.base_url}/v2/chat/completions")]) as server:
            said = await failure(kind, server.base_url)
        assert not other.requests
    assert f"127.0.0.1:{server.port} redirects (307) to {other.base_url}/v2" in said
    assert "base_url" in said


@pytest.mark.parametrize("kind", KINDS)
async def test_a_refused_port_is_named(kind: str) -> None:
    async with RawServer([]) as server:
        pass
    assert f"127.0.0.1:{server.port} refuses it; nothing listens" in await failure(kind, server.base_url)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_unknown_host_is_named(kind: str) -> None:
    assert "the host name nowhere.invalid is not known" in await failure(kind, "http://nowhere.invalid:8000")


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_that_does_not_come_is_told_from_a_connection_that_does_not(kind: str) -> None:
    async with asyncio.timeout(30), RawServer([HOLD]) as server:
        said = await failure(kind, server.base_url, timeout_s=0.5)
    assert f"no answer within 0.5 s from 127.0.0.1:{server.port}" in said


@pytest.mark.parametrize("kind", ["openai", "vllm"])
async def test_a_host_that_takes_no_connection_is_named_as_such(kind: str) -> None:
    with full_backlog() as port:
        said = await failure(kind, f"http://127.0.0.1:{port}", timeout_s=0.5)
    assert f"the connection failed: 127.0.0.1:{port} does not react" in said


@pytest.mark.parametrize("kind", KINDS)
async def test_a_certificate_that_nobody_vouches_for_is_named(kind: str, tmp_path: Path) -> None:
    async with RawServer([answer()], certificate(tmp_path)) as server:
        said = await failure(kind, server.base_url)
    assert f"the certificate of 127.0.0.1:{server.port} is not trusted (self-signed certificate)" in said
    assert "SSL_CERT_FILE" in said


@pytest.mark.parametrize("kind", ["openai", "gemini"])
@pytest.mark.parametrize(
    ("names", "expired", "why"),
    [("IP:127.0.0.2", False, "IP address mismatch"), ("IP:127.0.0.1", True, "certificate has expired")],
)
async def test_what_is_wrong_with_a_certificate_is_told(
    kind: str, names: str, expired: bool, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = certificate(tmp_path, names, expired=expired)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    async with RawServer([answer()], context) as server:
        assert why in await failure(kind, server.base_url)


@pytest.mark.parametrize("kind", ["openai", "gemini"])
async def test_an_authority_in_ssl_cert_file_is_trusted(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    async with RawServer([answer()], context) as server, endpoint_to(kind, server.base_url) as endpoint:
        assert (await endpoint.complete(a_call())).attempts == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_tls_to_a_plain_port_and_the_other_way_round_are_named(kind: str, tmp_path: Path) -> None:
    async with ModelServer() as server:
        address = server.base_url.removesuffix("/v1")
        said = await failure(kind, address.replace("http://", "https://"))
    assert "no TLS with 127.0.0.1" in said
    assert "`base_url` must begin with http://" in said
    async with RawServer([answer()], certificate(tmp_path)) as tls:
        said = await failure(kind, tls.base_url.replace("https://", "http://"))
    assert "`base_url` must begin with https://" in said


@pytest.mark.parametrize("kind", ["openai", "gemini"])
async def test_a_dead_proxy_is_named_and_not_the_server(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with RawServer([]) as proxy:
        pass
    monkeypatch.setenv("http_proxy", proxy.base_url)
    said = await failure(kind, "http://models.example:8000")
    assert f"models.example:8000 by the proxy 127.0.0.1:{proxy.port}: the proxy refuses" in said
    monkeypatch.setenv("http_proxy", "http://nowhere.invalid:3128")
    assert "nowhere.invalid is not known" in await failure(kind, "http://models.example:8000")
    async with RawServer([response(b"", "407 Proxy Authentication Required")]) as proxy:
        monkeypatch.setenv("http_proxy", proxy.base_url)
        assert "the proxy wants a password (407)" in await failure(kind, "http://models.example:8000")
        monkeypatch.setenv("https_proxy", proxy.base_url)
        assert "the proxy says 407" in await failure(kind, "https://models.example:8000")


async def test_servers_of_the_run_itself_are_reached_by_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://nowhere.invalid:3128")
    async with RawServer([answer()]) as server, endpoint_to("vllm", server.base_url) as endpoint:
        assert (await endpoint.complete(a_call())).attempts == 1


async def test_a_whole_run_goes_on_after_odd_replies(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 2)
    odd = [*ODD.values()]
    replies = [reply for pair in zip(odd, [real] * len(odd), strict=True) for reply in pair]
    async with RawServer([*replies, real]) as server:
        roles = model_config(f"{server.base_url}/v1", max_in_flight=1)
        config = write_config(tmp_path, **roles | {"paraphraser": {"model": "double", "count": 2}})
        done = await asyncio.to_thread(dfj, "generate", config)
        assert done.returncode in (0, 3), done.stderr
        again = await asyncio.to_thread(dfj, "generate", config)
    assert again.returncode == 0, again.stderr
    assert "Traceback" not in done.stderr + again.stderr
    assert status(tmp_path / "run")["seeds"]["failed"] == 0


@contextmanager
def full_backlog() -> Iterator[int]:
    """A port on which connections are neither taken nor refused, since its queue is full."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        try:
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(server.getsockname())
            yield server.getsockname()[1]
        finally:
            for each in waiting:
                each.close()


def test_the_answer_of_the_support_server_is_one() -> None:
    assert json.loads(answer().partition(b"\r\n\r\n")[2])["choices"]
