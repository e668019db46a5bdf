"""One split of one dataset on disk: pictures, ``data.jsonl`` and Parquet shards.

Invariants:

- The same rows in the same order give the same bytes.
- Rows of one seed stand together, in one Parquet row group, whose dictionary holds each picture once. An
  entry that stood twice would be more than lost room: pyarrow sizes the page for all entries and writes the
  distinct ones, and the rest of the page is whatever memory held, other rows' texts for one.
- Memory is one row group: about 100 rows, and some tens of MiB of pictures.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from dfj_bootstrap.dataset.checksums import ChecksumWriter, HashedFile
from dfj_bootstrap.storage.atomic import sync

MIB = 1 << 20
GROUP_ROWS = 100
GROUP_BYTES = 64 * MIB
SHARD_BYTES = 400_000_000
"""A shard is closed at the first row group that ends beyond this many bytes."""

SHARD_GROUPS = 500
"""A shard has at most so many row groups: what the file's footer says of them is held in memory."""

_DICTIONARY_BYTES = 1 << 30  # far above a row group's pictures: the dictionary must never give up
_PICTURE_COLUMN = "images.list.element.bytes"
_LEVELS = {"pointwise": ("level",), "pairwise": ("level_a", "level_b")}

DATASETS = tuple(_LEVELS)


class SplitWriter:
    """Writes one split, seed by seed.

    Attributes:
        rows, pictures, shards: what was written; ``shards`` is known once the writer is closed.
    """

    def __init__(
        self,
        folder: Path,
        dataset: str,
        split: str,
        checksums: ChecksumWriter,
        *,
        twin: Path | None,
        shard_bytes: int = SHARD_BYTES,
    ) -> None:
        """Nothing is made on disk before the first row.

        Args:
            folder: of the dataset.
            checksums: is told of each file.
            twin: an images folder in which the same pictures may stand already; they are hard-linked.
        """
        self.rows = self.pictures = self.shards = 0
        self._home = folder / split
        self._twin = twin
        self._checksums = checksums
        self._shards = _Shards(folder / "data", dataset, split, checksums, shard_bytes)
        self._waiting: list[dict[str, Any]] = []
        self._contents: dict[bytes, int] = {}
        self._of_row: list[int] = []
        self._jsonl: HashedFile | None = None

    def add(self, picture: bytes, rows: Sequence[dict[str, Any]]) -> None:
        """Add the rows of one seed, which show one picture; its path is what their ``images`` name."""
        if not rows:
            return
        if self._jsonl is None:
            (self._home / "images").mkdir(parents=True)
            self._jsonl = HashedFile(self._home / "data.jsonl")
        self._place(Path(rows[0]["images"][0]), picture)
        self._jsonl.write(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
        # By its bytes, not its name: two files may hold the same pixels, of which the same PNG is made.
        place = self._contents.setdefault(picture, len(self._contents))
        self._of_row.extend([place] * len(rows))
        self._waiting.extend(rows)
        self.rows += len(rows)
        if len(self._waiting) >= GROUP_ROWS or sum(map(len, self._contents)) >= GROUP_BYTES:
            self._flush()

    def _place(self, path: Path, picture: bytes) -> None:
        target = self._home / path
        if target.exists():
            return
        self.pictures += 1
        self._checksums.add(target, len(picture), sha256(picture).hexdigest())
        if self._twin is not None:
            try:
                target.hardlink_to(self._twin / path.name)
            except OSError:
                pass  # no such picture there, or a file system without links
            else:
                return
        target.write_bytes(picture)

    def _flush(self) -> None:
        if self._waiting:
            self._shards.write(self._waiting, list(self._contents), self._of_row)
        self._waiting, self._contents, self._of_row = [], {}, []

    def __enter__(self) -> SplitWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush()
        finally:
            self.shards = self._shards.close()
            if self._jsonl is not None:
                self._jsonl.close()
                self._checksums.add(self._home / "data.jsonl", self._jsonl.size, self._jsonl.hexdigest())


class _Shards:
    """The Parquet files of one split; they get their names when their number is known."""

    def __init__(self, folder: Path, dataset: str, split: str, checksums: ChecksumWriter, limit: int) -> None:
        self._folder, self._split, self._limit = folder, split, limit
        self._levels = _LEVELS[dataset]
        self._schema = _schema(self._levels)
        self._checksums = checksums
        self._done: list[HashedFile] = []
        self._groups = 0
        self._file: Any = None

    def write(self, rows: Sequence[dict[str, Any]], pictures: Sequence[bytes], of_row: Sequence[int]) -> None:
        """Write one row group."""
        if self._file is None:
            self._open()
        self._file.write_table(_table(rows, pictures, of_row, self._schema), row_group_size=len(rows))
        self._groups += 1
        if self._done[-1].size >= self._limit or self._groups == SHARD_GROUPS:
            self._finish()

    def _open(self) -> None:
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"{self._split}-{len(self._done):05d}.part"
        self._done.append(HashedFile(path))
        self._file = pq.ParquetWriter(
            self._done[-1],
            self._schema,
            store_schema=False,  # it would say that pictures are dictionaries; readers want plain bytes
            use_dictionary=[_PICTURE_COLUMN, "images.list.element.path", "seed_id", "label"],
            dictionary_pagesize_limit=_DICTIONARY_BYTES,
            compression={leaf: "none" if leaf == _PICTURE_COLUMN else "zstd" for leaf in self._leaves()},
            write_statistics=[*self._levels, "paraphrase", "label"],
        )
        self._file.add_key_value_metadata({"huggingface": _features(self._levels)})

    def _leaves(self) -> list[str]:
        nested = ["messages.list.element.role", "messages.list.element.content"]
        pictures = [_PICTURE_COLUMN, "images.list.element.path"]
        return ["id", *nested, *pictures, "seed_id", "label", *self._levels, "paraphrase"]

    def _finish(self) -> None:
        if self._file is not None:
            try:
                self._file.close()
            finally:
                self._done[-1].close()
                self._file, self._groups = None, 0

    def close(self) -> int:
        """Close the last shard, give all their names, and return how many there are."""
        self._finish()
        for i, written in enumerate(self._done):
            path = self._folder / f"{self._split}-{i:05d}-of-{len(self._done):05d}.parquet"
            Path(written.name).rename(path)
            self._checksums.add(path, written.size, written.hexdigest())
        return len(self._done)


def _schema(levels: Sequence[str]) -> pa.Schema:
    string = pa.string()
    message = pa.struct({"role": string, "content": string})
    image = pa.struct({"bytes": pa.dictionary(pa.int32(), pa.binary()), "path": string})
    columns = {"id": string, "messages": pa.list_(message), "images": pa.list_(image), "seed_id": string}
    numbers = dict.fromkeys([*levels, "paraphrase"], pa.int64())
    return pa.schema({**columns, "label": string, **numbers})


def _table(
    rows: Sequence[dict[str, Any]], pictures: Sequence[bytes], of_row: Sequence[int], schema: pa.Schema
) -> pa.Table:
    """The rows as Arrow columns; ``pictures`` are distinct, and ``of_row`` says which one a row shows."""
    contents = pa.DictionaryArray.from_arrays(pa.array(of_row, pa.int32()), pa.array(pictures, pa.binary()))
    paths = pa.array([row["images"][0] for row in rows], pa.string())
    images = pa.StructArray.from_arrays([contents, paths], names=["bytes", "path"])
    offsets = pa.array(range(len(rows) + 1), pa.int32())
    nested = {"images": pa.ListArray.from_arrays(offsets, images)}
    columns = [
        nested[field.name]
        if field.name in nested
        else pa.array([row[field.name] for row in rows], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _features(levels: Sequence[str]) -> str:
    """What ``datasets`` needs to decode pictures: its feature types, in the form that all versions read."""
    string, integer = ({"dtype": kind, "_type": "Value"} for kind in ("string", "int64"))
    features: dict[str, Any] = {
        "id": string,
        "messages": [{"role": string, "content": string}],
        "images": [{"_type": "Image"}],
        "seed_id": string,
        "label": string,
        **{name: integer for name in [*levels, "paraphrase"]},
    }
    return orjson.dumps({"info": {"features": features}}).decode()


def sync_tree(folder: Path) -> None:
    """Force a finished tree onto the disk, so that no rename can publish a half-written file."""
    for parent, _, names in os.walk(folder):
        for name in names:
            sync(Path(parent, name))
        sync(Path(parent))
