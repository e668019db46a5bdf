"""What a call needs before it is made: what is set aside of rates and budget, settled by the answer.

Two figures: the likely tokens, for a server's rate (text at four bytes a token, the picture by the model's
published rule, all of ``max_tokens``), and the worst case in dollars. No tokeniser makes more tokens than
bytes; for pictures, whose cost differs most from server to server, the largest excess seen so far counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dfj_bootstrap.calls.call import IMAGE, Call, Reply
from dfj_bootstrap.calls.usage import Metered
from dfj_bootstrap.config.paid import PaidModel, Prices
from dfj_bootstrap.domain.image_tokens import image_tokens

_BYTES_PER_TOKEN = 4
_WRAPPING = 200  # tokens of roles, the reply's schema and the like


@dataclass(frozen=True, slots=True)
class Need:
    """What one attempt takes.

    Attributes:
        tokens: likely, in and out.
        usd: at the worst, in and out.
        text, picture: bytes and tokens that both were estimated from.
        input_usd: the part of ``usd`` that goes in.
    """

    tokens: float
    usd: float
    text: float
    picture: float
    input_usd: float = 0.0


class Estimator:
    """Estimates the needs of calls to one endpoint; corrected by its answers."""

    def __init__(self, model: PaidModel, prices: Prices | None) -> None:
        self._model = model
        self._prices = prices
        self._likely = 1.0
        self._worst = 1.0

    def need(self, call: Call) -> Need:
        """What an attempt at a call takes."""
        text, picture = self._input(call)
        tokens = (text / _BYTES_PER_TOKEN + picture) * self._likely + call.max_tokens
        if self._prices is None:
            return Need(tokens, 0.0, text, picture)
        worst = (text + _WRAPPING + picture) * self._worst
        into = worst * self._dearest_input(self._prices) / 1e6
        out = self._most_out(call) * self._prices.output / 1e6
        return Need(tokens, into + out, text, picture, into)

    def priced(self, need: Need, answer: Metered) -> Reply:
        """The reply with its cost; what isn't told of its usage costs what was set aside for it."""
        prices, usage, reply = self._prices, answer.usage, answer.reply
        if prices is None:
            return reply
        into, out = need.input_usd, need.usd - need.input_usd
        if usage.input is not None:
            cached_price = prices.input if prices.cached is None else prices.cached
            cached = min(usage.cached, usage.input)
            into = ((usage.input - cached) * prices.input + cached * cached_price) / 1e6
        if usage.output is not None:
            out = usage.output * prices.output / 1e6
        return replace(reply, cost_usd=into + out, estimated=usage.input is None or usage.output is None)

    @staticmethod
    def used(need: Need, reply: Reply) -> float:
        """The tokens that an answer took of the server's rate: as told, else at least as estimated."""
        told = reply.input_tokens + reply.output_tokens
        return told if reply.input_tokens and reply.output_tokens else max(told, need.tokens)

    def learn(self, need: Need, reply: Reply) -> None:
        """Compare an estimate with what the server counted."""
        if reply.input_tokens:
            ratio = reply.input_tokens / max(need.text / _BYTES_PER_TOKEN + need.picture, 1.0)
            self._likely += 0.1 * (ratio - self._likely)
            self._worst = max(self._worst, reply.input_tokens / (need.text + _WRAPPING + need.picture))

    def _input(self, call: Call) -> tuple[float, float]:
        """Bytes of text, tokens of the picture."""
        text = sum(_bytes(part) for part in call.parts if part != IMAGE)
        image = call.image
        if image is None or IMAGE not in call.parts:
            return float(text), 0.0
        return float(text), float(
            image_tokens(self._model.model, image.width, image.height, self._model.pixels)
        )

    def _most_out(self, call: Call) -> int:
        """The most tokens that can be paid as output; thinking may come on top of the answer."""
        return call.max_tokens + self._model.most_thinking

    @staticmethod
    def _dearest_input(prices: Prices) -> float:
        return max(prices.input, prices.cached or 0.0)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
