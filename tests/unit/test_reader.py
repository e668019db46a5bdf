"""The one reader of a run folder: only what counts, only what was asked for, of one commit each."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dfj_bootstrap.dataset.ladder_tables import TABLES
from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.errors import DamagedPart, RunFolderError
from dfj_bootstrap.policy.ordering import partition_of, slice_of
from dfj_bootstrap.storage.commits import Commit, write_commit
from dfj_bootstrap.storage.facts import START_OVER, add_fact
from dfj_bootstrap.storage.journal import Journal
from dfj_bootstrap.storage.manifest import FORMAT, write_manifest
from dfj_bootstrap.storage.reader import RunReader, open_run
from dfj_bootstrap.storage.spent import SCALE
from dfj_bootstrap.storage.tables import drop_part, part_path
from tests.support.ladders import make_ladder, make_picture, make_seed, write_part, write_plan, write_run

IDS = [f"s{number}" for number in range(24)]
SLICES = 4


@pytest.fixture
def seed(tmp_path: Path) -> Seed:
    return make_seed("s", make_picture(tmp_path))


@pytest.fixture
def reader(tmp_path: Path, seed: Seed) -> RunReader:
    """Of a run with four partitions of four slices."""
    seeds = [replace(seed, id=seed_id) for seed_id in IDS]
    return write_run(tmp_path / "run", [(s, make_ladder(s, {5: 2, 3: 1})) for s in seeds], 4, SLICES)


def commit_anew(run: Path, partition: int, epoch: int, *slices: list[Seed]) -> None:
    """As a worker does: the new part, its commit, and away with the old part."""
    write_part(run, partition, epoch, *([(seed, make_ladder(seed, {})) for seed in own] for own in slices))
    write_commit(run, partition, Commit(epoch, "basis", {}))
    drop_part(run, partition, epoch - 1)


def test_every_row_is_read_once_whole_or_by_partition(reader: RunReader) -> None:
    for table in TABLES:
        rows = list(reader.rows(table))
        assert [row for partition in range(4) for row in reader.rows(table, partition)] == rows
        assert {row["seed_id"] for row in rows} == set(IDS)
    assert [row["seed_id"] for row in reader.rows("seeds", columns=["seed_id"])] != IDS  # by hash
    assert all(len(row) == 1 for row in reader.rows("seeds", columns=["seed_id"]))


@pytest.mark.parametrize("seed_id", IDS[:6])
def test_a_seed_is_read_as_all_would_be(reader: RunReader, seed_id: str) -> None:
    found = reader.rows_of(seed_id, list(TABLES))
    for table in TABLES:
        assert found[table] == [row for row in reader.rows(table) if row["seed_id"] == seed_id]
        assert found[table]


def test_of_a_seed_only_its_slice_is_read(reader: RunReader, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[list[int]] = []
    real = pq.ParquetFile.read_row_groups

    def watched(part: pq.ParquetFile, groups: Any, **more: Any) -> pa.Table:
        read.append(list(groups))
        return real(part, groups, **more)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", watched)
    reader.rows_of("s7", ["seeds", "rounds"])
    assert read == [[slice_of("s7", 4, SLICES)]] * 2


def test_slices_are_those_of_the_last_commit(reader: RunReader, seed: Seed) -> None:
    assert [len(reader.slices("seeds", partition)) for partition in range(4)] == [SLICES] * 4
    commit_anew(reader.run, 2, 2, [seed])
    (whole,) = reader.slices("seeds", 2)
    assert (whole.epoch, whole.number) == (2, None)
    assert reader.slices("seeds", 99) == []


def test_a_commit_that_comes_while_others_are_read_is_read_instead(reader: RunReader, seed: Seed) -> None:
    rows = reader.rows("seeds")
    first = next(rows)
    last = [name for name in IDS if partition_of(name, 4) == 3]
    commit_anew(reader.run, 3, 2, [replace(seed, id=name, source="anew") for name in last])
    rest = list(rows)
    assert [row["seed_id"] for row in rest if row["source"] == "anew"] == last
    assert len([first, *rest]) == len(IDS)


def test_a_part_that_is_gone_without_a_newer_commit_is_damaged(reader: RunReader) -> None:
    drop_part(reader.run, partition_of("s1", 4), 1)
    with pytest.raises(DamagedPart, match="missing or damaged"):
        reader.rows_of("s1", ["seeds"])
    with pytest.raises(DamagedPart):
        list(reader.rows("rounds"))


def test_a_part_without_the_wanted_columns_is_damaged(reader: RunReader) -> None:
    path = part_path(reader.run, "seeds", partition_of("s1", 4), 1)
    pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["gold_low"]), path)
    reader.rows_of("s1", ["seeds"])  # who relies on no columns may read it
    with pytest.raises(DamagedPart):
        replace(reader, schemas=TABLES).rows_of("s1", ["seeds"])
    with pytest.raises(DamagedPart):
        list(reader.rows("seeds", columns=["gold_low"]))


def test_a_seed_without_a_commit_has_no_rows_and_an_unknown_one_is_said_so(tmp_path: Path) -> None:
    write_plan(tmp_path, {partition_of("new", 8): ["new"]}, 8)
    reader = RunReader(tmp_path, {})
    assert reader.rows_of("new", ["seeds", "rounds"]) == {"seeds": [], "rounds": []}
    for unknown in ("", "old", "\x1b[31m", "../x"):
        with pytest.raises(RunFolderError, match=r"no seed .* in this run") as error:
            reader.rows_of(unknown, ["seeds"])
        assert "\x1b" not in str(error.value)


def test_a_seed_that_came_after_the_commit_has_no_rows(reader: RunReader) -> None:
    ids: dict[int, list[str]] = {partition: [] for partition in range(4)}
    for name in [*IDS, "later"]:
        ids[partition_of(name, 4)].append(name)
    write_plan(reader.run, ids, 4)
    assert reader.rows_of("later", ["seeds"]) == {"seeds": []}


def test_records_are_those_that_count_and_of_a_seed_its_own(tmp_path: Path) -> None:
    ids = ["a", "b", "c"]
    places = {name: partition_of(name, 2) for name in ids}
    write_plan(tmp_path, {p: [name for name in ids if places[name] == p] for p in (0, 1)}, 2)
    for partition in (0, 1):
        with closing(Journal.open(tmp_path / "journal" / f"part-{partition:04d}", SCALE)) as journal:
            for name in (name for name in ids if places[name] == partition):
                for text in ("first", "second"):
                    journal.append(f"key-{name}", text, about="answer", seed=name, level=3)
                journal.append(f"start-over:3:1:{name}", value=True)  # as of old
                add_fact(journal, START_OVER, name, 3, value=True)
            journal.append("of nobody", 0.5)
    reader = RunReader(tmp_path, {})
    assert len(list(reader.records())) == 4 * len(ids) + 2
    assert list(reader.records()) == [*reader.records(0), *reader.records(1)]
    for name in ids:
        assert [(record["key"], record["value"]) for record in reader.records_of(name)] == [
            (f"key-{name}", "first"), (f"start-over:3:1:{name}", True), (f"start-over:3:2:{name}", True),
        ]  # fmt: skip
    with pytest.raises(RunFolderError, match="no seed 'd'"):
        list(reader.records_of("d"))


def test_a_run_is_opened_by_its_manifest(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"no run here \(no run.json\); give the output folder"):
        open_run(tmp_path)
    manifest = {"format": FORMAT, "run_id": "x", "state": "running", "config": {"a": 1}, "identity": {}}
    write_manifest(tmp_path, {**manifest, "wall_s": 0.0})
    reader = open_run(tmp_path)
    assert (reader.config, reader.commits()) == ({"a": 1}, {})
    assert list(reader.rows("seeds")) == list(reader.records()) == []
    assert not reader.sums(SCALE)
    with pytest.raises(RunFolderError, match="no run here"):
        reader.plan()


def test_reading_changes_nothing(reader: RunReader) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in reader.run.rglob("*"))
    reader.rows_of("s3", list(TABLES))
    list(reader.rows("rounds"))
    list(reader.records_of("s3"))
    assert sorted((path, path.stat().st_mtime_ns) for path in reader.run.rglob("*")) == before
