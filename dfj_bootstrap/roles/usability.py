"""Whether a role's replies can be used: where nearly none can for a while, going on only costs money.

Counted are the last replies of each role that were paid for in this process; what the journal answered was
paid before. One seed alone, whose every rewording may be refused, never speaks for a role.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

from dfj_bootstrap.errors import RunError

WINDOW = 50
"""Replies of a role that are looked at together."""

_FEW = 20
"""So many are enough where not one can be used."""

_SEEDS = 3
"""Of so many seeds at least."""

_LONGEST_EXAMPLE = 120


@dataclass(frozen=True, slots=True)
class Heard:
    """A reply: whose seed it belongs to and why it can't be used, ``""`` where it can."""

    seed_id: str
    problem: str


class Usability:
    """One worker's watch over all roles.

    Attributes:
        most_unusable: the share of the last replies that may be unusable; ``None``: all.
    """

    def __init__(self, most_unusable: float | None = None) -> None:
        self.most_unusable = most_unusable
        self._heard: dict[str, deque[Heard]] = {}

    def heard(self, role: str, endpoint: str, reply: Heard, text: str) -> None:
        """Take note of a reply.

        Args:
            endpoint: whose it is, by its name in the configuration.
            text: what it says.

        Raises:
            RunError: too many of the role's last replies can't be used; says what they look like.
        """
        window = self._heard.setdefault(role, deque(maxlen=WINDOW))
        window.append(reply)
        if reply.problem and self._is_too_much(window):
            raise RunError(_told(role, endpoint, window, text))

    def _is_too_much(self, window: deque[Heard]) -> bool:
        unusable = [reply.seed_id for reply in window if reply.problem]
        enough = len(window) == WINDOW or (len(window) >= _FEW and len(unusable) == len(window))
        most = 1.0 if self.most_unusable is None else self.most_unusable
        return enough and len(unusable) > most * len(window) and len(set(unusable)) >= _SEEDS


def _told(role: str, endpoint: str, window: deque[Heard], text: str) -> str:
    kinds = Counter(reply.problem for reply in window if reply.problem)
    listed = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common())
    said = " ".join(text.split())
    example = (
        f'"{said[:_LONGEST_EXAMPLE]}{"…" if len(said) > _LONGEST_EXAMPLE else ""}"' if said else "nothing"
    )
    return (
        f"{role}: {sum(kinds.values())} of its last {len(window)} replies can't be used ({listed}); the last "
        f"one, of models.{endpoint}, says {example}; see them with `dfj calls`, mend the model, the prompt "
        "or max_tokens, or go on with a higher max_unusable_share (null: whatever comes)"
    )
