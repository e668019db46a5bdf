"""The Ray engine: worker actors pull partitions; what a killed one had open goes on elsewhere.

Invariants:

- A partition is open in one actor at a time, as far as the driver knows; where it is wrong (a worker that
  wakes from the dead), the journal's epochs keep the damage out.
- Nothing polls: an actor streams the deltas of a partition's books, and the stream's end is the commit.
- Only a Ray that was started here is shut down here, and only such a one is started again when it is lost.
- Nothing is repeated for ever: deaths, starts that fail and losses of Ray are bounded where nothing is done
  in between, and waited after; as long as the work gets on, there is no bound.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Mapping, Sequence

from dfj_bootstrap.cluster.docket import Docket
from dfj_bootstrap.cluster.member import Member
from dfj_bootstrap.cluster.replicas import running_replicas
from dfj_bootstrap.cluster.session import Session, open_session
from dfj_bootstrap.cluster.trouble import RayLost, WorkerDied
from dfj_bootstrap.endpoints.vllm.endpoint import Replicas
from dfj_bootstrap.engine.partition import RunReport
from dfj_bootstrap.engine.task import Job
from dfj_bootstrap.engine.worker import partitions_at_once
from dfj_bootstrap.errors import RunError, unwrapped
from dfj_bootstrap.limits.coordinator import Coordinator
from dfj_bootstrap.roles.backends import limits_of, workers_of

_LOG = logging.getLogger(__name__)

_MOST_FALLS = 4
"""Workers in a row that may die in one place of the crew before they took any work."""

_MOST_LOSSES = 3
"""Losses of a Ray of our own, in a row, without anything done in between."""

_LONGEST_PAUSE_S = 30.0


async def run_ray(job: Job, partitions: Sequence[int], report: RunReport) -> None:
    """Work on all partitions with ``engine.workers`` actors.

    Raises:
        RunError: the run can't go on.
    """
    docket = Docket(partitions)
    crew = _Crew(job, docket, report)
    losses = 0
    while docket.left:
        gains = docket.gains
        try:
            async with open_session(job.config.engine.address) as session:
                await _in_session(job, crew, session)
        except* RayLost as group:
            losses = losses + 1 if docket.gains == gains else 1
            _check_loss(session, str(unwrapped(group)), losses)


async def _in_session(job: Job, crew: _Crew, session: Session) -> None:
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(session.watch())
        async with running_replicas(job) as replicas:
            await crew.run(session, replicas)
        watching.cancel()


def _check_loss(session: Session, why: str, losses: int) -> None:
    """Whether to start again."""
    if not session.own:
        raise RunError(
            f"the Ray cluster is lost: {why}; what was recorded is kept: run again when the cluster is back"
        )
    if losses >= _MOST_LOSSES:
        raise RunError(
            f"Ray was lost {losses} times without anything done in between, at last since {why}; look for "
            "memory limits of this machine, then run again"
        )
    _LOG.warning("Ray was lost (%s); it is started again, and the work goes on from the journal", why)


class _Crew:
    """The places for workers, and the partitions that wait for them; outlives a Ray that is lost."""

    def __init__(self, job: Job, docket: Docket, report: RunReport) -> None:
        self._job = job
        self._docket = docket
        self._report = report
        self._workers = workers_of(job.config)
        self._at_once = partitions_at_once(len(docket), self._workers)
        self._coordinator = Coordinator(
            limits_of(job.config), job.config.budget_usd, job.spent_usd, patient=job.patient
        )
        self._changed = asyncio.Event()

    async def run(self, session: Session, replicas: Mapping[str, Replicas]) -> None:
        """Work until all is committed."""
        self._session = session
        self._replicas = replicas
        self._filled = self._workers
        self._taken = Counter[str]()
        async with asyncio.TaskGroup() as group:
            for place in range(self._workers):
                group.create_task(self._tend(place))

    async def _tend(self, place: int) -> None:
        """Keep one place in the crew filled until nothing is left to do."""
        falls = 0
        while self._docket.left:
            member = Member(self._session)
            death = await self._employ(place, member)
            if death is None:
                return
            falls = 0 if member.gained else falls + 1
            if falls >= _MOST_FALLS and not member.took:
                self._leave_empty(place, death)
                return
            then = "its partitions go on elsewhere" if member.took else "another one is started"
            _LOG.warning("worker %d died %s; %s", place, death, then)
            await asyncio.sleep(_pause_s(falls))

    async def _employ(self, place: int, member: Member) -> WorkerDied | None:
        """Let a worker work in a place until nothing is left, or until it dies.

        It is started on the node with the fewest of them: Ray would put those that ask for no CPU anywhere. A
        node where one died before it took any work counts as taken by it, so that others are tried first.
        """
        death = None
        node = min(await self._session.nodes(), key=self._taken.__getitem__)
        self._taken[node] += 1
        try:
            await member.start(node, self._job, self._workers, self._replicas)
            await self._coordinator.supply(place, member.exchange, self._pull_all(place, member))
        except* WorkerDied as group:
            death = member.placed(_first(group))
        finally:
            await member.dismiss(death)
            self._taken[node] -= member.took
            self._take_back(place, dead=death is not None)
        return death

    async def _pull_all(self, place: int, member: Member) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._at_once):
                group.create_task(self._pull(place, member))

    async def _pull(self, place: int, member: Member) -> None:
        while self._docket.left:
            partition = self._docket.take(place)
            if partition is None:
                await self._changed.wait()
                continue
            member.took = True
            async for delta in member.work(partition):
                self._report(partition, delta)
                member.gained |= self._docket.told(partition, delta)
            self._docket.committed(place, partition)
            self._tell()

    def _take_back(self, place: int, *, dead: bool) -> None:
        """What a worker had open waits again."""
        taken = self._docket.died(place) if dead else self._docket.given_up(place)
        for partition in taken:
            self._report(partition, None)
        self._tell()
        self._docket.check()

    def _leave_empty(self, place: int, death: WorkerDied) -> None:
        """Give up a place whose workers all die at once; the others go on without it."""
        self._filled -= 1
        sentence = f"{_MOST_FALLS} workers in a row died before they took any work, the last one {death}"
        if not self._filled:
            raise RunError(f"{sentence}; mend that node, then run again")
        _LOG.warning("%s; the run goes on without worker %d", sentence, place)

    def _tell(self) -> None:
        """Wake those that wait for a partition."""
        before, self._changed = self._changed, asyncio.Event()
        before.set()


def _first(group: BaseExceptionGroup[WorkerDied]) -> WorkerDied:
    death = unwrapped(group)
    assert isinstance(death, WorkerDied)
    return death


def _pause_s(falls: int) -> float:
    """Seconds to wait after so many workers in a row that got nothing done: growing, jittered."""
    return min(2.0 ** (falls - 1), _LONGEST_PAUSE_S) * random.uniform(0.5, 1) if falls else 0.0
