"""Why an answer of a model ended."""

from __future__ import annotations

from enum import StrEnum


class Finish(StrEnum):
    """Why an answer ended.

    ``UNTOLD``: the server didn't say; taken where its form shows that it is whole. ``INCOMPLETE``: for a
    reason that isn't known to be an end (an error, a call of a tool, a word of tomorrow); never taken.
    """

    STOP = "stop"
    LENGTH = "length"
    REFUSED = "refused"
    UNTOLD = "untold"
    INCOMPLETE = "incomplete"
