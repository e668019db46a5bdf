"""BERTScore by a named encoder: a model hub's name, or a folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dfj_bootstrap.errors import ConfigError


class Encoder:
    """Loaded at its first use; says which layer it compares."""

    def __init__(self, model: str) -> None:
        """
        Raises:
            ConfigError: the extra isn't installed, or there is no such model.
        """
        try:
            from bert_score import BERTScorer
        except ImportError:
            raise ConfigError('--encoder needs an extra: pip install "dfj-bootstrap[bertscore]"') from None
        try:
            self.layer = _layer(model)
            self._scorer: Any = BERTScorer(model_type=model, num_layers=self.layer)
        except (OSError, ValueError, KeyError) as error:
            raise ConfigError(f"--encoder {model}: can't be loaded: {error}") from None
        self.name = model

    def __call__(self, candidates: Sequence[str], references: Sequence[str]) -> Sequence[float]:
        """F1 of each pair."""
        _, _, f1 = self._scorer.score(list(candidates), list(references))
        scores: list[float] = f1.tolist()
        return scores


def _layer(model: str) -> int:
    """The layer that BERTScore's authors chose for a model, else its last one."""
    from bert_score.utils import model2layers
    from transformers import AutoConfig

    return int(model2layers.get(model) or AutoConfig.from_pretrained(model).num_hidden_layers)
