"""Generation: from a seed to its ladder. The first job of the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.dataset.ladder_tables import TABLES, rows_of
from dfj_bootstrap.domain.seed import Seed, Split
from dfj_bootstrap.domain.trajectory import Ladder, Paraphrase, Trajectory
from dfj_bootstrap.intake.seeds import SeedItems
from dfj_bootstrap.policy import RULES_OF_DECISION
from dfj_bootstrap.policy.fidelity import Window
from dfj_bootstrap.policy.splitting import split_of
from dfj_bootstrap.roles.casting import Cast
from dfj_bootstrap.roles.generation import FORMS, generation_roles
from dfj_bootstrap.roles.identity import Forms
from dfj_bootstrap.stages.ladder import Recipe, Watcher, build_ladder
from dfj_bootstrap.stages.paraphrase import ParaphraseOptions
from dfj_bootstrap.stages.protocols import Roles
from dfj_bootstrap.storage.tables import Row, Schema
from dfj_bootstrap.tasks.generation_ledger import (
    GENERATION,
    GenerationLedger,
    tally_paraphrase,
    tally_seed,
    tally_trajectory,
)
from dfj_bootstrap.tasks.samples import samples_of, start_over


@dataclass(frozen=True)
class Generate:
    """Grow the ladders of all seeds.

    Attributes:
        retry_rejected: give rejected levels another go.
    """

    name: ClassVar[str] = "generate"
    forms: ClassVar[Forms] = FORMS
    tables: ClassVar[Mapping[str, Schema]] = TABLES

    config: Config
    retry_rejected: bool = False

    @property
    def items(self) -> SeedItems:
        return SeedItems(self.config.seed_files, self.config.image_root, self._split_of)

    @property
    def decides(self) -> Any:
        parts = self.config.model_dump(mode="json", include={"refine", "similarity", "paraphraser"})
        return [parts, RULES_OF_DECISION]

    @property
    def ledger(self) -> GenerationLedger:
        again = ("trajectories.rejected",) if self.retry_rejected else ()
        return replace(GENERATION, unsettled=(*GENERATION.unsettled, *again))

    async def do(self, seed: Seed, cast: Cast) -> Ladder:
        roles = cast.once(self._roles)
        if self.retry_rejected:
            samples = samples_of(cast.journal, seed.id)
            rejected = await build_ladder(seed, samples, roles, self._recipe, lambda done: None)
            start_over(cast.journal, rejected)
        samples = samples_of(cast.journal, seed.id)
        ladder = await build_ladder(seed, samples, roles, self._recipe, _watcher(cast))
        cast.enter(tally_seed(ladder))
        return ladder

    def rows(self, seed: Seed, ladder: Ladder) -> Mapping[str, Sequence[Row]]:
        return rows_of(seed, ladder)

    def _split_of(self, group: str) -> Split:
        """The split of a group for which no row names one."""
        dataset = self.config.dataset
        return split_of(group, None, test_fraction=dataset.test_fraction, rng_seed=dataset.rng_seed)

    def _roles(self, cast: Cast) -> Roles:
        return generation_roles(self.config, cast)

    @property
    def _recipe(self) -> Recipe:
        similarity, refine, words = self.config.similarity, self.config.refine, self.config.paraphraser
        options = ParaphraseOptions(words.count, words.max_tries, Window(similarity.min, similarity.max))
        return Recipe(refine.gate, refine.threshold, refine.max_rounds, options)


def _watcher(cast: Cast) -> Watcher:
    """Enters what is finished in the books, when it is."""

    def watch(done: Trajectory | Paraphrase) -> None:
        cast.enter(tally_trajectory(done) if isinstance(done, Trajectory) else tally_paraphrase(done))

    return watch
