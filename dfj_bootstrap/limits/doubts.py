"""Whether a refusal for good is believed: a 401, 403 or 404 of a server that answers others may be stray.

At first it is believed at once, so that a wrong key costs one request; but a web page is never the server's
own word; nor is a 403 believed at once where an earlier start was answered, while a key may have been changed
since. After good answers it is asked again, as often as a broken attempt. What stands then: a 403 concerns
the call that got it, as if a filter had refused it (a firewall's do: one prompt must not make a run
unfinishable), unless many calls get one and none an answer; a 401 or 404 stops the run, unless others were
answered meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable

from dfj_bootstrap.calls.call import Call, Reply
from dfj_bootstrap.domain.finish import Finish
from dfj_bootstrap.errors import CallFailed, EndpointRejected
from dfj_bootstrap.limits.breaker import MANY
from dfj_bootstrap.limits.broken import Doubtful

_STRAY = (401, 403, 404)


class Doubts:
    """One endpoint's."""

    def __init__(
        self,
        name: str,
        proven: Callable[[], bool] = lambda: False,
        answered_before: Callable[[], bool] = lambda: False,
    ) -> None:
        """``proven``: it works for some worker; ``answered_before``: it did in an earlier start."""
        self._name = name
        self._proven = proven
        self._answered_before = answered_before
        self._answers = 0
        self._refused: dict[str, int] = {}

    def answered(self, call: Call) -> None:
        """A call got a good answer."""
        self._answers += 1
        self._refused.pop(call.key, None)

    def weighed(
        self, call: Call, status: int, message: str, refusal: EndpointRejected, *, page: bool
    ) -> Exception:
        """What is raised for a refusal: itself, or that it is asked again first.

        Args:
            page: it came as a web page.
        """
        if status not in _STRAY or not (self._works(status) or page):
            return refusal
        self._refused.setdefault(call.key, self._answers)
        return Doubtful(f"the server says {status}: {message}", self._verdict(call, status, message, refusal))

    def _verdict(
        self, call: Call, status: int, message: str, refusal: EndpointRejected
    ) -> Callable[[], Reply]:
        def verdict() -> Reply:
            """The last attempt was refused, too."""
            before = self._refused.pop(call.key, self._answers)
            if status == 403 and self._works(status) and not self._many_refused():
                return Reply(message, Finish.REFUSED, call.model)
            if status != 403 and self._answers > before:
                raise CallFailed(
                    f"models.{self._name}: the server refused the request with {status}, though it answered "
                    f"others: {message}"
                )
            raise refusal

        return verdict

    def _works(self, status: int) -> bool:
        return self._answers > 0 or self._proven() or (status == 403 and self._answered_before())

    def _many_refused(self) -> bool:
        """Whether many calls were refused and none was answered since."""
        return sum(before == self._answers for before in self._refused.values()) >= MANY
