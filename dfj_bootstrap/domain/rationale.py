"""Labels, levels and the thing that is judged: a rationale."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dfj_bootstrap.domain.texts import defuse


class Label(StrEnum):
    """What an image is: a photograph, wholly generated, or a photograph edited by a model."""

    REAL = "real"
    FAKE = "fake"
    EDITED = "edited"


LEVELS = (1, 2, 3, 4, 5)
"""The five graded qualities; an evaluator's rating uses the same scale."""

GOLD_LEVEL = 5
"""The gold rationale's level: it is never generated."""

WRITTEN_LEVELS = (1, 2, 3, 4)
"""The levels that the generator writes."""

LOWEST_RIGHT_LEVEL = 3
"""From here up a rationale answers the image's own label; below, the wrong side of real against not-real."""


@dataclass(frozen=True, slots=True)
class Rationale:
    """A text that explains a class decision: gold, candidate and paraphrase are all this one type."""

    reasoning: str
    answer: Label

    def tagged(self) -> str:
        """The form in which evaluator, paraphraser and judge are shown it: no text breaks out of its tags."""
        return f"<reasoning>{defuse(self.reasoning)}</reasoning> <answer>{self.answer}</answer>"


def is_wrong_side(label: Label, answer: Label) -> bool:
    """Whether ``answer`` puts an image labelled ``label`` on the wrong side of real against not-real."""
    return (label is Label.REAL) != (answer is Label.REAL)


def answers_its_level(label: Label, level: int, answer: Label) -> bool:
    """Whether a rationale of ``level`` may answer ``answer`` for an image labelled ``label``."""
    if level >= LOWEST_RIGHT_LEVEL:
        return answer is label
    return is_wrong_side(label, answer)


def answer_of_level(label: Label, level: int) -> Label:
    """The class to ask of a rationale of ``level`` (for a real image told wrongly: ``fake``)."""
    if level >= LOWEST_RIGHT_LEVEL:
        return label
    return Label.FAKE if label is Label.REAL else Label.REAL
