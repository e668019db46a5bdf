"""One paid question to a model and its answer, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any, Protocol

import orjson

from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.domain.seed import ImageRef

KEY_VERSION: int = 1
"""Of how a call's key is made; the first one left no mark in its keys. With another one no recorded answer is
found, so it goes with another ``FORMAT`` of run folders (``storage.manifest``)."""

_MARK = b"" if KEY_VERSION == 1 else str(KEY_VERSION).encode()


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a run a call stands; part of its key.

    Attributes:
        level: the intended level, ``None`` for the evaluator, which must not be told it.
        round_index: turn of the refine loop; for a paraphrase, its index.
        sample: how often rejected work was started over on request.
        try_index: the role's re-ask after an unusable answer, from 0.
    """

    seed_id: str
    level: int | None = None
    round_index: int = 0
    sample: int = 0
    try_index: int = 0


@dataclass(frozen=True)
class Call:
    """A question, complete: whatever changes the answer is in it.

    Attributes:
        role: who asks: generator, evaluator, judge …
        endpoint: the name of the entry of ``models``.
        prompt: digest of the prompt template.
        parts: what the user turn says, in order; ``IMAGE`` stands for the picture.
        fields: the reply's fields, name → JSON schema, in order; none: no form is asked for on the wire.
        rng_seed: of the server's sampling, where it can repeat it.
        logprobs: whether the log-probabilities of the tokens are wanted; they don't change the answer.
        label: the image's, for the books; the model is told it in ``parts`` or not at all.
    """

    role: str
    endpoint: str
    model: str
    prompt: str
    parts: tuple[str, ...]
    image: ImageRef | None
    fields: Mapping[str, Mapping[str, Any]]
    temperature: float
    max_tokens: int
    place: Place
    rng_seed: int | None = None
    logprobs: bool = False
    label: str = ""

    @cached_property
    def key(self) -> str:
        """Hex digest of role, endpoint, model, prompt, text, image, sampling and place.

        Transport details (base URL, schema mode, headers) stay out: they may change between two
        starts of one run without a call being paid twice.

        Recorded answers are found by it: a field that is added to the list below is appended only where it is
        set, and any other change is another ``KEY_VERSION``.
        """
        place = self.place
        identity = [
            self.role, self.endpoint, self.model, self.prompt, self.parts,
            self.image.digest if self.image else None, list(self.fields), self.temperature,
            self.max_tokens, place.seed_id, place.level, place.round_index, place.sample,
            place.try_index, self.rng_seed,
        ]  # fmt: skip
        return blake2b(orjson.dumps(identity), digest_size=16, person=_MARK).hexdigest()


IMAGE = "\0image"
"""The member of ``Call.parts`` that stands for the picture; no text can hold a NUL."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a body: paid for, whether it can be parsed or not.

    Attributes:
        text: what the model said (for a refusal: its words, or the filter's).
        model: the model that answered, as it names itself.
        input_tokens, output_tokens, cached_tokens: 0 where the server doesn't tell.
        cost_usd: by the configured prices; 0 without.
        attempts: network attempts that it took.
        logprobs: each token of the text with its log-probability, where they were asked for and given.
        estimated: whether the cost is what was set aside, in part at least, since the usage can't be read.
        recorded: whether it comes from the journal; nothing was paid for it now.
    """

    text: str
    finish: Finish
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float = 0.0
    attempts: int = 1
    logprobs: tuple[tuple[str, float], ...] = ()
    estimated: bool = False
    recorded: bool = field(default=False, compare=False)

    def as_record(self) -> dict[str, Any]:
        """The form in which the journal holds it: what is seldom so stands there only where it is."""
        record = asdict(self)
        del record["recorded"]
        if not self.estimated:
            del record["estimated"]
        return record


class Endpoint(Protocol):
    """A way to reach a model.

    ``complete`` raises ``CallFailed`` after its last network attempt and ``EndpointRejected`` where no
    call can succeed (key, model, quota), or none ever has.
    """

    async def complete(self, call: Call) -> Reply: ...

    def stop_admission(self) -> None:
        """The worker stops: calls in flight may end, those that still wait for a slot are ``Stopped``."""

    async def aclose(self) -> None: ...
