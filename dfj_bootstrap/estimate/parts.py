"""What calls cost and how long they keep an endpoint busy, by role; the same for every job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dfj_bootstrap.config.paid import PaidModel
from dfj_bootstrap.config.run import RunConfig
from dfj_bootstrap.endpoints.prices import Priced, priced
from dfj_bootstrap.estimate.course import Limits, Load, Range, hours


@dataclass(frozen=True, slots=True)
class Part:
    """What one role asks of one endpoint.

    Attributes:
        cost: USD; ``None`` where the price isn't known.
    """

    role: str
    endpoint: str
    model: str
    load: Load
    cost: Range | None


def parts_of(
    config: RunConfig, loads: Mapping[str, Load], cached_shares: Mapping[str, float]
) -> tuple[list[Part], dict[str, Priced]]:
    """The part of each role that a paid model plays, and each endpoint's prices.

    Args:
        loads: role → what it asks; none where it asks nothing.
        cached_shares: role → the share of its input that servers were seen to have in their caches.
    """
    parts, prices = [], dict[str, Priced]()
    for name, role in config.roles.items():
        model = config.models[role.model]
        if isinstance(model, PaidModel):
            known = prices[role.model] = priced(model)
            load = loads.get(name, Load())
            cost = _cost(load, known, cached_shares.get(name, 0.0))
            parts.append(Part(name, role.model, model.model, load, cost))
    return parts, prices


def busy_hours(config: RunConfig, parts: Sequence[Part]) -> list[Range]:
    """How long each endpoint has to work, at its limits."""
    busy = []
    for name in dict.fromkeys(part.endpoint for part in parts):
        model = config.paid_models[name]
        limits = Limits(model.max_in_flight, model.requests_per_minute, model.tokens_per_minute)
        busy.append(hours(sum((p.load for p in parts if p.endpoint == name), Load()), limits))
    return busy


def _cost(load: Load, known: Priced, cached_share: float) -> Range | None:
    """USD; input that the server had in its cache is counted as such where that was measured."""
    if known.prices is None:
        return None
    prices = known.prices
    cached = prices.input if prices.cached is None else prices.cached
    usual = prices.input * (1 - cached_share) + cached * cached_share
    rate = Range.around(usual, usual, prices.input)
    return (load.input_tokens * rate + load.output_tokens * prices.output) * 1e-6
