"""Texts from rows, made safe to print and to store. Only what no reader can see is taken out of them."""

from __future__ import annotations

import json
import re

NAME_CHARACTERS = 200
"""The most characters of a name: an id, a group."""

# Terminal escape sequences as a whole, then single control characters, but for tab and line feed.
_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_OVERRIDE = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_SEPARATOR = re.compile(r"[\x0b\x0c\x85\u2028\u2029]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_STEPS = (
    (_ESCAPE, "", "terminal escapes removed"),
    (_CONTROL, "", "control characters removed"),
    (_OVERRIDE, "", "direction overrides removed"),
    (_SEPARATOR, " ", "line separators made spaces"),
    (_SURROGATE, "\ufffd", "halves of characters replaced"),
)
_UNSAFE_NAME = re.compile("|".join(step[0].pattern for step in _STEPS[1:]) + r"|[\t\n\r]")


def without_unseen(text: str) -> tuple[str, list[str]]:
    """A text without what no reader can see, and what was done to it; spaces around it go without a word."""
    done = []
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for pattern, instead, what in _STEPS:
        text, count = pattern.subn(instead, text)
        if count:
            done.append(what)
    return text.strip(), done


def one_line(text: str) -> str:
    """A text that neither disturbs a terminal nor fails to be written."""
    return without_unseen(text)[0].replace("\n", " ").replace("\t", " ")


def shown(value: object) -> str:
    """A value from a row for use in a message: short, one line, ASCII."""
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def bad_name(text: str) -> str:
    """Why a text is no name; empty where it may be one."""
    if not text.strip():
        return "is blank"
    if _UNSAFE_NAME.search(text):
        return f"{shown(text)} holds control characters or halves of characters"
    return ""


def too_long(characters: int, most: int, unit: str = "characters") -> str:
    """What is said of a value that is longer than is allowed."""
    return f"has {characters:,} {unit}; the most is {most:,}, and nothing is cut"
