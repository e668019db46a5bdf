"""The configuration of ``dfj judge``."""

from __future__ import annotations

from typing import Literal, Self

from dfj_bootstrap.config.predicting import PredictingConfig, Predictor

JudgeTask = Literal["pointwise", "pairwise"]
"""What a judge does: scores one text, or chooses between two."""


class JudgeRole(Predictor):
    """Scores a rationale from 1 to 5, or chooses the better of two."""

    prompt: str = "judge/pointwise-v1"
    """A shipped prompt (`role/version`) or the path of your own file; default: the task's shipped one."""
    ties: bool = False
    """Of two texts also take `tie` and `both_bad` as answers; the shipped prompt then offers them."""


class JudgeConfig(PredictingConfig):
    """A run of a judge."""

    judge: JudgeRole
    task: JudgeTask | None = None
    """`pointwise`: scores; `pairwise`: choices; default: what the prompt asks for, or else the first row."""
    both_orders: bool = False
    """Show each pair a second time with the two texts in each other's place."""

    def doing(self, task: JudgeTask) -> Self:
        """The configuration for a task, with its prompt where none is chosen."""
        judge = self.judge
        if "prompt" not in judge.model_fields_set:
            judge = judge.model_copy(update={"prompt": shipped_prompt(task, ties=judge.ties)})
        return self.model_copy(update={"task": task, "judge": judge})


def shipped_prompt(task: JudgeTask, *, ties: bool) -> str:
    """The name of the prompt that comes with the package."""
    return "judge/pairwise-ties-v1" if ties and task == "pairwise" else f"judge/{task}-v1"
