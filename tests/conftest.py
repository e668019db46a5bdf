"""For all tests: no haste, and the signals that a person's terminal would give."""

from __future__ import annotations

import signal

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)  # what counts is what an example gives
settings.load_profile("unhurried")

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # else runs started by tests inherit it ignored, under nohup
