"""Pictures as data URLs: read, checked, scaled and encoded once per image, not once per call.

What a model sees is what goes into the dataset, upright and never compressed anew, unless it is outside the
model's limits: then it is scaled once (see ``intake.images.shown_bytes``). A call that waits for its turn
holds no picture: what takes time is done before and kept in a file, and the data URL is made when its turn
comes. The calls of one seed share one; the cache forgets the least recently used beyond a bound on memory.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
import weakref
from base64 import b64encode
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import IO

from dfj_bootstrap.domain.resizing import PixelLimits
from dfj_bootstrap.domain.seed import ImageRef
from dfj_bootstrap.intake.images import is_shown_as_it_is, shown_bytes

_MIME = {".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp"}


class Pictures:
    """A small cache of data URLs by the image's digest."""

    def __init__(
        self, limits: PixelLimits, most_characters: int = 128 << 20, most_bytes: int = 1 << 30
    ) -> None:
        """``most_characters`` bounds what is kept in memory, ``most_bytes`` what is kept in a file."""
        self._limits = limits
        self._most = most_characters
        self._kept = 0
        self._urls: OrderedDict[str, str] = OrderedDict()
        self._made = _Made(most_bytes)
        self._reading: dict[str, asyncio.Lock] = {}

    async def prepare(self, ref: ImageRef) -> None:
        """Scale a picture that has to be, so that its data URL is quickly made.

        Raises:
            SeedsError: the file is gone, or another one, since the seeds were read.
        """
        if not is_shown_as_it_is(ref, self._limits) and ref.digest not in self._made:
            async with self._one_reading(ref.digest):
                await asyncio.to_thread(self._shown, ref)

    async def data_url(self, ref: ImageRef) -> str:
        """The picture as ``data:image/…;base64,…``; callers that want the same one wait for one reading.

        Raises:
            SeedsError: the file is gone, or another one, since the seeds were read.
        """
        url = self._get(ref.digest)
        if url is not None:
            return url
        async with self._one_reading(ref.digest):
            return self._get(ref.digest) or self._keep(ref.digest, await asyncio.to_thread(self._encode, ref))

    @asynccontextmanager
    async def _one_reading(self, digest: str) -> AsyncIterator[None]:
        lock = self._reading.setdefault(digest, asyncio.Lock())
        try:
            async with lock:
                yield
        finally:
            if self._reading.get(digest) is lock and not lock.locked():
                del self._reading[digest]

    def _encode(self, ref: ImageRef) -> str:
        data, suffix = self._shown(ref)
        return f"data:{_MIME[suffix]};base64,{b64encode(data).decode('ascii')}"

    def _shown(self, ref: ImageRef) -> tuple[bytes, str]:
        """What a model is shown; called by threads."""
        if is_shown_as_it_is(ref, self._limits):
            return shown_bytes(ref, self._limits)
        made = self._made.get(ref.digest)
        if made is None:
            made = shown_bytes(ref, self._limits)
            self._made.keep(ref.digest, *made)
        return made

    def _get(self, digest: str) -> str | None:
        url = self._urls.get(digest)
        if url is not None:
            self._urls.move_to_end(digest)
        return url

    def _keep(self, digest: str, url: str) -> str:
        self._kept += len(url) - len(self._urls.get(digest, ""))
        self._urls[digest] = url
        while self._kept > self._most and len(self._urls) > 1:
            _, dropped = self._urls.popitem(last=False)
            self._kept -= len(dropped)
        return url


class _Made:
    """Pictures that had to be made, in a file without a name, which is gone with this process."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._end = 0
        self._file: IO[bytes] | None = None
        self._places: dict[str, tuple[int, int, str]] = {}
        self._lock = threading.Lock()

    def __contains__(self, digest: str) -> bool:
        return digest in self._places

    def get(self, digest: str) -> tuple[bytes, str] | None:
        """A picture and the suffix of what it is, where it was kept."""
        with self._lock:
            place = self._places.get(digest)
            if place is None or self._file is None:
                return None
            offset, length, suffix = place
            return os.pread(self._file.fileno(), length, offset), suffix

    def keep(self, digest: str, data: bytes, suffix: str) -> None:
        """Keep a picture, if there is room; where the file has got too long, it begins anew."""
        with self._lock, suppress(OSError):  # it can be made again
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - ends with this object
                weakref.finalize(self, self._file.close)
            if self._end + len(data) > self._most:
                self._places.clear()
                self._end = 0
            if os.pwrite(self._file.fileno(), data, self._end) == len(data):
                self._places[digest] = self._end, len(data), suffix
                self._end += len(data)
