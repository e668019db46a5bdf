"""Where the keys of paid models come from: the environment, and nowhere else.

A key is never shown, nor a part of it: what is wrong with one is told by the name of its variable.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping

from dfj_bootstrap.config.models import GeminiModel, OpenAIModel
from dfj_bootstrap.config.paid import PaidModel
from dfj_bootstrap.errors import ConfigError

GOOGLE = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
"""Where Google's client library looks for a key; the first wins."""

_ODD = re.compile(r"[^\x21-\x7e]")
"""What no header can carry, or no key holds."""


def key_variable(model: PaidModel, environment: Mapping[str, str] = os.environ) -> str:
    """The environment variable that a model's key is taken from; empty where it needs none."""
    if isinstance(model, OpenAIModel | GeminiModel) and model.api_key_env:
        return model.api_key_env
    if isinstance(model, GeminiModel):
        return next((name for name in GOOGLE if environment.get(name)), GOOGLE[0])
    return ""


def key_of(name: str, model: PaidModel, environment: Mapping[str, str] = os.environ) -> str:
    """The key of ``models.NAME``; ``none`` for a server of one's own without one.

    Raises:
        ConfigError: the variable is not set, or what it holds can't be a key.
    """
    variable = key_variable(model, environment)
    if not variable:
        return "none"
    if environment.get(variable):
        return _checked(name, variable, environment[variable])
    assert isinstance(model, OpenAIModel | GeminiModel)
    if model.base_url:
        return "none"
    either = model.api_key_env or " or ".join(GOOGLE)
    raise ConfigError(
        f"models.{name}: the environment variable {either} is not set; "
        "export it or put it into a .env beside the config"
    )


def _checked(name: str, variable: str, key: str) -> str:
    odd = _ODD.search(key)
    if odd is None:
        return key
    character = odd[0]
    named = unicodedata.name(character, f"U+{ord(character):04X}").lower()
    what = "a line end" if character in "\r\n" else f"a character that no key has ({named})"
    raise ConfigError(
        f"models.{name}: the key in the environment variable {variable} holds {what}; copy the key again, "
        "without what stands around it"
    )
