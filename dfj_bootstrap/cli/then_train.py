"""``dfj generate … --then-train``: the corpus, and at once the judge that is trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dfj_bootstrap.cli.report import Report
from dfj_bootstrap.cli.train import Asked, train_judge
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.ms_swift.command import find_swift, not_installed
from dfj_bootstrap.training.model_check import resolved_model
from dfj_bootstrap.training.overrides import parse_overrides
from dfj_bootstrap.training.recipe import Task


@dataclass(frozen=True, slots=True)
class Chain:
    """The training that is to follow, as it was asked for."""

    task: str
    model: str
    gpus: int
    overrides: Sequence[str]

    def check(self) -> None:
        """Find out before anything is spent whether the training could begin, as far as that shows now.

        Raises:
            ConfigError: it can't.
        """
        if self.task not in list(Task):
            raise ConfigError(f"--then-train {self.task}: give pointwise or pairwise")
        resolved_model(self.model)
        parse_overrides(self.overrides)
        if find_swift() is None:
            raise not_installed()

    def train(self, config: Config, generated: Report) -> Report:
        """Train on what was generated, unless it isn't whole.

        Raises:
            RunError: the training can't begin; what was generated is there.
        """
        if generated.exit_code:
            left = f"not trained: run again to finish the corpus first, or `dfj train {config.output}`"
            return Report([*generated.lines, left], generated.data, generated.exit_code)
        address = config.engine.address if config.engine.kind == "ray" else None
        asked = Asked(
            config.output, self.task, self.model, None, self.gpus, 1, self.overrides, "swift", address
        )
        trained = train_judge(asked, dry_run=False, check=False, resume=False)
        data = {**generated.data, "training": trained.data}
        return Report([*generated.lines, *trained.lines], data, trained.exit_code)
