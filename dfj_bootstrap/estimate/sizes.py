"""How many tokens the calls of a seed take: its own prompts are filled in and counted.

A token is taken for four characters of English; tokenisers differ by some 20 % either way, which the spread
of the estimate holds. Pictures are counted by the published rules (``domain/image_tokens.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dfj_bootstrap.calls.call import IMAGE
from dfj_bootstrap.config.paid import PaidModel
from dfj_bootstrap.config.roles import Role
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.domain.image_tokens import image_tokens
from dfj_bootstrap.domain.rationale import WRITTEN_LEVELS, Rationale
from dfj_bootstrap.domain.seed import ImageRef, Seed
from dfj_bootstrap.domain.trajectory import Brief, Candidate, Evaluation, Paraphrase, Round
from dfj_bootstrap.estimate.course import ROLE_OF, Kind, Range
from dfj_bootstrap.prompting import messages
from dfj_bootstrap.prompting.templates import Prompt, load_prompt

CHARACTERS_PER_TOKEN = 4

_FORM = 40
"""Tokens of a call's frame: the roles, and the schema of the reply."""

_WORD = 6
"""Characters of a word and its space."""

_USUAL_WORDS = 90
"""Words of a gold that a writer makes."""

_FEEDBACK, _RATING = 60, 200
"""Tokens of an evaluator's feedback, and of its whole reply."""

_THOUGHTS = 1000
"""Tokens that a model which thinks before it answers is taken to think."""

_FIELDS = 15
"""Tokens of a rationale's reply besides its text."""

_SPREAD = Range(0.8, 1.0, 4 / 3)
"""How far a count by characters may be off."""

_MIDDLE = WRITTEN_LEVELS[len(WRITTEN_LEVELS) // 2]


@dataclass(frozen=True, slots=True)
class Size:
    """Tokens of one call: in, and out."""

    input: Range
    output: Range


@dataclass(frozen=True, slots=True)
class MeanTokens:
    """What the answers of a role took on average in a run of the same making; ``seeds`` finished ones."""

    input: float
    output: float
    cached_share: float
    seeds: int


class Sizes:
    """The calls of the roles that paid models play; prompts are read once."""

    def __init__(self, config: Config, measured: Mapping[str, MeanTokens]) -> None:
        self._config = config
        self._measured = measured
        self._models = {
            role: model
            for role in set(ROLE_OF.values())
            if isinstance(model := config.models[getattr(config, role).model], PaidModel)
        }
        self._prompts = {
            (role, field): load_prompt(getattr(getattr(config, role), field))
            for role in self._models
            for field in ("prompt", "justify_prompt")
            if hasattr(getattr(config, role), field)
        }

    def of(self, seed: Seed) -> dict[Kind, Size]:
        """The size of each kind of call for a seed, for the roles that are paid."""
        gold = seed.gold_rationale() or _text(_USUAL_WORDS, seed)
        like_gold = _text(messages.words_wanted(gold.reasoning, _brief(seed)), seed)
        replies = {
            "writer": len(gold.reasoning) / CHARACTERS_PER_TOKEN + _FIELDS,
            "generator": len(like_gold.reasoning) / CHARACTERS_PER_TOKEN + _FIELDS,
            "evaluator": float(_RATING),
            "paraphraser": len(like_gold.reasoning) / CHARACTERS_PER_TOKEN + _FIELDS,
        }
        return {
            kind: self._size(role, self._parts(kind, seed, gold, like_gold), seed.image, replies[role])
            for kind, role in ROLE_OF.items()
            if role in self._models
        }

    def _size(self, role: str, parts: tuple[str, ...], image: ImageRef, reply: float) -> Size:
        settings: Role = getattr(self._config, role)
        model, seen = self._models[role], self._measured.get(role)
        usual = size_of(model, input_tokens(model, parts, image), reply, settings.max_tokens)
        if seen:
            output = Range.around(seen.output, usual.output.low, usual.output.high).narrowed(seen.seeds)
            return Size((_SPREAD * seen.input).narrowed(seen.seeds), output)
        return usual

    def _parts(self, kind: Kind, seed: Seed, gold: Rationale, like_gold: Rationale) -> tuple[str, ...]:
        """The text of a call of this kind, as the role itself would put it."""
        field = "justify_prompt" if kind is Kind.JUSTIFY else "prompt"
        prompt = self._prompts[ROLE_OF[kind], field]
        return prompt.parts(_values(kind, prompt, seed, gold, like_gold))


def _values(kind: Kind, prompt: Prompt, seed: Seed, gold: Rationale, like_gold: Rationale) -> dict[str, str]:
    if kind is Kind.WRITE:
        return messages.writer_values(seed)
    if kind is Kind.RATE:
        return messages.evaluator_values(seed, gold, like_gold)
    if kind is Kind.JUSTIFY:
        return messages.justify_values(seed, gold, like_gold, _MIDDLE)
    if kind is Kind.REWORD:
        return messages.paraphraser_values(prompt, like_gold, 0, ())
    if kind is Kind.REWORD_AGAIN:
        refused = Paraphrase(_MIDDLE, 0, 0, like_gold, None, "copy")
        return messages.paraphraser_values(prompt, like_gold, 0, (refused,))
    feedback = "x" * _FEEDBACK * CHARACTERS_PER_TOKEN
    earlier = Round(0, Candidate(like_gold), Evaluation(_MIDDLE + 1, feedback))
    rounds = (earlier,) if kind is Kind.REVISE else ()
    return messages.generator_values(prompt, seed, gold, _brief(seed), rounds)


def input_tokens(model: PaidModel, parts: Sequence[str], image: ImageRef) -> float:
    """Tokens of a question: its text, the picture where the model is sent one, and what frames them."""
    text = sum(len(part) for part in parts if part != IMAGE) / CHARACTERS_PER_TOKEN
    if not model.send_images or IMAGE not in parts:
        return _FORM + text
    return _FORM + text + image_tokens(model.model, image.width, image.height, model.pixels)


def size_of(model: PaidModel, asked: float, said: float, most: int) -> Size:
    """A call of so many tokens in and, likely, out, where nothing was measured."""
    said = min(said, most)
    return Size(_SPREAD * asked, Range.around(said, said / 2, most) + _thinking(model))


def _thinking(model: PaidModel) -> Range:
    """Tokens that are paid as output beyond the reply; until some were seen, nobody knows how many."""
    return Range.around(min(_THOUGHTS, model.most_thinking), 0, model.most_thinking)


def _brief(seed: Seed) -> Brief:
    return Brief(seed.id, _MIDDLE)


def _text(words: int, seed: Seed) -> Rationale:
    """A text of so many words; only its length matters here."""
    return Rationale("x" * (words * _WORD), seed.label)
