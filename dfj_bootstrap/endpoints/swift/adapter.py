"""What tells one adapter from another: its files, not its place."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b, file_digest
from pathlib import Path

MISSING = "missing"


def adapter_digest(folder: Path | None) -> str | None:
    """Hex digest of an adapter's configuration and weights; ``None``: there is no adapter."""
    if folder is None:
        return None
    files = sorted(path for path in folder.glob("adapter_*") if path.is_file())
    return _digest(tuple((path, path.stat().st_size, path.stat().st_mtime_ns) for path in files))


@lru_cache(maxsize=8)
def _digest(files: tuple[tuple[Path, int, int], ...]) -> str:
    """Weights are some hundred megabytes, and a start asks several times."""
    if not files:
        return MISSING
    digest = blake2b(digest_size=16)
    for path, *_ in files:
        with path.open("rb") as file:
            digest.update(path.name.encode() + b"\0" + file_digest(file, _blake2b).digest())
    return digest.hexdigest()


def _blake2b() -> blake2b:
    return blake2b(digest_size=16)
