"""One tiny call per model in use: whether it can be reached, how soon it answers, and in what form."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import orjson
import pyarrow as pa

from dfj_bootstrap.calls.call import IMAGE, Call, Place, Reply
from dfj_bootstrap.config.models import VLLMModel
from dfj_bootstrap.config.paid import PaidModel
from dfj_bootstrap.config.run import RunConfig
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.domain.seed import ImageRef
from dfj_bootstrap.errors import CallFailed, EndpointRejected
from dfj_bootstrap.intake.json_rows import GivenRows
from dfj_bootstrap.prompting.forms import Unreadable
from dfj_bootstrap.prompting.replies import RATIONALE_FIELDS, read_rationale
from dfj_bootstrap.roles.casting import Cast
from dfj_bootstrap.roles.identity import Forms
from dfj_bootstrap.storage.ledger import Ledger, Unit
from dfj_bootstrap.storage.tables import Row, Schema

_QUESTION = 'This is a test of the connection. Reply with the reasoning "OK" and the answer "real".'
_MOST_TOKENS = 200
"""Enough for the reply and for a little thinking before it."""

ATTEMPTS = 2
"""Network attempts at a model."""


_MODELS = pa.schema(
    {
        "name": pa.string(), "model": pa.string(), "problem": pa.string(), "answered_as": pa.string(),
        "latency_s": pa.float64(), "structured": pa.string(), "cost_usd": pa.float64(),
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spoken:
    """How one model did.

    Attributes:
        problem: why it can't be used; empty where it answered.
        answered_as: the model's name as the server gives it.
        structured: ``json``: by schema; ``tagged text``; or why the reply can't be read.
        cost_usd: ``None`` where no price is known.
    """

    model: str
    problem: str = ""
    answered_as: str = ""
    latency_s: float = 0.0
    structured: str = ""
    cost_usd: float | None = None


@dataclass(frozen=True)
class Greet:
    """Speak to each model once. The items are the names of the models.

    Attributes:
        picture: goes with the question, to models that take pictures.
    """

    name: ClassVar[str] = "check"
    forms: ClassVar[Forms] = {}
    decides: ClassVar[Sequence[Any]] = ()
    ledger: ClassVar[Ledger] = Ledger((Unit("models", ("answered", "failed")),))
    tables: ClassVar[Mapping[str, Schema]] = {"models": _MODELS}

    config: RunConfig
    picture: ImageRef

    @property
    def items(self) -> GivenRows:
        return GivenRows(tuple({"id": name} for name in self.config.paid_models))

    async def do(self, item: Mapping[str, Any], cast: Cast) -> Spoken:
        name = item["id"]
        spoken = await self._speak(name, self.config.paid_models[name], cast)
        cast.count("models.failed" if spoken.problem else "models.answered", 1)
        return spoken

    def rows(self, item: Mapping[str, Any], spoken: Spoken) -> Mapping[str, Sequence[Row]]:
        return {"models": [(item["id"], *asdict(spoken).values())]}

    async def _speak(self, name: str, model: PaidModel, cast: Cast) -> Spoken:
        endpoint, started, limit_s = cast.endpoint(name), time.perf_counter(), _limit_s(model)
        try:
            async with asyncio.timeout(limit_s):
                reply = await endpoint.complete(self._call(name, model))
        except (CallFailed, EndpointRejected) as error:
            return Spoken(model.model, str(error))
        except TimeoutError:
            await endpoint.drain(0)  # nobody waits for it any more
            return Spoken(model.model, f"models.{name}: no answer within {limit_s:g} s")
        latency_s = round(time.perf_counter() - started, 3)
        cost_usd = reply.cost_usd if model.prices else None
        return Spoken(model.model, "", reply.model, latency_s, _structure(reply), cost_usd)

    def _call(self, name: str, model: PaidModel) -> Call:
        """A question that any role could put, with the settings of the first that uses the model."""
        roles = self.config.roles.values()
        return Call(
            role="check",
            endpoint=name,
            model=model.asked_as,
            prompt="",
            parts=(IMAGE, _QUESTION) if model.send_images else (_QUESTION,),
            image=self.picture if model.send_images else None,
            fields=RATIONALE_FIELDS,
            temperature=next((role.temperature for role in roles if role.model == name), 0.0),
            max_tokens=_MOST_TOKENS,
            place=Place("check"),
        )


def _limit_s(model: PaidModel) -> float:
    """Seconds to wait for an answer; a server of our own has to start first."""
    return model.timeout_s * ATTEMPTS + (model.startup_timeout_s if isinstance(model, VLLMModel) else 0)


def _structure(reply: Reply) -> str:
    """In which form the reply came, by the reader that a run uses."""
    if reply.finish is Finish.REFUSED:
        return "it refused to answer"
    if reply.finish is Finish.INCOMPLETE:
        return "it ended before it was complete"
    try:
        read_rationale(reply.text, cut_off=reply.finish is not Finish.STOP)
    except Unreadable as unreadable:
        cut = f", cut off at {_MOST_TOKENS} tokens" if reply.finish is Finish.LENGTH else ""
        return f"not readable ({unreadable}{cut})"
    return "json" if _is_json(reply.text) else "tagged text"


def _is_json(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False
