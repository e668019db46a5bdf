"""Asking a model until its reply can be used, a few times at most.

A refusal hands the very call on to the next model of the role's ``fallback``, if there is one; it is a call
of its own under that model's name, so replay goes the same way and no further fact has to be recorded. The
last model that is left is asked again, like after any other reply that can't be used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from typing import Any, TypeVar

from dfj_bootstrap.calls.call import IMAGE, Call, Endpoint, Place, Reply
from dfj_bootstrap.config.roles import Role
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.domain.seed import ImageRef
from dfj_bootstrap.domain.texts import without_controls
from dfj_bootstrap.domain.trajectory import Provenance
from dfj_bootstrap.errors import Unusable
from dfj_bootstrap.policy.ordering import hash64
from dfj_bootstrap.prompting.forms import Unreadable
from dfj_bootstrap.prompting.messages import try_again
from dfj_bootstrap.prompting.replies import Reader
from dfj_bootstrap.roles.usability import Heard, Usability

T = TypeVar("T")

TRIES = 3
"""How often one question is asked before the role gives up, unless it says otherwise."""

_CUT_OFF = "it was cut off at the token limit; be shorter"
_INCOMPLETE = "it did not come to its end"
_REFUSED = "it was a refusal; describe only what the text and the picture need, and stay factual"


@dataclass(frozen=True, slots=True)
class Line:
    """A way to a model, as a role sees it.

    Attributes:
        endpoint_name: the name of the entry of ``models``; part of each call's key.
        send_images: off for a model that reads only text.
        fallback: who takes over a call that this model refuses.
        usability: is told of every reply that was paid for and not handed on.
    """

    endpoint: Endpoint
    endpoint_name: str
    model: str
    send_images: bool
    fallback: Line | None = None
    usability: Usability = field(default_factory=Usability)


@dataclass(frozen=True, slots=True)
class Question:
    """What a role wants to know, before it is addressed to a model.

    Attributes:
        prompt: digest of the prompt file.
        parts: the text, ``IMAGE`` standing for the picture.
        fields: the reply's fields, as in ``Call``.
        place: of the first try.
        label: the image's, for the books.
    """

    prompt: str
    parts: tuple[str, ...]
    image: ImageRef | None
    fields: Mapping[str, Mapping[str, Any]]
    place: Place
    label: str


@dataclass(frozen=True, slots=True)
class Speaker:
    """One role's way of asking.

    Attributes:
        role: generator, evaluator, paraphraser, writer, judge …
        settings: how it samples.
        tries: how often one question is asked before it gives up.
    """

    role: str
    line: Line
    settings: Role
    tries: int = TRIES

    async def ask(self, question: Question, read: Reader[T]) -> tuple[T, Provenance]:
        """Call until ``read`` takes the reply, at most ``tries`` times; tokens and cost are summed over all.

        Raises:
            Unusable: ``<role>_unparsable``, ``_cut_off``, ``_incomplete`` or ``_refused``, with the last raw
                reply.
            CallFailed: technical.
            RunError: too many of the role's replies can't be used.
        """
        provenance, kind, why, raw = Provenance(), "", "", ""
        line, try_index = self.line, 0
        while try_index < self.tries:
            reply = await line.endpoint.complete(self._call(line, question, try_index, why))
            provenance = _add(provenance, question.prompt, reply)
            if reply.finish is Finish.REFUSED and line.fallback:
                line = line.fallback
                continue
            try_index += 1
            try:
                taken = _take(reply, read)
            except _Wasted as wasted:
                kind, why, raw = wasted.kind, wasted.why, without_controls(reply.text)
                self._note(line, question, reply, kind)
            else:
                self._note(line, question, reply, "")
                return taken, provenance
        raise Unusable(f"{self.role}_{kind}", raw, why)

    def _note(self, line: Line, question: Question, reply: Reply, kind: str) -> None:
        """What was answered by the journal was noted when it was paid."""
        if not reply.recorded:
            heard = Heard(question.place.seed_id, kind)
            line.usability.heard(self.role, line.endpoint_name, heard, without_controls(reply.text))

    def _call(self, line: Line, question: Question, try_index: int, why: str) -> Call:
        parts = question.parts
        if not line.send_images or question.image is None:
            parts = tuple(part for part in parts if part != IMAGE)
        if why:
            parts = _with_words(parts, try_again(why, try_index, self.tries))
        place = replace(question.place, try_index=question.place.try_index + try_index)
        return Call(
            role=self.role,
            endpoint=line.endpoint_name,
            model=line.model,
            prompt=question.prompt,
            parts=parts,
            image=question.image if IMAGE in parts else None,
            fields=question.fields,
            temperature=self.settings.temperature,
            max_tokens=self.settings.max_tokens,
            place=place,
            rng_seed=self._rng_seed(place),
            logprobs=self.settings.logprobs,
            label=question.label,
        )

    def _rng_seed(self, place: Place) -> int | None:
        """One for each call, or equal questions (two paraphrases, a level started over) had equal answers."""
        if self.settings.rng_seed is None:
            return None
        return hash64("rng_seed", self.settings.rng_seed, *map(str, astuple(place))) % 2**31


class _Wasted(Exception):
    """A reply that can't be used: what kind of failure, and the reason as the model is told it."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(kind, why)
        self.kind = kind
        self.why = why


def _take(reply: Reply, read: Reader[T]) -> T:
    """Read a reply; one that is complete is taken even where the model would have gone on."""
    if reply.finish is Finish.REFUSED:
        raise _Wasted("refused", _REFUSED)
    if reply.finish is Finish.INCOMPLETE:
        raise _Wasted("incomplete", _INCOMPLETE)
    try:
        return read(reply.text, reply.finish is not Finish.STOP)
    except Unreadable as unreadable:
        if reply.finish is Finish.LENGTH:
            raise _Wasted("cut_off", _CUT_OFF) from None
        raise _Wasted("unparsable", str(unreadable)) from None


def _with_words(parts: tuple[str, ...], words: str) -> tuple[str, ...]:
    """A question with words at its end, which may be a picture."""
    return (*parts, words) if parts[-1] == IMAGE else (*parts[:-1], parts[-1] + words)


def _add(so_far: Provenance, prompt: str, reply: Reply) -> Provenance:
    return Provenance(
        model=reply.model,
        prompt=prompt,
        input_tokens=so_far.input_tokens + reply.input_tokens,
        output_tokens=so_far.output_tokens + reply.output_tokens,
        cached_tokens=so_far.cached_tokens + reply.cached_tokens,
        cost_usd=so_far.cost_usd + reply.cost_usd,
    )
