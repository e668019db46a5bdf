"""A similarity whose verdicts are facts: what decided once decides again, without loading the model."""

from __future__ import annotations

from hashlib import blake2b
from typing import Protocol

from dfj_bootstrap.storage.journal import Records


class _Similarity(Protocol):
    async def similarity(self, a: str, b: str) -> float | None: ...


class RecordedSimilarity:
    """Answers from the journal where the same two texts were compared by the same model before."""

    def __init__(self, inner: _Similarity, model: str, journal: Records) -> None:
        """``model`` names backend and weights: another model's verdict is another fact."""
        self._inner = inner
        self._model = model
        self._journal = journal

    async def similarity(self, a: str, b: str) -> float | None:
        key = blake2b(f"similarity\0{self._model}\0{a}\0{b}".encode(), digest_size=16).hexdigest()
        fact = self._journal.get(key)
        if fact is not None:
            return float(fact)
        value = await self._inner.similarity(a, b)
        if value is not None:
            self._journal.append(key, value)
        return value
