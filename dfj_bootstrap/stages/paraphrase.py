"""Rewording accepted rationales, and checking that nothing but the words changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from dfj_bootstrap.domain.rationale import Rationale
from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.domain.trajectory import Brief, Paraphrase
from dfj_bootstrap.errors import CallFailed, Unusable
from dfj_bootstrap.policy import fidelity
from dfj_bootstrap.policy.fidelity import Window
from dfj_bootstrap.stages.protocols import Roles


@dataclass(frozen=True, slots=True)
class ParaphraseOptions:
    """How many paraphrases, how many tries at each, and how near the original they must stay."""

    count: int
    max_tries: int
    window: Window


_Tried: TypeAlias = list[Paraphrase] | CallFailed
"""What came of one index: every try at it, or the technical failure that ended it."""


async def paraphrase(
    seed: Seed, original: Rationale, brief: Brief, roles: Roles, options: ParaphraseOptions
) -> list[Paraphrase]:
    """Reword an accepted rationale ``count`` times; return every try, refused ones with the reason.

    All indices are asked for at once, but judged in their order, because each must also differ from
    those accepted before it: no verdict may depend on the order in which answers arrive.

    Raises:
        CallFailed: technical, once all indices have ended; the seed is failed as a whole.
    """
    indices: list[asyncio.Task[_Tried]] = []
    async with asyncio.TaskGroup() as group:
        for index in range(options.count):
            work = _tries(seed, original, brief, roles, options, index, tuple(indices))
            indices.append(group.create_task(_ended(work)))
    return [attempt for index in indices for attempt in _usable(index.result())]


async def _ended(work: Awaitable[list[Paraphrase]]) -> _Tried:
    """A failure is data of its index: the siblings, whose calls are being paid for, go on to their ends."""
    try:
        return await work
    except CallFailed as failed:
        return failed


def _usable(tried: _Tried) -> list[Paraphrase]:
    if isinstance(tried, CallFailed):
        raise CallFailed(*tried.args)
    return tried


async def _tries(
    seed: Seed,
    original: Rationale,
    brief: Brief,
    roles: Roles,
    options: ParaphraseOptions,
    index: int,
    before: Sequence[asyncio.Task[_Tried]],
) -> list[Paraphrase]:
    """All tries at one index: until one is accepted, or ``max_tries``."""
    tried: list[Paraphrase] = []
    while len(tried) < options.max_tries and not (tried and tried[-1].accepted):
        try:
            candidate = await roles.paraphraser.paraphrase(seed, original, brief, index, tried)
        except Unusable as unusable:
            unread = Paraphrase(brief.level, index, len(tried), None, None, unusable.reason, unusable.raw)
            tried.append(unread)
            continue
        reworded = candidate.rationale
        similarity = await roles.similarity.similarity(original.reasoning, reworded.reasoning)
        earlier = [p.rationale for task in before for p in _usable(await task) if p.accepted and p.rationale]
        reason = fidelity.verdict(original, reworded, similarity, earlier, options.window)
        tried.append(
            Paraphrase(
                brief.level, index, len(tried), reworded, similarity, reason, provenance=candidate.provenance
            )
        )
    return tried
