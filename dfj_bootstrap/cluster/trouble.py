"""What Ray's errors mean here: the one place that knows their names.

Invariants: an error that a worker raised comes out as itself; everything else that Ray says is either the end
of a worker, whose partitions then go on elsewhere, or a sentence that ends the run. ``CancelledError`` never
comes out of another process: it would look as if the asker itself had been cancelled, and be lost in silence.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable
from typing import Any

from ray import exceptions as of_ray
from ray.exceptions import RayError, RayTaskError

from dfj_bootstrap.errors import RunError

ENDS = (
    of_ray.RayActorError,
    of_ray.WorkerCrashedError,
    of_ray.LocalRayletDiedError,
    of_ray.NodeDiedError,
    of_ray.OutOfMemoryError,
    of_ray.ObjectLostError,
    of_ray.RaySystemError,
    of_ray.RpcError,
    of_ray.TaskCancelledError,
    of_ray.GetTimeoutError,
    of_ray.PlasmaObjectNotAvailable,
    of_ray.ObjectRefStreamEndOfStreamError,
    of_ray.AsyncioActorExit,
    of_ray.RuntimeEnvSetupError,
    of_ray.TaskUnschedulableError,
    of_ray.ActorUnschedulableError,
    of_ray.TaskPlacementGroupRemoved,
    of_ray.ActorPlacementGroupRemoved,
    of_ray.ActorHandleNotFoundError,
)
"""The worker is gone, can't be reached or can't be started: another one may do better."""

SENTENCES: dict[type[RayError], str] = {
    of_ray.AuthenticationError: "Ray refuses this job's token; give it the cluster's (RAY_AUTH_TOKEN)",
    of_ray.ObjectStoreFullError: "Ray's object store is full; give it more memory",
    of_ray.OutOfDiskError: "a node's disk is full, so that Ray can't go on; make room",
    of_ray.PendingCallsLimitExceeded: "Ray refuses more calls to one worker; please report this",
    of_ray.UnserializableException: "a worker's error can't be read here; please report this",
    of_ray.CrossLanguageError: "Ray reports an error of another language; please report this",
    of_ray.UserCodeException: "Ray reports an error of a library; please report this",
    of_ray.OufOfBandObjectRefSerializationException: "Ray refuses what it was sent; please report this",
    of_ray.ActorAlreadyExistsError: "an actor of this name exists already; please report this",
}
"""No worker would do better."""

_SURE = (of_ray.ActorDiedError, of_ray.NodeDiedError, of_ray.WorkerCrashedError, of_ray.OutOfMemoryError)
_MOST_LETTERS = 300
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_GUESSES = re.compile(r"(There are some potential root|Some common) causes.*", re.DOTALL)
_NODE = re.compile(r"\bip[:=]\s*([^\s,)]+)")
_ABOUT_ACTOR = re.compile(r"^\t(class_name|actor_id|pid|name|namespace|ip): .*\n?", re.MULTILINE)


class WorkerDied(Exception):
    """A worker, or another actor, is gone, or as good as gone.

    Args:
        why: one line.
        node: where it ran, if that is known.
        sure: its process has ended; else it may still be at work.
    """

    def __init__(self, why: str, node: str = "", *, sure: bool = False) -> None:
        super().__init__(why, node)
        self.why = why
        self.node = node
        self.sure = sure

    def __str__(self) -> str:
        return f"on node {self.node}: {self.why}" if self.node else self.why


class RayLost(Exception):
    """There is no Ray any more that could start a worker; the message says how that was found out."""


async def told(reference: Awaitable[Any]) -> Any:
    """The value behind a reference.

    Raises:
        WorkerDied: there is none, since the worker is gone.
        RunError: no worker could do better.
        Exception: what the worker raised, as itself.
    """
    try:
        return await reference
    except RayError as error:
        raise meaning_of(error) from None


async def all_told(stream: AsyncIterator[Awaitable[Any]]) -> AsyncIterator[Any]:
    """The values behind a stream of references; raises as ``told``."""
    while True:
        try:
            reference = await anext(stream)
        except StopAsyncIteration:
            return
        except RayError as error:
            raise meaning_of(error) from None
        yield await told(reference)


def meaning_of(error: RayError) -> BaseException:
    """What is to be raised in place of an error of Ray's."""
    if isinstance(error, RayTaskError):
        return _cause_of(error)
    for kind, sentence in SENTENCES.items():
        if isinstance(error, kind):
            return RunError(f"{sentence} ({reason_of(error)})")
    if isinstance(error, ENDS):
        return WorkerDied(reason_of(error), node_of(error), sure=isinstance(error, _SURE))
    return RunError(f"Ray says {type(error).__name__}: {reason_of(error)}")


def reason_of(error: BaseException) -> str:
    """Ray's message as one line without its colours, addresses of actors, stack and guesses."""
    text = _GUESSES.sub("", _ABOUT_ACTOR.sub("", _COLOURS.sub("", str(error)))).strip()
    if "\nTraceback" in text or "\n  File " in text or "ray::" in text:
        text = text.splitlines()[-1]  # of a stack, the error itself
    line = " ".join(text.split()) or type(error).__name__
    return line if len(line) <= _MOST_LETTERS else f"{line[: _MOST_LETTERS - 1]}…"


def node_of(error: BaseException) -> str:
    """The address of the node that an error of Ray's tells of, or an empty string."""
    found = _NODE.search(_COLOURS.sub("", str(error)))
    return found.group(1) if found else ""


def _cause_of(error: RayTaskError) -> BaseException:
    cause = error.cause
    if isinstance(cause, RayError):
        return RunError(f"a worker failed on node {error.ip}: {reason_of(cause)}; please report this")
    if isinstance(cause, Exception):
        return cause
    return WorkerDied(f"it was stopped ({type(cause).__name__})", error.ip)
