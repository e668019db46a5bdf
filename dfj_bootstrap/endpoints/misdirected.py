"""What comes back from an address that isn't the API's: redirects, web pages, a proxy's own words.

All of it is ``Broken``: it may pass, and where it doesn't, the words say where to look.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from dfj_bootstrap.endpoints.surroundings import PROXIES
from dfj_bootstrap.limits.broken import Broken

PROXY_WANTS_PASSWORD = 407

_LONGEST_LOCATION = 200


def no_answer(status: int, location: str, at: str, path: str) -> Broken:
    """What a status is that isn't the server's answer; to follow a redirect would take the key elsewhere.

    Args:
        location: where it sends us, if it does.
        path: the end of the address that was asked.
    """
    if status == PROXY_WANTS_PASSWORD:
        return Broken(
            f"the connection failed: {at}: the proxy wants a password (407); see {PROXIES}", maybe_paid=False
        )
    if not location:
        return Broken(f"{at} says {status}, which is no answer", maybe_paid=False)
    bare = _without_secrets(location)[:_LONGEST_LOCATION]
    meant = bare.removesuffix(path)
    advice = f"give `base_url: {meant}` if that is meant" if meant != bare else "look at `base_url`"
    return Broken(f"{at} redirects ({status}) to {bare}, which is not followed; {advice}", maybe_paid=False)


@contextmanager
def unread(at: str, content_type: str) -> Iterator[None]:
    """Around the reading of an answer: where it can't be read, the words name who sent it."""
    try:
        yield
    except Broken as broken:
        page = ", which sent a web page: look at `base_url`" if "html" in content_type else ""
        broken.why = f"{broken.why} ({at}{page})"
        raise


def _without_secrets(location: str) -> str:
    """An address without what may hold a secret: user, password, query, fragment."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "an address that can't be read"
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl()
