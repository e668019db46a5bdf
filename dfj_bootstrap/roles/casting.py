"""The cast of one partition: the roles of a job, with their ways to models behind the partition's journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from dfj_bootstrap.calls.call import Endpoint
from dfj_bootstrap.calls.journalled import JournalledEndpoint
from dfj_bootstrap.config.paid import PaidModel
from dfj_bootstrap.config.run import RunConfig
from dfj_bootstrap.roles.backends import Backends
from dfj_bootstrap.roles.model_asking import TRIES, Line, Speaker
from dfj_bootstrap.roles.recorded import RecordedSimilarity
from dfj_bootstrap.stages.protocols import Similarity
from dfj_bootstrap.storage.journal import Records

Count = Callable[[str, float], None]
"""Is told of an amount by its key in the books."""

T = TypeVar("T")


class Cast:
    """Whoever a task works with on one partition.

    Attributes:
        journal: of the partition, for facts.
        count: enters an amount in the partition's books.
        similarity: what the job compares texts by; its verdicts are facts.
    """

    def __init__(
        self,
        config: RunConfig,
        backends: Backends,
        journal: Records,
        count: Count,
        behind: Callable[[Endpoint, Records, Count], JournalledEndpoint] = JournalledEndpoint,
    ) -> None:
        """``behind`` puts an endpoint behind the journal."""
        self.journal = journal
        self.count = count
        self.similarity = _recorded(config, backends.similarity, journal)
        self._config = config
        self._usability = backends.usability
        self._endpoints = {
            name: behind(endpoint, journal, count) for name, endpoint in backends.endpoints.items()
        }
        self._made: dict[Callable[[Cast], Any], Any] = {}

    def enter(self, tally: Mapping[str, float]) -> None:
        """Enter several amounts in the partition's books."""
        for key, amount in tally.items():
            self.count(key, amount)

    def once(self, make: Callable[[Cast], T]) -> T:
        """What ``make`` makes of this cast, made the first time: a task's roles, say."""
        if make not in self._made:
            self._made[make] = make(self)
        return cast("T", self._made[make])

    def speaker(self, role: str, tries: int = TRIES) -> Speaker:
        """A role's way of asking the model that plays it, at most so often.

        Raises:
            KeyError: the job has no such role, or no model plays it.
        """
        line = self.line(role)
        if line is None:
            raise KeyError(role)
        return Speaker(role, line, self._config.roles[role], tries)

    def line(self, role: str) -> Line | None:
        """The way to a role's model and those that step in; ``None`` where the embedded rules play it."""
        line: Line | None = None
        settings, usability = self._config.roles[role], self._usability
        for name in reversed((settings.model, *settings.fallback)):
            model = self._config.models[name]
            if isinstance(model, PaidModel):
                line = Line(self.endpoint(name), name, model.asked_as, model.send_images, line, usability)
        return line

    def endpoint(self, name: str) -> JournalledEndpoint:
        """The way to a model in use, by its name in the configuration."""
        return self._endpoints[name]

    async def settle(self) -> None:
        """Wait until every question of this partition has ended."""
        for endpoint in self._endpoints.values():
            await endpoint.settle()

    async def drain(self, grace_s: float) -> None:
        """Let calls in flight be answered and recorded, for so long at the most."""
        for endpoint in self._endpoints.values():
            await endpoint.drain(grace_s)


def _recorded(config: RunConfig, similarity: Similarity, journal: Records) -> Similarity:
    """Verdicts of a model are facts; what is computed from the texts alone needs no record."""
    compares_by = config.compares_by
    if compares_by is None or compares_by.backend != "sentence-transformers":
        return similarity
    return RecordedSimilarity(similarity, compares_by.model, journal)
