"""Every error that Ray knows means something: a worker's end, a sentence, or what a worker raised."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from ray import exceptions as of_ray
from ray.exceptions import RayError, RayTaskError

from dfj_bootstrap.cluster.trouble import ENDS, SENTENCES, WorkerDied, meaning_of, node_of, reason_of, told
from dfj_bootstrap.errors import BudgetSpent, RunError, RunFolderError


def _below(kind: type[RayError]) -> Iterator[type[RayError]]:
    for child in kind.__subclasses__():
        if child.__module__ == of_ray.__name__:
            yield child
            yield from _below(child)


@pytest.mark.parametrize("kind", sorted(set(_below(RayError)), key=str))
def test_every_error_of_rays_has_a_meaning(kind: type[RayError]) -> None:
    ends, says = issubclass(kind, ENDS), issubclass(kind, tuple(SENTENCES))
    assert ends + says + issubclass(kind, RayTaskError) == 1, kind
    error = _made(kind)
    meant = meaning_of(error)
    assert isinstance(meant, WorkerDied if ends else RunError if says else ZeroDivisionError)
    assert len(str(meant).splitlines()) == 1


def _made(kind: type[RayError]) -> RayError:
    """An error without the ceremony of its making, whose text is whatever Ray makes of it."""
    if issubclass(kind, RayTaskError):
        return _of_task(ZeroDivisionError("1 / 0"))
    bare: Any = kind
    error: RayError = bare.__new__(bare)
    error.__dict__.update(
        message="it says\nso", error_msg="it says\nso", error_message="so", client_exc="so", traceback_str="",
        task_id=None, object_ref_hex="ab", call_site="", owner_address=None, reason=None, reason_message="so",
        _original_stack_trace="Traceback:\nValueError: so",
    )  # fmt: skip
    return error


def _of_task(cause: BaseException) -> RayTaskError:
    return RayTaskError("work", "Traceback\nso", cause, proctitle="ray::RayWorker", pid=1, ip="10.0.0.7")


@pytest.mark.parametrize(
    "cause",
    [
        RunFolderError("no folder"),
        BudgetSpent("spent"),
        TypeError("a bug"),
        KeyError("k"),
        OSError(28, "full"),
    ],
)
def test_what_a_worker_raised_comes_out_as_itself(cause: Exception) -> None:
    error = _of_task(cause)
    assert meaning_of(error) is cause
    assert type(meaning_of(error.as_instanceof_cause())) is type(cause)


@pytest.mark.parametrize("cause", [asyncio.CancelledError(), KeyboardInterrupt(), SystemExit(1)])
def test_an_end_in_another_process_is_not_taken_for_one_here(cause: BaseException) -> None:
    assert isinstance(meaning_of(_of_task(cause)), WorkerDied)


class _Unsendable(Exception):
    def __reduce__(self) -> str:
        raise pickle.PicklingError("no")


def test_an_error_that_cannot_be_sent_is_told_in_a_sentence() -> None:
    meant = meaning_of(_of_task(_Unsendable("the text")))
    assert isinstance(meant, RunError)
    assert "10.0.0.7" in str(meant)


def test_the_reason_and_the_node_of_a_death_at_its_making_are_found() -> None:
    error = of_ray.ActorDiedError(_of_task(ZeroDivisionError("x")))
    error.error_msg = (
        "The actor died because of an error raised in its creation task, "
        "\x1b[36mray::RayWorker.__init__()\x1b[39m "
        '(pid=7, ip=10.0.0.8, actor_id=ab, repr=<f object>)\n  File "a.py", line 3, in load\n'
        "ModuleNotFoundError: No module named 'dfj_bootstrap'"
    )
    assert reason_of(error) == "ModuleNotFoundError: No module named 'dfj_bootstrap'"
    assert node_of(error) == "10.0.0.8"
    meant = meaning_of(error)
    assert isinstance(meant, WorkerDied)
    assert meant.sure
    assert str(meant) == "on node 10.0.0.8: ModuleNotFoundError: No module named 'dfj_bootstrap'"


def test_the_reason_of_a_killed_process_is_without_addresses_and_guesses() -> None:
    error = of_ray.ActorDiedError()
    error.error_msg = (
        "The actor died unexpectedly before finishing this task.\n\tclass_name: RayWorker\n\tactor_id: ab\n"
        "\tpid: 9\n\tnamespace: cd\n\tip: 10.0.0.9\nThe actor is dead because its worker process has died. "
        "Worker exit type: SYSTEM_ERROR. There are some potential root causes. (1) Killed by the OOM killer"
    )
    assert reason_of(error) == (
        "The actor died unexpectedly before finishing this task. The actor is dead because its worker "
        "process has died. Worker exit type: SYSTEM_ERROR."
    )
    assert node_of(error) == "10.0.0.9"


async def test_a_worker_that_may_still_be_at_work_is_told_apart() -> None:
    async def unavailable() -> None:
        raise of_ray.ActorUnavailableError("network", None)

    with pytest.raises(WorkerDied) as caught:
        await told(unavailable())
    assert not caught.value.sure
