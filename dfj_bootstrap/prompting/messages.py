"""What each role's prompt is filled with. The wording itself stands in the prompt files.

Invariants:

- The evaluator's values hold no intended level: it is blind because nobody could tell it.
- A text from outside (gold, annotations, candidate, feedback) is defused where it is put in, so that none
  breaks out of the tags that it stands between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dfj_bootstrap.domain.rationale import Label, Rationale, answer_of_level, answers_its_level
from dfj_bootstrap.domain.seed import Annotation, Seed
from dfj_bootstrap.domain.texts import defuse
from dfj_bootstrap.domain.trajectory import Brief, Paraphrase, Round
from dfj_bootstrap.policy import fidelity
from dfj_bootstrap.policy.ordering import hash64
from dfj_bootstrap.prompting.templates import Form, Prompt

_MATERIAL = frozenset({"label", "gold", "annotations"})
_REVISION = frozenset({"previous", "rated", "feedback", "level", "answer"})

GENERATOR = Form(
    known=_MATERIAL | {"level", "answer", "words", "revision"},
    required=frozenset({"level", "revision"}),
    image=True,
    sections={"too_high": _REVISION, "too_low": _REVISION, "off_class": _REVISION},
)
EVALUATOR = Form(_MATERIAL | {"candidate"}, frozenset({"candidate"}), image=True, sections={})
JUSTIFY = Form(_MATERIAL | {"candidate", "score"}, frozenset({"candidate", "score"}), image=True, sections={})
WRITER = Form(
    frozenset({"label", "annotations", "words"}), frozenset({"annotations"}), image=True, sections={}
)
PARAPHRASER = Form(
    frozenset({"candidate", "answer", "variation", "refused"}),
    frozenset({"candidate"}),
    image=False,
    sections={"variations": frozenset(), "refused": frozenset({"count", "reason", "rewording"})},
)

_LENGTH_FACTORS = (0.7, 0.85, 1.0, 1.15, 1.3)
_FEWEST_WORDS, _MOST_WORDS, _USUAL_WORDS = 40, 160, 90


def generator_values(
    prompt: Prompt, seed: Seed, gold: Rationale, brief: Brief, rounds: Sequence[Round]
) -> dict[str, str]:
    """What the generator is told; with earlier rounds, the last one and which way to move from it."""
    return {
        **_material(seed, gold),
        "level": str(brief.level),
        "answer": answer_of_level(seed.label, brief.level),
        "words": str(words_wanted(gold.reasoning, brief)),
        "revision": _revision(prompt, seed.label, brief.level, rounds),
    }


def evaluator_values(seed: Seed, gold: Rationale, candidate: Rationale) -> dict[str, str]:
    """What the evaluator is told."""
    return {**_material(seed, gold), "candidate": candidate.tagged()}


def justify_values(seed: Seed, gold: Rationale, candidate: Rationale, rating: int) -> dict[str, str]:
    """What the evaluator is told when it shall argue for a given rating."""
    return {**evaluator_values(seed, gold, candidate), "score": str(rating)}


def writer_values(seed: Seed) -> dict[str, str]:
    """What the writer is told."""
    return {
        "label": seed.label,
        "annotations": _annotations(seed.annotations),
        "words": str(_USUAL_WORDS),
    }


def paraphraser_values(
    prompt: Prompt, original: Rationale, index: int, tried: Sequence[Paraphrase]
) -> dict[str, str]:
    """What the paraphraser is told: each index asks for another way of rewording."""
    variations = prompt.sections["variations"].split("\n")
    return {
        "candidate": original.tagged(),
        "answer": original.answer,
        "variation": variations[index % len(variations)],
        "refused": _refused(prompt, tried),
    }


def _refused(prompt: Prompt, tried: Sequence[Paraphrase]) -> str:
    """What was wrong with the last try; every try is asked for in other words than the one before."""
    if not tried:
        return ""
    last = tried[-1]
    rewording = last.rationale.tagged() if last.rationale else "(nothing that could be read)"
    values = {"count": str(len(tried)), "reason": _in_words(last.reason), "rewording": rewording}
    return prompt.section("refused", values)


def words_wanted(gold: str, brief: Brief) -> int:
    """A length near the gold's, drawn by hash: the level only moves the draw, so length can't betray it."""
    draw = hash64("words", brief.seed_id, brief.level, brief.sample)
    words = min(max(len(gold.split()), _FEWEST_WORDS), _MOST_WORDS)
    return round(words * _LENGTH_FACTORS[draw % len(_LENGTH_FACTORS)] / 5) * 5


def try_again(why: str, try_index: int, tries: int) -> str:
    """What is added to a question whose last answer could not be used."""
    return (
        f"\n\nYour last reply could not be used: {why}. "
        f"This is try {try_index + 1} of {tries}. Answer the whole question again."
    )


def _material(seed: Seed, gold: Rationale) -> dict[str, str]:
    return {
        "label": seed.label,
        "gold": defuse(gold.reasoning),
        "annotations": _annotations(seed.annotations),
    }


def _annotations(annotations: Sequence[Annotation]) -> str:
    return "\n".join(f"- {defuse(_annotation(each))}" for each in annotations) or "(none)"


def _annotation(annotation: Annotation) -> str:
    box = annotation.box
    place = f"[{box.x1}, {box.y1}, {box.x2}, {box.y2}]" if box else ""
    head = " ".join(part for part in (annotation.flag, place) if part)
    return f"{head}: {annotation.text}" if head else annotation.text


def _revision(prompt: Prompt, label: Label, level: int, rounds: Sequence[Round]) -> str:
    rated = [round_ for round_ in rounds if round_.evaluation is not None]
    if not rated:
        return ""
    candidate, evaluation = rated[-1].candidate.rationale, rated[-1].evaluation
    assert evaluation is not None
    values: Mapping[str, str] = {
        "previous": candidate.tagged(),
        "rated": str(evaluation.rating),
        "feedback": defuse(evaluation.feedback),
        "level": str(level),
        "answer": answer_of_level(label, level),
    }
    return prompt.section(_direction(label, level, evaluation.rating, candidate), values)


def _direction(label: Label, level: int, rating: int, candidate: Rationale) -> str:
    """Which section of the prompt says how to go on."""
    if rating > level:
        return "too_high"
    if rating < level:
        return "too_low"
    return "off_class" if not answers_its_level(label, level, candidate.answer) else "too_low"


def _in_words(reason: str) -> str:
    """A refusal as the model is told it."""
    return _REFUSALS.get(reason, reason.replace("_", " "))


_REFUSALS = {
    fidelity.ANSWER_CHANGED: "it named another class than the original",
    fidelity.LENGTH_CHANGED: "it was much shorter or longer than the original",
    fidelity.SIDE_CHANGED: "left and right, upper and lower or front and back were mixed up",
    fidelity.NUMBER_CHANGED: "a number was lost, added or given to another thing",
    fidelity.NEGATION_CHANGED: "something said was denied, or something denied was said",
    fidelity.CLASS_CHANGED: "the text called real, generated or edited what the original calls otherwise",
    fidelity.REGION_CHANGED: "a named thing or region was replaced, lost or added; keep those words",
    fidelity.COLOUR_CHANGED: "a colour was replaced by another",
    fidelity.HEDGING_CHANGED: "it was more or less sure than the original",
    fidelity.COPY: "it was nearly a copy of the original; change far more of the wording",
    fidelity.REPEATS_ANOTHER: "it was nearly the same as another rewording; put it in quite another way",
    fidelity.TOO_FAR: "its meaning was too far from the original; stay closer",
    fidelity.TOO_CLOSE: "it was nearly a copy of the original; change far more of the wording",
    "paraphraser_unparsable": "it was not in the form that is asked for",
    "paraphraser_cut_off": "it was too long",
    "paraphraser_incomplete": "it did not come to its end",
    "paraphraser_refused": "it was no rewording but a refusal",
}
