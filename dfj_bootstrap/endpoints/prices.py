"""What a model costs: by the configuration, else by a price library's bundled list, else unknown.

Invariants: nothing here opens a connection, and nothing is guessed. A model that the library doesn't list
for that very server has no price, even where another server sells a model of the same name. Prices are
resolved once per start, by the driver; workers get them with their configuration, so that all count alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from dfj_bootstrap.config.models import FREE, GeminiModel, Model, OpenAIModel, SwiftModel
from dfj_bootstrap.config.paid import PaidModel, Prices
from dfj_bootstrap.config.run import RunConfig

if TYPE_CHECKING:
    from genai_prices.types import PriceCalculation

LIBRARY = "genai-prices"
"""The price list: pydantic's, with its data inside the package; newer prices come with a newer version."""

_OPENAI_URL = "https://api.openai.com/v1"
_SAMPLE = 1000
"""Tokens that a price is read from: below every list's first step for long contexts."""


C = TypeVar("C", bound=RunConfig)


@dataclass(frozen=True, slots=True)
class Priced:
    """A model's prices and where they come from.

    Attributes:
        prices: ``None`` where nobody knows them.
        source: ``config``, the library's name and version, ``free`` where there is nothing to pay, or empty
            where unknown.
    """

    prices: Prices | None
    source: str

    def as_row(self) -> dict[str, Any]:
        """For ``run.json``: USD per million tokens."""
        return {"source": self.source or None, **(self.prices.model_dump() if self.prices else {})}


def prices_of(model: PaidModel) -> Prices | None:
    """What a model costs, in USD per million tokens; ``None`` where that isn't known."""
    return priced(model).prices


def priced(model: PaidModel) -> Priced:
    """What a model costs, and who says so. The configuration's own ``prices`` win."""
    if model.prices is not None:
        return Priced(model.prices, "config")
    if isinstance(model, SwiftModel):
        return Priced(FREE, "free")
    seller = _seller(model)
    if not seller:
        return Priced(None, "")
    prices = _from_library(model.model, seller)
    return Priced(prices, _library_version() if prices else "")


def with_prices(config: C) -> C:
    """The configuration with each paid model's prices filled in, where they are known."""
    models: dict[str, Model] = {
        name: model.model_copy(update={"prices": prices_of(model)}) if isinstance(model, PaidModel) else model
        for name, model in config.models.items()
    }
    return config.model_copy(update={"models": models})


def price_notes(config: RunConfig) -> dict[str, dict[str, Any]]:
    """For ``run.json``: what each paid model costs, and where that stands."""
    paid = {name: model for name, model in config.models.items() if isinstance(model, PaidModel)}
    return {name: priced(model).as_row() for name, model in paid.items()}


def is_sold(model: PaidModel) -> bool:
    """Whether its answers are sold by somebody, as far as the configuration tells."""
    return bool(_seller(model))


def _seller(model: PaidModel) -> dict[str, str]:
    """How the library knows the server; empty for one that sells nothing, such as one of your own."""
    if isinstance(model, GeminiModel) and not model.base_url:
        return {"provider_id": "google"}
    if isinstance(model, OpenAIModel):
        return {"provider_api_url": model.base_url or _OPENAI_URL}
    return {}


def _from_library(name: str, seller: Mapping[str, str]) -> Prices | None:
    """The list's prices per million tokens; ``None`` where it has none, or charges by more than tokens."""
    try:
        per_call = _cost(name, seller).total_price
        fresh = _cost(name, seller, input_tokens=_SAMPLE)
        output = _cost(name, seller, output_tokens=_SAMPLE)
        cached = _cost(name, seller, input_tokens=_SAMPLE, cache_read_tokens=_SAMPLE)
    except (LookupError, ValueError):
        return None
    listed = fresh.model_price
    if per_call or listed.input_mtok is None or listed.output_mtok is None:
        return None
    return Prices(
        input=_per_million(fresh.total_price),
        output=_per_million(output.total_price),
        cached=_per_million(cached.total_price),
    )


def _cost(name: str, seller: Mapping[str, str], **tokens: int) -> PriceCalculation:
    from genai_prices import Usage
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot().calc(
        Usage(**tokens), name, seller.get("provider_id"), seller.get("provider_api_url"), None
    )


def _per_million(sample: Decimal) -> float:
    return float(sample * 1_000_000 / _SAMPLE)


def _library_version() -> str:
    from genai_prices import __version__

    return f"{LIBRARY} {__version__}"
