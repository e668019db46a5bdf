"""What servers ask to wait, read from their headers in the forms that they use."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from dfj_bootstrap.endpoints.waits import duration, pause_asked, retry_after

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("3", 3.0), ("0.5", 0.5), ("-1", 0.0), ("inf", None), ("soon", None), ("", None),
     (formatdate(NOW - 60, usegmt=True), 0.0), ("Wed, 99 Foo 2026", None)],
)  # fmt: skip
def test_a_wait_is_read_in_both_forms(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}, NOW) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1.0), ("6m0s", 360.0), ("20ms", 0.02), ("1h2m3.5s", 3723.5), ("1.5", 1.5), ("", None),
     ("soon", None), ("1795809845", None), ("1795809845123", None)],
)  # fmt: skip
def test_resets_are_read_in_the_forms_that_servers_use(text: str, seconds: float | None) -> None:
    assert duration(text) == (pytest.approx(seconds) if seconds is not None else None)


def test_headers_ask_for_a_pause_only_where_nothing_is_left() -> None:
    some = {"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "9s"}
    assert pause_asked(some) == 0
    none = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "9s"}
    assert pause_asked(some | none) == 9
