"""Rows that take time to look at, since pictures are decoded: by a few threads, a bounded number ahead."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_THREADS = min(4, os.cpu_count() or 1)
_AHEAD = 8 * _THREADS

Line = TypeVar("Line")
Row = TypeVar("Row")


def looked_at(lines: Iterable[Line], look: Callable[[Line], Row]) -> Generator[Row, None, None]:
    """What ``look`` makes of each line, in their order. Threads read ahead until it is closed."""
    waiting: deque[Future[Row]] = deque()
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="images") as pool:
        try:
            for line in lines:
                waiting.append(pool.submit(look, line))
                if len(waiting) >= _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
