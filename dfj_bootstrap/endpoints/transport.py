"""What goes wrong between a request and its answer, in one place: all errors of the HTTP libraries, in words.

Both clients end at aiohttp: the official OpenAI client wraps its errors into those of its own HTTP library,
Google's lets them through. Some fifty kinds come out, and a server can bring about most of them.

Invariants: what the network or a server does is ``Broken``, since a further attempt may mend it, and its
words name host and cause; what only the configuration or the environment can mend is ``EndpointRejected``;
anything else is a bug and comes out as it is. The kind that fits most closely wins. A test walks the
libraries' trees. Words of a server are quoted only where it can't have put the key into them.
"""

from __future__ import annotations

import asyncio
import errno
import http.cookies
import json
import socket
import ssl
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import singledispatch

import aiohttp
import httpx2
from aiohttp import http_exceptions
from pydantic import ValidationError

from dfj_bootstrap.endpoints.surroundings import PROXIES
from dfj_bootstrap.endpoints.unsent import is_unsent
from dfj_bootstrap.errors import EndpointRejected
from dfj_bootstrap.limits.broken import Broken

CONNECT_S = 10.0
"""Seconds that a connection may take; what takes longer is not there."""

_SETTINGS = (
    httpx2.InvalidURL,
    httpx2.UnsupportedProtocol,
    httpx2.LocalProtocolError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)
"""Errors over an address or a header, which come from the configuration or the environment alone."""

_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNEXPECTED_EOF", "PACKET_LENGTH")
_TLS_ALERT = r"\x15\x03"


@dataclass(frozen=True, slots=True)
class Way:
    """Where a request goes.

    Attributes:
        name: the endpoint's, for messages.
        host: the server's.
        at: the server for messages, as ``HOST:PORT``, with the proxy that leads there.
        tls: whether it is spoken to over TLS.
        timeout_s: seconds that an answer may take.
    """

    name: str
    host: str
    at: str
    tls: bool
    timeout_s: float

    @classmethod
    def to(cls, url: httpx2.URL, name: str, timeout_s: float, proxy: str = "") -> Way:
        """The way to an address; ``proxy``: the ``HOST:PORT`` that leads there, if one does."""
        tls = url.scheme == "https"
        host = f"[{url.host}]" if ":" in url.host else url.host
        by = f" by the proxy {proxy}" if proxy else ""
        return cls(name, url.host, f"{host}:{url.port or (443 if tls else 80)}{by}", tls, timeout_s)


@contextmanager
def on_the_way(way: Way) -> Iterator[None]:
    """Around the one call of a library that sends a request and reads its answer.

    Raises:
        Broken: it got no answer that can be read.
        EndpointRejected: it can't be sent as things are set.
    """
    try:
        yield
    except Exception as error:
        cause = cause_of(error, way)
        if cause is None:
            raise  # a bug
        if isinstance(error, _SETTINGS) and not isinstance(error, aiohttp.RedirectClientError):
            raise EndpointRejected(f"models.{way.name}: {cause}") from None
        raise Broken(cause, maybe_paid=not is_unsent(error)) from None


@singledispatch
def cause_of(error: BaseException, way: Way) -> str | None:
    """What happened, in words; ``None`` for what is no error of transport."""
    return None


@cause_of.register(KeyError)
@cause_of.register(IndexError)
@cause_of.register(ValidationError)
def _bug(error: BaseException, way: Way) -> str | None:
    """These derive from kinds that are a server's doing elsewhere."""
    return None


@cause_of.register(httpx2.HTTPError)
def _wrapped(error: httpx2.HTTPError, way: Way) -> str:
    inner = error.__cause__
    words = cause_of(inner, way) if inner is not None else None
    return words or f"the connection failed: {way.at}: {type(error).__name__}"


@cause_of.register(httpx2.DecodingError)
@cause_of.register(aiohttp.ClientPayloadError)
@cause_of.register(asyncio.IncompleteReadError)
@cause_of.register(EOFError)
@cause_of.register(zlib.error)
def _broke_off(error: BaseException, way: Way) -> str:
    return f"the answer of {way.at} breaks off, or isn't compressed as it says"


@cause_of.register(httpx2.TooManyRedirects)
@cause_of.register(aiohttp.TooManyRedirects)
def _circle(error: BaseException, way: Way) -> str:
    return f"{way.at} redirects in a circle; look at `base_url`"


@cause_of.register(httpx2.InvalidURL)
@cause_of.register(httpx2.UnsupportedProtocol)
@cause_of.register(httpx2.LocalProtocolError)
@cause_of.register(aiohttp.InvalidURL)
@cause_of.register(aiohttp.NonHttpUrlClientError)
def _settings(error: BaseException, way: Way) -> str:
    what = f"its address or a header can't be used ({type(error).__name__})"
    return f"a request to {way.at} can't be sent: {what}; look at `base_url`"


@cause_of.register(httpx2.CookieConflict)
@cause_of.register(httpx2.StreamError)
@cause_of.register(http.cookies.CookieError)
@cause_of.register(aiohttp.ClientError)
@cause_of.register(http_exceptions.HttpProcessingError)
def _improper(error: BaseException, way: Way) -> str:
    said = str(getattr(error, "message", ""))
    if _TLS_ALERT in said:
        return f"{way.at} speaks TLS: `base_url` must begin with https://"
    head = " ".join(said.partition(":")[0].split())[:100]  # what follows is what the server said
    return f"the answer of {way.at} is no proper HTTP ({head or type(error).__name__})"


@cause_of.register(json.JSONDecodeError)
@cause_of.register(UnicodeError)
@cause_of.register(ValueError)
@cause_of.register(RecursionError)
def _unreadable(error: BaseException, way: Way) -> str:
    return f"the answer of {way.at} can't be read ({type(error).__name__})"


@cause_of.register(LookupError)
def _unknown_charset(error: LookupError, way: Way) -> str:
    return f"the answer of {way.at} is in an unknown charset"


@cause_of.register(TimeoutError)
@cause_of.register(aiohttp.ServerTimeoutError)
def _timeout(error: BaseException, way: Way) -> str:
    return f"no answer within {way.timeout_s:g} s from {way.at}"


@cause_of.register(aiohttp.ConnectionTimeoutError)
def _connection_timeout(error: aiohttp.ConnectionTimeoutError, way: Way) -> str:
    return f"the connection failed: {way.at} does not react; look at the address, the network and firewalls"


@cause_of.register(OSError)
@cause_of.register(aiohttp.ClientConnectionError)
def _cut(error: BaseException, way: Way) -> str:
    return f"the connection failed: {way.at} broke it off ({_reason(error)})"


@cause_of.register(aiohttp.ServerDisconnectedError)
def _closed(error: BaseException, way: Way) -> str:
    advice = "" if way.tls else "; if it speaks TLS, `base_url` must begin with https://"
    return f"the connection failed: {way.at} closed it without an answer{advice}"


@cause_of.register(aiohttp.ClientConnectorError)
def _no_connection(error: aiohttp.ClientConnectorError, way: Way) -> str:
    if _is_refused(error.os_error):
        return f"the connection failed: {way.at} refuses it; nothing listens there"
    return f"the connection failed: {way.at} can't be reached ({_reason(error.os_error)})"


@cause_of.register(socket.gaierror)
def _unresolved(error: socket.gaierror, way: Way) -> str:
    return f"the connection failed: the host name {way.host} is not known ({_reason(error)})"


@cause_of.register(aiohttp.ClientConnectorDNSError)
def _unknown_host(error: aiohttp.ClientConnectorDNSError, way: Way) -> str:
    advice = "" if error.host == way.host else f"; it is a proxy's, see {PROXIES}"
    return (
        f"the connection failed: the host name {error.host} is not known ({_reason(error.os_error)}){advice}"
    )


@cause_of.register(aiohttp.ClientProxyConnectionError)
def _dead_proxy(error: aiohttp.ClientProxyConnectionError, way: Way) -> str:
    why = "refuses connections" if _is_refused(error.os_error) else f"fails ({_reason(error.os_error)})"
    return f"the connection failed: {way.at}: the proxy {why}; see {PROXIES}"


@cause_of.register(aiohttp.ClientHttpProxyError)
def _unwilling_proxy(error: aiohttp.ClientHttpProxyError, way: Way) -> str:
    return f"the connection failed: {way.at}: the proxy says {error.status}; see {PROXIES}"


@cause_of.register(aiohttp.ClientConnectorCertificateError)
def _certificate(error: aiohttp.ClientConnectorCertificateError, way: Way) -> str:
    return _untrusted(error.certificate_error, way)


@cause_of.register(ssl.SSLCertVerificationError)
def _untrusted(error: BaseException, way: Way) -> str:
    why = str(getattr(error, "verify_message", "") or _reason(error)).rstrip(".")
    return (
        f"the connection failed: the certificate of {way.at} is not trusted ({why}); "
        "where it is your own, name its authority in SSL_CERT_FILE"
    )


@cause_of.register(aiohttp.ClientConnectorSSLError)
def _no_tls(error: aiohttp.ClientConnectorSSLError, way: Way) -> str:
    return _no_tls_at_all(error.os_error, way)


@cause_of.register(ssl.SSLError)
def _no_tls_at_all(error: OSError, way: Way) -> str:
    reason = str(getattr(error, "reason", None) or _reason(error))
    plain = any(word in reason for word in _NOT_TLS)
    advice = "; if it speaks plain HTTP, `base_url` must begin with http://" if plain else ""
    return f"the connection failed: no TLS with {way.at} ({reason}){advice}"


def _reason(error: BaseException) -> str:
    """The system's words for it, without an address that they repeat."""
    number = getattr(error, "errno", None)
    words = getattr(error, "strerror", None) or (errno.errorcode.get(number, "") if number else "")
    return (
        str(words or type(error).__name__).partition("Connect call failed")[0].strip(" :")
        or "no reason given"
    )


def _is_refused(error: OSError) -> bool:
    """Of several addresses each may have refused, which the system's error then only tells in words."""
    return error.errno == errno.ECONNREFUSED or (error.errno is None and "refused" in str(error).lower())
