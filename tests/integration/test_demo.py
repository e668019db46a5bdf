"""The demo without embeddings gives one dataset, byte for byte, whichever Python makes it."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from tests.support.runs import ROOT, dfj

ON_RECORD = ROOT / "tests" / "data" / "demo.sha256"
"""Made with the versions in constraints.txt: pyarrow writes its own into each Parquet file. Where other bytes
are meant, in the run's ``dfj-meta``: ``find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum``."""

SETTINGS = ("similarity.backend=lexical", "engine.kind=local")


@pytest.mark.slow
def test_the_demo_without_embeddings_gives_the_bytes_on_record(tmp_path: Path) -> None:
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    done = dfj("generate", ROOT / "configs" / "demo.yaml", "--output", tmp_path / "run", *settings, key="")
    assert done.returncode == 0, done.stderr
    assert _sums(tmp_path / "run" / "dfj-meta") == ON_RECORD.read_text(encoding="utf-8").splitlines()


def _sums(folder: Path) -> list[str]:
    """As ``sha256sum`` prints them."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return [f"{sha256(files[name].read_bytes()).hexdigest()}  {name}" for name in sorted(files)]
