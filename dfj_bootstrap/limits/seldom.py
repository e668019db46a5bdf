"""What would be said again and again is said once a minute."""

from __future__ import annotations

from dataclasses import dataclass, field

EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Seldom:
    """Remembers when each kind of thing was last said; seconds of one monotonic clock."""

    said: dict[str, float] = field(default_factory=dict)

    def may_say(self, kind: str, now: float) -> bool:
        """Whether it is time to say a thing of this kind (again); it counts as said then."""
        if now - self.said.get(kind, -EVERY_S) < EVERY_S:
            return False
        self.said[kind] = now
        return True
