"""What can go wrong, and who is told.

::

    DfjError
    ├── RunError              the run cannot go on: exit code 2, one sentence that says what to do
    │   ├── ConfigError       the config file is wrong
    │   ├── SeedsError        the input as a whole is unusable (a bad *row* is a Refusal, not an error)
    │   ├── RunFolderError    the run folder is locked, foreign, damaged or not writable
    │   ├── EndpointRejected  key, model or quota: no call can succeed; or it never answered
    │   └── BudgetSpent       the next call does not fit the budget: exit code 4
    ├── CallFailed            a call failed for technical reasons: its seed is *failed*, tried again next run
    └── Unusable              a model answered, but not usably, whenever asked: the sample is *rejected*

Anything else that is raised (``TypeError``, ``KeyError`` …) is a bug: it stops the run and is never
turned into data. Every error carries all it was built from in ``args``, so it survives pickling and
reaches the driver through Ray.
"""

from __future__ import annotations


class DfjError(Exception):
    """Root of every error that this package raises on purpose."""


class RunError(DfjError):
    """The run cannot go on; the message is one sentence for the person who started it."""


class ConfigError(RunError):
    """The configuration is wrong: names the file, the field and the fix."""


class SeedsError(RunError):
    """The seeds as a whole are unusable, e.g. no file or no good row."""


class RunFolderError(RunError):
    """The run folder is locked by another process, belongs to other inputs, or cannot be written."""


class EndpointRejected(RunError):
    """A model endpoint refused for good (key, model name, permission, quota), or never answered at all."""


class BudgetSpent(RunError):
    """The next call doesn't fit ``budget_usd``; a larger one lets the run go on."""


class CallFailed(DfjError):
    """A call failed after all its network attempts."""


class Unusable(DfjError):
    """A role got no usable answer.

    Args:
        reason: a short stable word for tables, e.g. ``generator_unparsable``.
        raw: the last raw answer, kept for the audit.
    """

    def __init__(self, reason: str, raw: str = "") -> None:
        super().__init__(reason, raw)
        self.reason = reason
        self.raw = raw

    def __str__(self) -> str:
        return self.reason


def unwrapped(error: BaseException) -> BaseException:
    """The error of a (nested) exception group that a person should be told: a ``RunError`` before others."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    found = [unwrapped(inner) for inner in error.exceptions]
    return next((inner for inner in found if isinstance(inner, RunError)), found[0])
