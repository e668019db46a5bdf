"""What can go wrong, and who is told.

::

    DfjError
    ├── RunError              the run cannot go on: exit code 2, one sentence that says what to do
    │   ├── ConfigError       the config file is wrong
    │   ├── SeedsError        the input as a whole is unusable (a bad *row* is a Refusal, not an error)
    │   ├── PredictionsError  what is to be scored can't be: names file and line
    │   ├── RunFolderError    the run folder is locked, foreign, damaged or not writable
    │   │   └── DamagedPart   a part of a table can't be read: made again from the journal
    │   ├── EndpointRejected  key, model or quota: no call can succeed; or it never answered
    │   └── BudgetSpent       the next call does not fit the budget: exit code 4
    ├── CallFailed            a call failed for technical reasons: its seed is *failed*, tried again next run
    ├── Unusable              a model answered, but not usably, whenever asked: the sample is *rejected*
    └── Stopped               the worker stops, so this call was not made: never the outcome of a seed

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


class PredictionsError(RunError):
    """Predictions or human ratings can't be scored as they are: names file, line and the fix."""


class RunFolderError(RunError):
    """The run folder is locked by another process, belongs to other inputs, or cannot be written."""


class DamagedPart(RunFolderError):
    """A part of a table can't be read; the journal has all that it was made from.

    Attributes:
        partition: which it belongs to.
    """

    def __init__(self, message: str, partition: int = 0) -> None:
        super().__init__(message, partition)
        self.partition = partition

    def __str__(self) -> str:
        return str(self.args[0])


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
        why: in words, as the model was or would have been told it.
    """

    def __init__(self, reason: str, raw: str = "", why: str = "") -> None:
        super().__init__(reason, raw, why)
        self.reason = reason
        self.raw = raw
        self.why = why

    def __str__(self) -> str:
        return self.reason


class Stopped(DfjError):
    """The worker stops: a call that still waited was not made.

    An error of its own and no cancellation, since a task that is cancelled looks finished to its group.
    """

    def __init__(self, why: str = "the worker stops; this call was not made") -> None:
        super().__init__(why)


def unwrapped(error: BaseException) -> BaseException:
    """The error of a (nested) exception group that a person should be told.

    A ``RunError`` comes before others, and what only follows from a stop comes last.
    """
    if not isinstance(error, BaseExceptionGroup):
        return error
    return min(map(unwrapped, error.exceptions), key=_rank)


def _rank(error: BaseException) -> int:
    if isinstance(error, RunError):
        return 0
    return 2 if isinstance(error, Stopped) else 1
