"""The configuration of ``dfj judge``."""

from __future__ import annotations

from typing import Literal, Self

from dfj_bootstrap.config.predicting import PredictingConfig, Predictor

JudgeTask = Literal["pointwise", "pairwise", "claims"]
"""What a judge does: scores one text, chooses between two, or matches what one says with a reference."""


class JudgeRole(Predictor):
    """Scores a rationale from 1 to 5, chooses the better of two, or matches one with a reference."""

    prompt: str = "judge/pointwise-v1"
    """A shipped prompt (`role/version`) or the path of your own file; default: the task's shipped one."""
    ties: bool = False
    """Of two texts also take `tie` and `both_bad` as answers; the shipped prompt then offers them."""


class JudgeConfig(PredictingConfig):
    """A run of a judge."""

    judge: JudgeRole
    task: JudgeTask | None = None
    """`pointwise`: scores; `pairwise`: choices; `claims`: what a text and a reference share; default: what
    the prompt asks for, or else `pointwise` or `pairwise` as the first row is."""
    both_orders: bool = False
    """Show each pair a second time with the two texts in each other's place."""

    def doing(self, task: JudgeTask) -> Self:
        """The configuration for a task, with its prompt and the form of its answers where none is chosen.

        Lists of claims are asked of models that weren't trained as judges, so they are given a schema.
        """
        usual = {"prompt": shipped_prompt(task, ties=self.judge.ties), "json_schema": task == "claims"}
        update = {name: value for name, value in usual.items() if name not in self.judge.model_fields_set}
        return self.model_copy(update={"task": task, "judge": self.judge.model_copy(update=update)})


def shipped_prompt(task: JudgeTask, *, ties: bool) -> str:
    """The name of the prompt that comes with the package."""
    return "judge/pairwise-ties-v1" if ties and task == "pairwise" else f"judge/{task}-v1"
