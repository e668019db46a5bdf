"""What lies in Parquet files, byte by byte: nothing that no row has."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dfj_bootstrap.config.sections import DatasetConfig
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.dataset.assembly import assemble
from dfj_bootstrap.domain.seed import ImageRef
from tests.support.ladders import make_ladder, make_picture, make_seed, write_run
from tests.support.parquet_pages import slack
from tests.support.runs import ENVIRONMENT, ROOT, tree_digest

_MARKER = b"what memory held before"

_ASSEMBLY = """\
import sys
from pathlib import Path
from tests.integration.test_shards import assemble_shared
assemble_shared(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def assemble_shared(run: Path, pictures: Path) -> None:
    """Sixty seeds that show three pictures, and four that show two more files with the pixels of one."""
    shown = [make_picture(pictures, number, side=60) for number in range(3)]
    seeds = [make_seed(f"s{i}", shown[i % 3]) for i in range(60)]
    twins = [_unlike_file(pictures, shown[0], level) for level in (0, 9)]
    seeds += [make_seed(f"t{i}", twins[i % 2], group=shown[0].digest) for i in range(4)]
    run.mkdir()
    reader = write_run(run, [(seed, make_ladder(seed)) for seed in seeds], 4)
    options = Config(seeds=Path("seeds.jsonl"), dataset=DatasetConfig(test_fraction=0.5))
    assemble(reader, options, "Made by a test double.")


def _unlike_file(folder: Path, image: ImageRef, level: int) -> ImageRef:
    """The same pixels in a file of other bytes, which isn't taken over as it is."""
    path = folder / f"packed-{level}.png"
    with Image.open(image.path) as picture:
        picture.save(path, compress_level=level)
    digest = blake2b(path.read_bytes(), digest_size=16).hexdigest()
    return replace(image, path=str(path), name=path.name, digest=digest, verbatim=False)


def test_shards_and_tables_hold_no_byte_that_no_row_has(tmp_path: Path) -> None:
    assemble_shared(tmp_path / "run", tmp_path)
    files = sorted((tmp_path / "run").rglob("*.parquet"))
    assert len(files) > 8
    assert {file.name: found for file in files if (found := slack(file))} == {}


def test_what_looks_into_pages_finds_what_a_dictionary_with_an_entry_twice_leaves(tmp_path: Path) -> None:
    twice = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int32()), pa.array([b"x" * 99] * 2))
    pq.write_table(pa.table({"picture": twice}), tmp_path / "twice.parquet", compression="none")
    (found,) = slack(tmp_path / "twice.parquet")
    assert "103 bytes behind the values" in found


def test_three_assemblies_give_the_same_bytes_and_none_of_what_memory_held(tmp_path: Path) -> None:
    digests = []
    for attempt in range(3):
        held = [pa.array([_MARKER * n] * 400, pa.binary()) for n in (1, 40, 400)]
        del held
        assemble_shared(tmp_path / str(attempt), tmp_path)
        digests.append(tree_digest(tmp_path / str(attempt)))
        written = (path.read_bytes() for path in (tmp_path / str(attempt)).rglob("*.*") if path.is_file())
        assert not any(_MARKER in data for data in written)
    assert digests[0] == digests[1] == digests[2]


@pytest.mark.slow
def test_whatever_fresh_and_freed_memory_holds_the_bytes_are_the_same(tmp_path: Path) -> None:
    digests = []
    for filled_with in ("0", "90", "165"):
        run = tmp_path / filled_with
        memory = {"MALLOC_PERTURB_": filled_with, "ARROW_DEFAULT_MEMORY_POOL": "system"}
        subprocess.run(
            [sys.executable, "-c", _ASSEMBLY, run, tmp_path], env=ENVIRONMENT | memory, cwd=ROOT, check=True
        )
        digests.append(tree_digest(run))
    assert digests[0] == digests[1] == digests[2]
