"""``dfj check --live``: one tiny call per model in use, through the endpoint that a run would use."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import orjson
from PIL import Image

from dfj_bootstrap.calls.call import IMAGE, Call, Endpoint, Place, Reply
from dfj_bootstrap.cli.report import Report, money
from dfj_bootstrap.config.models import PaidModel, VLLMModel
from dfj_bootstrap.config.roles import ROLES, Role
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.domain.seed import ImageRef
from dfj_bootstrap.endpoints.prices import with_prices
from dfj_bootstrap.errors import CallFailed, EndpointRejected
from dfj_bootstrap.intake.images import open_image
from dfj_bootstrap.limits.allowance import Grant
from dfj_bootstrap.limits.allowances import Grants
from dfj_bootstrap.prompting.forms import Unreadable
from dfj_bootstrap.prompting.replies import RATIONALE_FIELDS, read_rationale
from dfj_bootstrap.roles.casting import limits_of, open_backends

_QUESTION = 'This is a test of the connection. Reply with the reasoning "OK" and the answer "real".'
_MOST_TOKENS = 200
"""Enough for the reply and for a little thinking before it."""

_ATTEMPTS = 2
_SIDE = 28


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


def speak_to_all(config: Config) -> Report:
    """Ask each model in use once; the exit code is 2 where one can't be used.

    Raises:
        ConfigError: a key or an extra is missing.
    """
    spoken = asyncio.run(_speak_to_all(_brief(with_prices(config))))
    return Report(
        [_line(name, each) for name, each in spoken.items()] or ["no models are in use: nothing to call"],
        {name: asdict(each) for name, each in spoken.items()},
        exit_code=2 if any(each.problem for each in spoken.values()) else 0,
    )


def _brief(config: Config) -> Config:
    """The same models, given up sooner; similarity needs no call."""
    models = {
        name: model.model_copy(update={"max_attempts": min(model.max_attempts, _ATTEMPTS)})
        if isinstance(model, PaidModel)
        else model
        for name, model in config.models.items()
    }
    similarity = config.similarity.model_copy(update={"backend": "none"})
    return config.model_copy(update={"models": models, "similarity": similarity})


async def _speak_to_all(config: Config) -> dict[str, Spoken]:
    with tempfile.TemporaryDirectory(prefix="dfj-check-") as scratch:
        elsewhere = config.model_copy(update={"output": Path(scratch)})  # where servers put their logs
        backends = open_backends(elsewhere)
        backends.allowances.take(Grants(_known(limits_of(config))))
        try:
            picture = _picture(Path(scratch))
            talks = [_speak(config, name, each, picture) for name, each in backends.endpoints.items()]
            return dict(zip(backends.endpoints, await asyncio.gather(*talks), strict=True))
        finally:
            await backends.aclose()


def _known(limits: Mapping[str, Grant]) -> dict[str, Grant]:
    """The limits as of servers that have answered before: the patience of a first contact is for runs."""
    return {name: replace(limit, answered=True) for name, limit in limits.items()}


async def _speak(config: Config, name: str, endpoint: Endpoint, picture: ImageRef) -> Spoken:
    model = config.models[name]
    assert isinstance(model, PaidModel)
    started = time.perf_counter()
    limit_s = model.timeout_s * _ATTEMPTS
    if isinstance(model, VLLMModel):
        limit_s += model.startup_timeout_s
    try:
        async with asyncio.timeout(limit_s):
            reply = await endpoint.complete(_call(config, name, model, picture))
    except (CallFailed, EndpointRejected) as error:
        return Spoken(model.model, str(error))
    except TimeoutError:
        return Spoken(model.model, f"models.{name}: no answer within {limit_s:g} s")
    latency_s = round(time.perf_counter() - started, 3)
    cost_usd = reply.cost_usd if model.prices else None
    return Spoken(model.model, "", reply.model, latency_s, _structure(reply), cost_usd)


def _call(config: Config, name: str, model: PaidModel, picture: ImageRef) -> Call:
    """A question that any role could put, with the settings of the first that uses the model."""
    roles: list[Role] = [getattr(config, role) for role in ROLES]
    temperature = next((role.temperature for role in roles if role.model == name), 0.0)
    return Call(
        role="check",
        endpoint=name,
        model=model.model,
        prompt="",
        parts=(IMAGE, _QUESTION) if model.send_images else (_QUESTION,),
        image=picture if model.send_images else None,
        fields=RATIONALE_FIELDS,
        temperature=temperature,
        max_tokens=_MOST_TOKENS,
        place=Place("check"),
    )


def _picture(folder: Path) -> ImageRef:
    Image.new("RGB", (_SIDE, _SIDE), (120, 130, 140)).save(folder / "grey.png")
    return open_image(folder, "grey.png")


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


def _line(name: str, spoken: Spoken) -> str:
    if spoken.problem:
        return f"{spoken.problem}"
    cost = "price not known" if spoken.cost_usd is None else _cost(spoken.cost_usd)
    return (
        f"models.{name}: {spoken.model} answered as {spoken.answered_as} in {spoken.latency_s:.2f} s; "
        f"structured output: {spoken.structured}; {cost}"
    )


def _cost(usd: float) -> str:
    return money(usd) if usd >= 1e-4 or not usd else f"${usd:.2g}"


def merged(report: Report, live: Report) -> Report:
    """What ``dfj check`` says, with what the models said."""
    data: Mapping[str, Any] = {**report.data, "live": live.data}
    return Report([*report.lines, *live.lines], data, max(report.exit_code, live.exit_code))
