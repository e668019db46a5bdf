"""Pictures as data URLs: read, checked, scaled and encoded once per image, not once per call.

What a model sees is what goes into the dataset, upright and never compressed anew, unless it is outside the
model's limits: then it is scaled once (see ``storage.images.shown_bytes``). The calls of one seed share one
encoding; the cache forgets the least recently used beyond a bound on memory.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import OrderedDict

from dfj_bootstrap.domain.seed import ImageRef
from dfj_bootstrap.policy.resizing import PixelLimits
from dfj_bootstrap.storage.images import shown_bytes

_MIME = {".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp"}


class Pictures:
    """A small cache of data URLs by the image's digest."""

    def __init__(self, limits: PixelLimits, most_characters: int = 128 << 20) -> None:
        """``most_characters`` bounds what is kept; the image in use is always kept."""
        self._limits = limits
        self._most = most_characters
        self._kept = 0
        self._urls: OrderedDict[str, str] = OrderedDict()
        self._reading: dict[str, asyncio.Lock] = {}

    async def data_url(self, ref: ImageRef) -> str:
        """The picture as ``data:image/…;base64,…``; callers that want the same one wait for one reading.

        Raises:
            SeedsError: the file is gone, or another one, since the seeds were read.
        """
        url = self._get(ref.digest)
        if url is not None:
            return url
        lock = self._reading.setdefault(ref.digest, asyncio.Lock())
        try:
            async with lock:
                return self._get(ref.digest) or self._keep(
                    ref.digest, await asyncio.to_thread(_encode, ref, self._limits)
                )
        finally:
            if self._reading.get(ref.digest) is lock and not lock.locked():
                del self._reading[ref.digest]

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


def _encode(ref: ImageRef, limits: PixelLimits) -> str:
    data, suffix = shown_bytes(ref, limits)
    return f"data:{_MIME[suffix]};base64,{b64encode(data).decode('ascii')}"
