"""Which errors of the HTTP libraries say that a request never left, so that nobody can have been paid for it.

Both clients end at aiohttp. The official OpenAI client calls nearly every error of it a ``ConnectTimeout``, a
dropped connection too, so the cause counts.
"""

from __future__ import annotations

import aiohttp

_NO_CONNECTION = (
    aiohttp.ClientConnectorError,  # refused, unknown host, certificate, proxy
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)


def is_unsent(error: BaseException) -> bool:
    """Whether an error, or what caused it, is that no connection was made."""
    return isinstance(error, _NO_CONNECTION) or (error.__cause__ is not None and is_unsent(error.__cause__))
