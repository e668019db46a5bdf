"""Roles that a model plays: a prompt, an endpoint and sampling settings.

Each renders its prompt, calls, and reads the reply. What can't be used (unreadable, cut off, refused by the
last model, feedback that mentions the reference) is asked again with the reason, each time as a call of its
own, since ``Place.try_index`` and the text differ; after the last try ``Unusable`` says which it was. The
evaluator's calls carry no level anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dfj_bootstrap.calls.call import Place
from dfj_bootstrap.config.roles import EvaluatorRole, GeneratorRole, ParaphraserRole, WriterRole
from dfj_bootstrap.domain.rationale import Label, Rationale
from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.domain.trajectory import Brief, Candidate, Evaluation, Paraphrase, Round
from dfj_bootstrap.prompting import messages, replies
from dfj_bootstrap.prompting.forms import Unreadable
from dfj_bootstrap.prompting.leaks import leak
from dfj_bootstrap.prompting.replies import Rating
from dfj_bootstrap.prompting.templates import Prompt, check_placeholders
from dfj_bootstrap.roles.model_asking import TRIES, Line, Question, Speaker

_FURTHER_TRY = 10  # keeps the re-asks of one paraphrase try apart from those of the next
assert TRIES <= _FURTHER_TRY


class ModelWriter:
    """Writes the gold rationale from annotations; one that doesn't answer the seed's label is unreadable."""

    def __init__(self, line: Line, config: WriterRole, prompt: Prompt) -> None:
        """Raises ``ConfigError`` where the prompt's placeholders are wrong; so do the other roles."""
        check_placeholders(prompt, messages.WRITER)
        self._prompt = prompt
        self._speaker = Speaker("writer", line, config)

    async def write(self, seed: Seed, brief: Brief) -> Candidate:
        question = Question(
            self._prompt.digest,
            self._prompt.parts(messages.writer_values(seed)),
            seed.image,
            replies.RATIONALE_FIELDS,
            Place(seed.id, brief.level, sample=brief.sample),
            seed.label,
        )

        def read(text: str, cut_off: bool) -> tuple[str, Label]:
            reasoning, answer = replies.read_rationale(text, cut_off=cut_off)
            if answer is not seed.label:
                raise Unreadable(f"the answer must be {seed.label}")
            return reasoning, answer

        return await _candidate(self._speaker, question, read)


class ModelGenerator:
    """Writes a rationale of a level; from the second round on with the last one and its feedback."""

    def __init__(self, line: Line, config: GeneratorRole, prompt: Prompt) -> None:
        check_placeholders(prompt, messages.GENERATOR)
        self._prompt = prompt
        self._speaker = Speaker("generator", line, config)

    async def generate(self, seed: Seed, gold: Rationale, brief: Brief, rounds: Sequence[Round]) -> Candidate:
        question = Question(
            self._prompt.digest,
            self._prompt.parts(messages.generator_values(self._prompt, seed, gold, brief, rounds)),
            seed.image,
            replies.RATIONALE_FIELDS,
            Place(seed.id, brief.level, len(rounds), brief.sample),
            seed.label,
        )
        return await _candidate(self._speaker, question, _read_rationale)


class ModelEvaluator:
    """Rates candidates, blind to the intended level; feedback that mentions the reference is asked again."""

    def __init__(self, line: Line, config: EvaluatorRole, prompt: Prompt, justify_prompt: Prompt) -> None:
        check_placeholders(prompt, messages.EVALUATOR)
        check_placeholders(justify_prompt, messages.JUSTIFY)
        self._prompt = prompt
        self._justify_prompt = justify_prompt
        self._speaker = Speaker("evaluator", line, config)

    async def evaluate(
        self, seed: Seed, gold: Rationale, candidate: Rationale, round_index: int
    ) -> Evaluation:
        question = Question(
            self._prompt.digest,
            self._prompt.parts(messages.evaluator_values(seed, gold, candidate)),
            seed.image,
            replies.RATING_FIELDS,
            Place(seed.id, level=None, round_index=round_index),
            seed.label,
        )
        rating, provenance = await self._speaker.ask(question, _read_rating)
        return Evaluation(rating.score, rating.feedback, rating.reasoning, provenance)

    async def justify(self, seed: Seed, gold: Rationale, candidate: Rationale, rating: int) -> str:
        values = messages.justify_values(seed, gold, candidate, rating)
        question = Question(
            self._justify_prompt.digest,
            self._justify_prompt.parts(values),
            seed.image,
            replies.CRITIQUE_FIELDS,
            Place(seed.id, level=None),
            seed.label,
        )
        critique, _ = await self._speaker.ask(question, _read_critique)
        return critique


class ModelParaphraser:
    """Rewords a rationale, without the picture; whatever class it answers is kept for the fidelity check."""

    def __init__(self, line: Line, config: ParaphraserRole, prompt: Prompt) -> None:
        check_placeholders(prompt, messages.PARAPHRASER)
        self._prompt = prompt
        self._speaker = Speaker("paraphraser", line, config)

    async def paraphrase(
        self, seed: Seed, original: Rationale, brief: Brief, index: int, tried: Sequence[Paraphrase]
    ) -> Candidate:
        place = Place(seed.id, brief.level, index, brief.sample, len(tried) * _FURTHER_TRY)
        question = Question(
            self._prompt.digest,
            self._prompt.parts(messages.paraphraser_values(self._prompt, original, index, tried)),
            None,
            replies.RATIONALE_FIELDS,
            place,
            seed.label,
        )
        return await _candidate(self._speaker, question, _read_rationale)


async def _candidate(
    speaker: Speaker, question: Question, read: replies.Reader[tuple[str, Label]]
) -> Candidate:
    (reasoning, answer), provenance = await speaker.ask(question, read)
    return Candidate(Rationale(reasoning, answer), provenance)


def _read_rationale(text: str, cut_off: bool) -> tuple[str, Label]:
    return replies.read_rationale(text, cut_off=cut_off)


def _read_rating(text: str, cut_off: bool) -> Rating:
    rating = replies.read_rating(text, cut_off=cut_off)
    return replace(rating, feedback=_without_leak(rating.feedback))


def _read_critique(text: str, cut_off: bool) -> str:
    return _without_leak(replies.read_critique(text, cut_off=cut_off))


def _without_leak(feedback: str) -> str:
    words = leak(feedback)
    if words:
        raise Unreadable(
            f'the feedback speaks of "{words}", which its reader never sees;'
            " speak only of the image and the rationale"
        )
    return feedback
