from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dfj_bootstrap.dataset.ladder_tables import TABLES, rows_of
from dfj_bootstrap.domain.rationale import LEVELS, Label, Rationale
from dfj_bootstrap.domain.seed import Seed, Split
from dfj_bootstrap.domain.trajectory import (
    Accepted,
    Brief,
    Candidate,
    Evaluation,
    Failed,
    Ladder,
    Paraphrase,
    Provenance,
    Rejected,
    Round,
    Trajectory,
)
from dfj_bootstrap.storage.commits import Commit, read_commits, write_commit
from dfj_bootstrap.storage.reader import RunReader
from dfj_bootstrap.storage.tables import (
    ROWS_PER_GROUP,
    PartWriter,
    Slice,
    drop_stale_parts,
    part_path,
    slices_of,
)
from tests.support.ladders import make_ladder, make_picture, make_seed, write_part


@pytest.fixture
def seed(tmp_path: Path) -> Seed:
    return make_seed("s", make_picture(tmp_path))


def test_every_table_has_its_rows_in_the_order_given(tmp_path: Path, seed: Seed) -> None:
    seeds = [replace(seed, id=name) for name in ("z", "a", "m")]
    write_part(tmp_path, 7, 3, [(s, make_ladder(s, {5: 2})) for s in seeds])
    counts = {table: len(Slice(tmp_path, 7, 3).rows(table)) for table in TABLES}
    assert counts == {"seeds": 3, "rounds": 15, "trajectories": 15, "paraphrases": 6}
    assert [row["seed_id"] for row in Slice(tmp_path, 7, 3).rows("seeds")] == ["z", "a", "m"]
    assert part_path(tmp_path, "seeds", 7, 3).name == "part-0007-e0003.parquet"


def test_a_part_without_rows_still_has_its_columns(tmp_path: Path) -> None:
    write_part(tmp_path, 0, 1, [])
    for table, schema in TABLES.items():
        assert pq.read_schema(part_path(tmp_path, table, 0, 1)).equals(schema)


def test_the_same_ladders_give_the_same_bytes(tmp_path: Path, seed: Seed) -> None:
    for run in ("one", "two"):
        write_part(tmp_path / run, 0, 1, [(seed, make_ladder(seed))])
    for table in TABLES:
        one, two = (part_path(tmp_path / run, table, 0, 1).read_bytes() for run in ("one", "two"))
        assert one == two


def test_a_seed_row_says_what_it_was_and_how_it_ended(tmp_path: Path, seed: Seed) -> None:
    seed = replace(seed, split=Split.TEST, ordinal=4)
    write_part(tmp_path, 0, 1, [(seed, make_ladder(seed, {1: 0, 5: 1}))])
    (row,) = Slice(tmp_path, 0, 1).rows("seeds")
    assert row["outcome"] == "incomplete"
    assert (row["split"], row["ordinal"], row["image"]) == ("test", 4, seed.image.name)
    assert (row["gold"], row["gold_origin"], row["gold_rating"]) == (seed.gold, "given", 5)
    assert row["gold_low"] is False


def test_a_written_gold_is_told_from_a_given_one(tmp_path: Path, seed: Seed) -> None:
    seed = replace(seed, gold=None)
    write_part(tmp_path, 0, 1, [(seed, make_ladder(seed, texts={5: "Written."}))])
    (row,) = Slice(tmp_path, 0, 1).rows("seeds")
    assert (row["gold"], row["gold_origin"]) == ("Written.", "written")


def test_a_round_sums_both_calls_and_says_why_it_was_not_enough(tmp_path: Path, seed: Seed) -> None:
    text = Rationale("t", Label.REAL)
    wrote = Provenance("gen", "p1", input_tokens=10, output_tokens=2, cached_tokens=4, cost_usd=0.25)
    rated = Provenance("ev", "p2", input_tokens=5, output_tokens=1, cost_usd=0.5)
    rounds = (
        Round(0, Candidate(text, wrote), Evaluation(4, "too good", provenance=rated)),
        Round(1, Candidate(text, wrote), Evaluation(2, "wrong class", provenance=rated)),
        Round(2, Candidate(text, wrote), Evaluation(2, "fits", provenance=rated)),
    )
    accepted = Trajectory(Brief("s", 2), rounds, Accepted("fits"))
    write_part(tmp_path, 0, 1, [(seed, Ladder("s", (accepted,)))])
    rows = Slice(tmp_path, 0, 1).rows("rounds")
    assert [(row["accepted"], row["reason"]) for row in rows] == [
        (False, "off_level"), (False, "off_class"), (True, ""),
    ]  # fmt: skip
    assert (rows[0]["input_tokens"], rows[0]["cached_tokens"], rows[0]["cost_usd"]) == (15, 4, 0.75)
    assert (rows[0]["generator_model"], rows[0]["evaluator_prompt"]) == ("gen", "p2")


def test_rejected_and_failed_trajectories_keep_their_reason(tmp_path: Path, seed: Seed) -> None:
    unrated = Round(0, Candidate(Rationale("t", Label.REAL)))
    trajectories = (
        Trajectory(Brief("s", 1), (unrated,), Rejected("evaluator_unparsable", "I like it")),
        Trajectory(Brief("s", 2), (), Failed("timed out")),
    )
    write_part(tmp_path, 0, 1, [(seed, Ladder("s", trajectories))])
    rejected, failed = Slice(tmp_path, 0, 1).rows("trajectories")
    assert (rejected["outcome"], rejected["reason"], rejected["raw"]) == (
        "rejected", "evaluator_unparsable", "I like it",
    )  # fmt: skip
    assert (rejected["rating"], rejected["text"], rejected["critique"]) == (None, None, None)
    assert (failed["outcome"], failed["reason"], failed["rounds"]) == ("failed", "timed out", 0)
    (round_,) = Slice(tmp_path, 0, 1).rows("rounds")
    assert (round_["rating"], round_["feedback"], round_["reason"]) == (None, None, "evaluator_unparsable")
    (row,) = Slice(tmp_path, 0, 1).rows("seeds")
    assert (row["outcome"], row["failure"]) == ("failed", "timed out")


def test_variants_count_only_the_accepted_paraphrases_of_a_level(tmp_path: Path, seed: Seed) -> None:
    text = Rationale("t", seed.label)
    tries = (
        Paraphrase(4, 2, 0, text, 0.9, ""),
        Paraphrase(5, 0, 0, text, 0.9, ""),
        Paraphrase(4, 0, 0, None, None, "paraphraser_unparsable", "??"),
        Paraphrase(4, 0, 1, text, 0.9, ""),
        Paraphrase(4, 1, 0, text, 0.2, "similarity_low"),
    )
    ladder = replace(make_ladder(seed, dict.fromkeys(LEVELS, 0)), paraphrases=tries)
    write_part(tmp_path, 0, 1, [(seed, ladder)])
    rows = Slice(tmp_path, 0, 1).rows("paraphrases")
    assert [(row["level"], row["index"], row["try"], row["variant"]) for row in rows] == [
        (4, 0, 0, None), (4, 0, 1, 0), (4, 1, 0, None), (4, 2, 0, 1), (5, 0, 0, 0),
    ]  # fmt: skip
    assert [row["outcome"] for row in rows].count("accepted") == 3
    assert (rows[0]["text"], rows[0]["raw"]) == (None, "??")


def commit(run: Path, partition: int, epoch: int, seed: Seed) -> None:
    write_part(run, partition, epoch, [(replace(seed, id=f"{partition}.{epoch}"), make_ladder(seed))])
    write_commit(run, partition, Commit(epoch, "basis", {"seeds.complete": epoch}))


def test_tables_and_records_are_read_of_one_epoch_whoever_writes_last(tmp_path: Path, seed: Seed) -> None:
    commit(tmp_path, 3, 7, seed)
    commit(tmp_path, 3, 5, seed)  # a worker that was given up wakes
    commit(tmp_path, 4, 1, seed)
    write_part(tmp_path, 4, 2, [(seed, make_ladder(seed))])  # killed before its commit
    assert [row["seed_id"] for row in RunReader(tmp_path, {}).rows("seeds")] == ["3.7", "4.1"]
    assert {p: commit.epoch for p, commit in read_commits(tmp_path).items()} == {3: 7, 4: 1}


def test_what_no_commit_needs_is_removed_and_nothing_else(tmp_path: Path, seed: Seed) -> None:
    for partition, epoch in ((3, 1), (3, 5), (3, 6), (4, 1)):
        write_part(tmp_path, partition, epoch, [])
    folder = tmp_path / "tables" / "rounds"
    for name in (".part-0004-e0002.parquet.0f3a.tmp", "part-notes.txt"):
        (folder / name).touch()
    drop_stale_parts(tmp_path, {3: 5, 4: 1})
    assert sorted(path.name for path in folder.iterdir()) == [
        "part-0003-e0005.parquet", "part-0003-e0006.parquet", "part-0004-e0001.parquet", "part-notes.txt",
    ]  # fmt: skip


def test_slices_can_be_read_alone_also_those_without_rows(tmp_path: Path, seed: Seed) -> None:
    names: list[list[str]] = [["a", "b"], [], ["c"], []]
    write_part(
        tmp_path, 0, 1, *([(replace(seed, id=n), make_ladder(seed, {5: 1})) for n in each] for each in names)
    )
    assert {slices_of(tmp_path, table, 0, 1) for table in TABLES} == {4}
    for table in TABLES:
        each = [Slice(tmp_path, 0, 1, number).rows(table) for number in range(4)]
        assert [row for rows in each for row in rows] == Slice(tmp_path, 0, 1).rows(table)
        assert [bool(rows) for rows in each] == [bool(n) for n in names]


def test_a_part_that_is_not_finished_leaves_nothing(tmp_path: Path, seed: Seed) -> None:
    part = PartWriter(tmp_path, 0, 1, TABLES, 2)
    part.write([rows_of(seed, make_ladder(seed))])
    part.discard()
    assert [path for path in (tmp_path / "tables").rglob("*") if path.is_file()] == []


def test_an_error_among_the_ladders_leaves_no_part_behind(tmp_path: Path, seed: Seed) -> None:
    def ladders() -> Iterator[tuple[Seed, Ladder]]:
        yield seed, make_ladder(seed)
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        write_part(tmp_path, 0, 1, ladders())
    assert [path for path in (tmp_path / "tables").rglob("*") if path.is_file()] == []


def test_rows_are_written_in_groups_and_none_is_lost(tmp_path: Path, seed: Seed) -> None:
    many = ROWS_PER_GROUP // 5 + 10
    write_part(tmp_path, 0, 1, ((replace(seed, id=f"s{i}"), make_ladder(seed, {})) for i in range(many)))
    part = pq.ParquetFile(part_path(tmp_path, "trajectories", 0, 1))
    assert part.num_row_groups == 2
    assert part.metadata.num_rows == many * 5
