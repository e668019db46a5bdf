"""The Ray that a run works with: one of its own, or the cluster that it joins; and how its loss is noticed.

Invariants:

- A Ray that was started here listens on loopback alone and asks for a token that is drawn at each start and
  handed on by environment only, whatever the person's own environment says; a cluster is joined as that says.
- Nothing of Ray's is printed: its words go to the log, for ``--debug`` and the like.
- A question to Ray's head never holds up the loop: it is asked in a thread that may hang for ever.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import secrets
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import ray
from ray._private import ray_constants
from ray._private import worker as ray_driver
from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]
from ray.exceptions import RayError

from dfj_bootstrap.cluster.signals import own_signals
from dfj_bootstrap.cluster.trouble import RayLost, reason_of
from dfj_bootstrap.errors import RunError

_LOG = logging.getLogger(__name__)

_OBJECT_STORE_BYTES = 80 * 2**20
"""Of a Ray started here: nothing large goes through it, and its default is a third of the memory."""

_START_S = 180.0
_JOIN_S = 60.0
_REACH_S = 10.0
"""Seconds that Ray gets to start, or to be joined, and that its head's port gets to take a connection."""

_ANSWER_S = 15.0
"""Seconds that Ray's head gets to say which nodes are alive."""

_LOOK_S = 60.0
"""Seconds after which to look for live nodes, again and again, where a worker doesn't start."""

_LOOKS = 11
"""How often, on a cluster: a little longer than the ten minutes that Ray gives a ``runtime_env``'s set-up."""

_LOOKS_AT_OWN = 2
"""How often, on a Ray of our own, which has nothing to set up."""

_PATIENCE_S = str(24 * 3600)

T = TypeVar("T")


class Session:
    """A Ray that works, as far as is known."""

    def __init__(self, processes: Mapping[str, int] | None = None) -> None:
        """``processes``: those that a Ray of our own can't do without, by name; none of a cluster's."""
        self._processes = processes or {}
        self.own = processes is not None
        self._lost = False

    async def watch(self) -> None:
        """Wait until a process ends that our own Ray can't do without; returns at once on a cluster.

        Raises:
            RayLost: one has ended.
        """
        names = self._processes.items()
        waiting = {asyncio.create_task(in_own_thread(_await_end, pid)): name for name, pid in names}
        if waiting:
            ended, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            raise self._loss(f"its {waiting[ended.pop()]} has ended")

    async def nodes(self) -> list[str]:
        """The ids of the nodes that are alive, of which there is one at least, as Ray's head says.

        Raises:
            RayLost: there is none, or no answer.
        """
        try:
            async with asyncio.timeout(_ANSWER_S):
                nodes = await in_own_thread(ray.nodes)
        except (TimeoutError, RayError) as error:
            raise self._loss(f"its head does not answer ({type(error).__name__})") from None
        alive = [node["NodeID"] for node in nodes if node["Alive"]]
        if not alive:
            raise self._loss("none of its nodes is alive")
        return alive

    async def patiently(self, task: asyncio.Future[T]) -> T:
        """The result of something that needs a node; looks now and then whether there is one.

        Raises:
            RayLost: there is none, or none that got it done.
        """
        looks = _LOOKS_AT_OWN if self.own else _LOOKS
        try:
            for _ in range(looks):
                done, _ = await asyncio.wait([task], timeout=_LOOK_S)
                if done:
                    return task.result()
                await self.nodes()
        finally:
            task.cancel()
        raise self._loss(f"none of its nodes could start a worker within {looks * _LOOK_S:g} s")

    def close(self) -> None:
        """Leave Ray, and end it if it is our own; one that was lost is first killed, as it may hang."""
        if self._lost:
            for pid in self._processes.values():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)  # our child, not reaped yet: the id can't be another's
        ray.shutdown()

    def _loss(self, why: str) -> RayLost:
        self._lost = True
        return RayLost(why)


@asynccontextmanager
async def open_session(address: str | None) -> AsyncIterator[Session]:
    """Join the cluster that is asked for or that this job runs in, else start a Ray for this run alone.

    Raises:
        RunError: that can't be done.
    """
    if ray.is_initialized():
        yield Session()
        return
    inside = "RAY_ADDRESS" in os.environ or "RAY_JOB_ID" in os.environ
    where = address or ("auto" if inside else "local")
    if "://" in where:
        raise RunError(f"engine.address: {where} is Ray Client's; give the head's HOST:PORT, or auto")
    own = where == "local"
    closed = threading.Event()
    with surroundings(own=own):
        await _initialise(where, closed)
        session = Session(_processes()) if own else Session()
        try:
            yield session
        finally:
            session.close()
            closed.set()


async def _initialise(where: str, closed: threading.Event) -> None:
    """Start or join Ray, in a thread that lives as long as the session.

    The call may hang for ever, and the kernel ends what it starts together with the thread that started it.
    """
    options = (
        {"include_dashboard": False, "object_store_memory": _OBJECT_STORE_BYTES} if where == "local" else {}
    )
    init = partial(ray.init, address=where, logging_level=logging.ERROR, log_to_driver=False, **options)
    limit_s = _START_S if options else _JOIN_S
    try:
        await _reach(where)
        with own_signals():
            async with asyncio.timeout(limit_s):
                await in_own_thread(init, until=closed)
    except TimeoutError:
        raise RunError(_not_started(where, "it did not answer in time")) from None
    except Exception as error:  # of many kinds, in plain words
        raise RunError(_not_started(where, reason_of(error))) from error
    finally:
        if not ray.is_initialized():
            atexit.unregister(ray.shutdown)  # it would wait for a start that hangs; its processes end with us


async def _reach(where: str) -> None:
    """Find out early whether anybody is there: Ray would try for ten minutes, and say so on the terminal."""
    host, _, port = where.rpartition(":")
    if port.isdigit():
        async with asyncio.timeout(_REACH_S):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.close()


def _not_started(where: str, why: str) -> str:
    return f"engine.address: Ray can't be {'started' if where == 'local' else f'joined at {where}'}: {why}"


def _processes() -> dict[str, int]:
    """The processes that the Ray that was just started can't do without."""
    running = ray_driver._global_node.all_processes
    needed = (ray_constants.PROCESS_TYPE_RAYLET, ray_constants.PROCESS_TYPE_GCS_SERVER)
    return {name: running[name][0].process.pid for name in needed}


@contextmanager
def surroundings(*, own: bool) -> Iterator[None]:
    """What holds while Ray is started or joined, and used: its environment, and where its words go.

    Ray reads some of this when it is imported, and hands on the environment to what it starts: both are set.
    """
    with ExitStack() as changes:
        changes.callback(_read_environment)
        changes.enter_context(_variables(_environment(own)))
        changes.enter_context(_replaced(ray_driver, "print_to_stdstream", _log))
        if own:
            changes.enter_context(_replaced(ray_constants, "ENABLE_RAY_CLUSTER", False))
        _read_environment()
        yield


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _environment(own: bool) -> dict[str, str]:
    """Variables for Ray.

    Its own library would end this process a minute after the head is gone; that it is gone is found out here,
    and told in a sentence.
    """
    ours = {"RAY_gcs_rpc_server_reconnect_timeout_s": _PATIENCE_S}
    ours["RAY_USAGE_STATS_ENABLED"] = os.environ.get("RAY_USAGE_STATS_ENABLED", "0")
    if own:
        ours["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # all of it on loopback, on Linux too
        ours["RAY_prestart_worker_first_driver"] = (
            "0"  # else a start waits, for ever, for workers to be ready
        )
        ours["RAY_AUTH_MODE"] = "token"
        ours["RAY_ENABLE_K8S_TOKEN_AUTH"] = "0"
        ours["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    return ours


def _read_environment() -> None:
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


def _log(data: Mapping[str, Any], ignore_prefix: bool) -> None:
    """Ray prints its errors, a dead raylet's state dump among them, whatever ``log_to_driver`` says."""
    _LOG.debug("Ray: %s", "\n".join(data.get("lines", ())))


def _await_end(pid: int) -> None:
    """Wait for a child to end, but leave it to Ray to take note of it."""
    with suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


async def in_own_thread(call: Callable[..., T], *arguments: Any, until: threading.Event | None = None) -> T:
    """The result of a call that may never return; its thread doesn't hold up the end of the process.

    Args:
        until: the thread lives on until this is set.
    """
    answer: Future[T] = Future()
    answer.set_running_or_notify_cancel()  # whoever waits may stop waiting; the call can't be cancelled

    def work() -> None:
        try:
            answer.set_result(call(*arguments))
        except Exception as error:
            answer.set_exception(error)
        if until:
            until.wait()

    threading.Thread(target=work, name="asks Ray", daemon=True).start()
    return await asyncio.wrap_future(answer)
