"""For all tests: examples are judged by what they give, not by how long a loaded machine takes over them."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
