"""What an HTTP client takes from its surroundings: proxies, certificates, headers; checked before a call.

The clients themselves would fail at the first call, or without saying which variable they mean.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

import httpx2

from dfj_bootstrap.config.addresses import SERVERS, problem_of_address
from dfj_bootstrap.errors import ConfigError

PROXIES = "HTTPS_PROXY and HTTP_PROXY in the environment"
"""For messages."""

_KNOWN = (*SERVERS, "socks5", "socks5h")
"""Kinds of proxies that the clients can be made with; they can go by the first two only."""

_SENDABLE = re.compile(r"[\x20-\x7e]*")


@contextmanager
def set_up(name: str, environment: Mapping[str, str]) -> Iterator[None]:
    """Around the making of an endpoint's HTTP client.

    Raises:
        ConfigError: it can't be made; names the variable or the setting.
    """
    _check_certificates(environment)
    for variable, proxy in _proxies(environment).values():
        problem = problem_of_address(_whole(proxy), _KNOWN)
        if problem:
            raise ConfigError(f"{variable}: the proxy {problem}")
    try:
        yield
    except (OSError, ValueError, ImportError, httpx2.InvalidURL) as error:
        said = (getattr(error, "strerror", ""), getattr(error, "filename", ""))
        what = " ".join(str(each) for each in said if each) or type(error).__name__
        raise ConfigError(
            f"models.{name}: its HTTP client can't be made ({what}); look at `base_url` "
            "and at the variables for proxies and certificates in the environment"
        ) from None


def check_client(name: str, url: str, headers: Mapping[str, str]) -> None:
    """Whether requests to an address, with these headers, can go out.

    Raises:
        ConfigError: they can't; names the variable or the setting. Values are not told: they may be secret.
    """
    problem = problem_of_address(url)
    if problem:
        raise ConfigError(f"models.{name}: the address, from `base_url` or the environment, {problem}")
    for header, value in headers.items():
        if not _SENDABLE.fullmatch(f"{header}{value}"):
            raise ConfigError(
                f"models.{name}: the header {header!a} holds a line end or a character that can't be sent; "
                "look at OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS"
            )


def proxy_for(name: str, url: str, environment: Mapping[str, str], *, strict: bool = False) -> str:
    """The ``HOST:PORT`` of the proxy by which an address is reached; empty for none.

    Args:
        strict: for a client that reads no ``ALL_PROXY``, and no proxy without a scheme.

    Raises:
        ConfigError: the client can't go by it.
    """
    parts = urlsplit(url)
    proxies = _proxies(environment)
    everywhere = {kind: proxy for kind, (_, proxy) in proxies.items()}
    everywhere["no"] = _value("no_proxy", environment)[1]
    if proxy_bypass_environment(parts.netloc, everywhere):
        return ""
    other = ("", "") if strict else proxies.get("all", ("", ""))
    variable, proxy = proxies.get(parts.scheme, other)
    if proxy and urlsplit(proxy if strict else _whole(proxy)).scheme not in SERVERS:
        raise ConfigError(
            f"{variable}: calls to models.{name} would go by this proxy, which must begin with http:// or "
            "https:// to be of use; correct it, or name the host in NO_PROXY"
        )
    return urlsplit(_whole(proxy)).netloc.rpartition("@")[2] if proxy else ""


def _whole(proxy: str) -> str:
    return proxy if "://" in proxy else f"http://{proxy}"


def _proxies(environment: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Kind of address → variable and proxy; ``all`` stands for those that have none of their own."""
    found = {kind: _value(f"{kind}_proxy", environment) for kind in ("http", "https", "all")}
    return {kind: (name, proxy) for kind, (name, proxy) in found.items() if proxy}


def _value(name: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """A variable that may be written in small or capital letters: as it is written, and its value."""
    written = [each for each in (name, name.upper()) if environment.get(each)]
    return (written[0], environment[written[0]]) if written else (name, "")


def _check_certificates(environment: Mapping[str, str]) -> None:
    file, folder = environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR")
    if file:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
        except ssl.SSLError:
            raise ConfigError(f"SSL_CERT_FILE: {file} holds no certificates in PEM form") from None
        except OSError as error:
            raise ConfigError(
                f"SSL_CERT_FILE: cannot read {file}: {error.strerror}; correct the variable or unset it"
            ) from None
    elif folder and not any(Path(each).is_dir() for each in folder.split(os.pathsep)):
        raise ConfigError(f"SSL_CERT_DIR: {folder} is no folder; correct the variable or unset it")
