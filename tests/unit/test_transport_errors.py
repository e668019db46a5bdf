"""Every error that the HTTP libraries can raise has words of its own, and a bug has none."""

from __future__ import annotations

import asyncio
import json
import pkgutil
import socket
import ssl
import zlib
from collections.abc import Iterator
from http.cookies import CookieError
from importlib import import_module
from typing import Any

import aiohttp
import httpx2
import pytest
from aiohttp import http_exceptions
from aiohttp.client_reqrep import ConnectionKey

from dfj_bootstrap.endpoints.misdirected import no_answer
from dfj_bootstrap.endpoints.transport import Way, cause_of, on_the_way
from dfj_bootstrap.errors import EndpointRejected
from dfj_bootstrap.limits.broken import Broken

WAY = Way.to(httpx2.URL("https://models.example/v1"), "fast", 5.0)
ROOTS: tuple[type[BaseException], ...] = (
    httpx2.HTTPError, httpx2.InvalidURL, httpx2.CookieConflict, httpx2.StreamError,
    aiohttp.ClientError, http_exceptions.HttpProcessingError,
    OSError, UnicodeError, json.JSONDecodeError, RecursionError, EOFError, zlib.error, CookieError,
)  # fmt: skip
SETTINGS = (
    httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError,
    aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError,
)  # fmt: skip
BUGS = [
    TypeError("x"), KeyError("x"), IndexError("x"), AttributeError("x"), AssertionError("x"),
    NameError("x"), RuntimeError("Session is closed"), ZeroDivisionError("x"), NotImplementedError("x"),
]  # fmt: skip


def tree(root: type[BaseException]) -> Iterator[type[BaseException]]:
    yield root
    for kind in root.__subclasses__():
        yield from tree(kind)


def raised_by(library: Any) -> set[type[BaseException]]:
    """The exceptions that a library defines, sought in its modules."""
    found: set[type[BaseException]] = set()
    for module in pkgutil.iter_modules(library.__path__, f"{library.__name__}."):
        if not module.name.rpartition(".")[2].startswith(("_main", "web", "pytest", "test", "worker")):
            members = vars(import_module(module.name)).values()
            found |= {each for each in members if isinstance(each, type) and issubclass(each, BaseException)}
    return {kind for kind in found if kind.__module__.startswith(library.__name__)}


def test_every_error_of_the_libraries_is_mapped() -> None:
    kinds = {kind for root in ROOTS for kind in tree(root)}
    assert len(kinds) > 80
    unmapped = {kind for kind in kinds if cause_of.dispatch(kind) is cause_of.dispatch(object)}
    assert not unmapped


OF_OTHER_USES = {
    "HTTPXDeprecationWarning", "BadContentDispositionHeader", "BadContentDispositionParam",  # warnings
    "EofStream",  # ends a stream inside the library
    "TooManyMembersError",  # comes out as ContentEncodingError
    "LookupError",  # of the kind of a request's body: a bug
}  # fmt: skip


@pytest.mark.parametrize("library", [httpx2, aiohttp])
def test_no_error_that_a_library_defines_stands_outside_the_trees(library: Any) -> None:
    outside = {
        kind.__name__
        for kind in raised_by(library)
        if issubclass(kind, Exception) and not issubclass(kind, ROOTS)
    }
    assert {name for name in outside if "WebSocket" not in name and name[:2] != "WS"} <= OF_OTHER_USES


@pytest.mark.parametrize("kind", sorted({k for root in ROOTS for k in tree(root)}, key=repr))
def test_a_kind_is_broken_or_a_setting_and_never_comes_out_as_itself(kind: type[Exception]) -> None:
    error = made(kind)
    if error is None:
        return
    wanted = EndpointRejected if is_setting(kind) else Broken
    with pytest.raises(wanted) as raised, on_the_way(WAY):
        raise error
    assert "models.example" in str(raised.value)


def is_setting(kind: type[BaseException]) -> bool:
    return issubclass(kind, SETTINGS) and not issubclass(kind, aiohttp.RedirectClientError)


def made(kind: type[Any]) -> Any:
    """An instance without the arguments that its maker wants, where it can be had so."""
    try:
        error: Any = kind.__new__(kind)  # type: ignore[call-overload]
        BaseException.__init__(error)
    except TypeError:
        return None
    key = ConnectionKey("models.example", 443, True, True, None, None, None)
    if issubclass(kind, aiohttp.ClientConnectorError):
        error._conn_key, error._os_error = key, OSError(111, "Connect call failed")
        error._certificate_error = ssl.SSLCertVerificationError("x")
    if issubclass(kind, aiohttp.ClientResponseError):
        error.status, error.message = 400, "Bad status line"
    return error


@pytest.mark.parametrize("bug", BUGS, ids=repr)
def test_a_bug_comes_out_as_itself(bug: Exception) -> None:
    with pytest.raises(type(bug)) as raised, on_the_way(WAY):
        raise bug
    assert raised.value is bug


def test_cancelling_is_no_error() -> None:
    with pytest.raises(asyncio.CancelledError), on_the_way(WAY):
        raise asyncio.CancelledError


def test_the_cause_behind_a_wrapped_error_is_told() -> None:
    wrapped = httpx2.ConnectTimeout("x")
    key = ConnectionKey("models.example", 443, True, True, None, None, None)
    wrapped.__cause__ = aiohttp.ClientConnectorDNSError(key, socket.gaierror(-2, "Name or service not known"))
    said = cause_of(wrapped, WAY)
    assert said == (
        "the connection failed: the host name models.example is not known (Name or service not known)"
    )


def test_what_the_server_said_is_not_quoted() -> None:
    error = http_exceptions.BadStatusLine("sk-secret-0123456789")
    error.message = "Bad status line:\n\n  b'sk-secret-0123456789'"
    assert "secret" not in str(cause_of(error, WAY))


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("https://new.example/v2/chat/completions", "give `base_url: https://new.example/v2`"),
        ("https://me:pw@new.example/login?key=sk-1#x", "to https://new.example/login, which"),
        ("/login", "to /login, which is not followed; look at `base_url`"),
        ("http://[::1", "an address that can't be read"),
        ("", "says 307, which is no answer"),
    ],
)
def test_a_redirect_is_named_without_what_may_be_secret(location: str, told: str) -> None:
    said = str(no_answer(307, location, "old.example:443", "/chat/completions").why)
    assert told in said
    assert "old.example:443" in said
    assert "pw" not in said
    assert "sk-1" not in said
