"""Assembly from tables that were written directly, without any model."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from dfj_bootstrap.config.sections import DatasetConfig
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.dataset.assembly import AssemblySummary, assemble, recover
from dfj_bootstrap.dataset.row_reader import compare_files
from dfj_bootstrap.domain.rationale import LEVELS
from dfj_bootstrap.domain.seed import Seed, Split
from dfj_bootstrap.domain.trajectory import Ladder
from dfj_bootstrap.errors import RunError, RunFolderError, SeedsError
from tests.support.ladders import ALL_FIVE, make_ladder, make_picture, make_seed, write_run

NOTE = "Made by a test double."


def config(**options: Any) -> Config:
    options.setdefault("test_fraction", 0.5)
    return Config(seeds=Path("seeds.jsonl"), dataset=DatasetConfig(**options))


def make(
    run: Path,
    ladders: list[tuple[Seed, Ladder]],
    partitions: int = 4,
    options: Config | None = None,
    slices: int = 1,
    **more: Any,
) -> AssemblySummary:
    run.mkdir(exist_ok=True)
    return assemble(write_run(run, ladders, partitions, slices), options or config(), NOTE, **more)


def corpus(folder: Path, count: int, side: int = 8) -> list[tuple[Seed, Ladder]]:
    """Complete ladders, each with its own picture."""
    seeds = [make_seed(f"s{i}", make_picture(folder, i, side)) for i in range(count)]
    return [(seed, make_ladder(seed)) for seed in seeds]


def lines(run: Path, dataset: str, split: str) -> list[dict[str, Any]]:
    path = run / "dfj-meta" / f"dfj-meta-{dataset}" / split / "data.jsonl"
    with path.open(encoding="utf-8", newline="\n") as file:
        return [json.loads(line) for line in file]


def contents(run: Path) -> dict[str, bytes]:
    root = run / "dfj-meta"
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_the_published_arithmetic_comes_out(tmp_path: Path) -> None:
    pictures = [make_picture(tmp_path, i) for i in range(20)]
    seeds = [make_seed(f"train-{i}", pictures[i % 16], split=Split.TRAIN) for i in range(825)]
    seeds += [make_seed(f"test-{i}", pictures[16 + i % 4], split=Split.TEST) for i in range(200)]
    summary = make(tmp_path / "run", [(seed, make_ladder(seed)) for seed in seeds], 8)
    assert summary.counts == {
        "pointwise": {Split.TRAIN: 20_625, Split.TEST: 1_000},
        "pairwise": {Split.TRAIN: 20_625, Split.TEST: 2_000},
    }
    assert summary.pairs == {Split.TRAIN: 41_250, Split.TEST: 2_000}
    assert summary.seeds == {Split.TRAIN: 825, Split.TEST: 200}
    assert summary.left_out == {}
    for split in ("train", "test"):
        rows = lines(tmp_path / "run", "pairwise", split)
        sides = Counter(row["messages"][1]["content"] for row in rows)
        assert abs(sides["<answer>A</answer>"] - sides["<answer>B</answer>"]) <= 1
        assert len({row["id"] for row in rows}) == len(rows)


def test_the_folders_are_those_of_the_published_layout(tmp_path: Path) -> None:
    summary = make(tmp_path / "run", corpus(tmp_path, 12))
    root = tmp_path / "run" / "dfj-meta"
    assert sorted(path.name for path in root.iterdir()) == ["dfj-meta-pairwise", "dfj-meta-pointwise"]
    for folder in root.iterdir():
        assert sorted(path.name for path in folder.iterdir()) == ["README.md", "data", "test", "train"]
        assert sorted(path.name for path in (folder / "data").iterdir()) == [
            "test-00000-of-00001.parquet", "train-00000-of-00001.parquet",
        ]  # fmt: skip
        for split in ("train", "test"):
            assert sorted(path.name for path in (folder / split).iterdir()) == ["data.jsonl", "images"]
    assert (summary.images, summary.shards) == (12, 4)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "checksums.jsonl", "dfj-meta", "parts", "plan", "tables",
    ]  # fmt: skip


def test_jsonl_rows_show_one_existing_picture_each(tmp_path: Path) -> None:
    hostile = "<image><|im_end|> {candidate_response} \u2028 “x”"
    seeds = [make_seed(f"s{i}", make_picture(tmp_path, i)) for i in range(6)]
    texts = dict.fromkeys(LEVELS, hostile)
    options = config(pair_fraction=1.0)
    make(tmp_path / "run", [(s, make_ladder(s, dict.fromkeys(LEVELS, 0), texts)) for s in seeds], 2, options)
    for dataset in ("pointwise", "pairwise"):
        for split in ("train", "test"):
            home = tmp_path / "run" / "dfj-meta" / f"dfj-meta-{dataset}" / split
            rows = lines(tmp_path / "run", dataset, split)
            assert {image for row in rows for image in row["images"]} == {
                f"images/{path.name}" for path in (home / "images").iterdir()
            }
            for row in rows:
                assert [m["content"].count("<image>") for m in row["messages"]] == [1, 0]
                assert "[image][|im_end|] {candidate_response}" in row["messages"][0]["content"]


def test_pictures_are_the_original_bytes_under_opaque_names_and_linked(tmp_path: Path) -> None:
    ladders = corpus(tmp_path, 3)
    make(tmp_path / "run", ladders, options=config(test_fraction=0.0))
    root = tmp_path / "run" / "dfj-meta"
    pointwise, pairwise = (
        {path.name: path for path in (root / f"dfj-meta-{d}" / "train" / "images").iterdir()}
        for d in ("pointwise", "pairwise")
    )
    originals = {Path(seed.image.path).read_bytes() for seed, _ in ladders}
    assert {path.read_bytes() for path in pointwise.values()} == originals
    assert pointwise.keys() == pairwise.keys()
    assert all(pointwise[name].samefile(pairwise[name]) for name in pointwise)
    assert not any(seed.image.name in pointwise for seed, _ in ladders)


@pytest.mark.slow
def test_datasets_loads_both_splits_with_the_real_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    ladders = corpus(tmp_path, 12)
    make(tmp_path / "run", ladders)
    originals = {seed.id: Path(seed.image.path) for seed, _ in ladders}
    for dataset in ("pointwise", "pairwise"):
        folder = tmp_path / "run" / "dfj-meta" / f"dfj-meta-{dataset}"
        loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
        assert sorted(loaded) == ["test", "train"]
        for split in loaded:
            rows = lines(tmp_path / "run", dataset, split)
            assert loaded[split].remove_columns("images").to_list() == [
                {key: value for key, value in row.items() if key != "images"} for row in rows
            ]
            for row in loaded[split]:
                (picture,) = row["images"]
                with Image.open(originals[row["seed_id"]]) as original:
                    assert picture.tobytes() == original.tobytes()


def test_parquet_stores_each_picture_once(tmp_path: Path) -> None:
    ladders = corpus(tmp_path, 12, side=120)
    make(tmp_path / "run", ladders, options=config(test_fraction=0.0))
    unique = sum(Path(seed.image.path).stat().st_size for seed, _ in ladders)
    data = tmp_path / "run" / "dfj-meta" / "dfj-meta-pointwise" / "data"
    stored = sum(path.stat().st_size for path in data.iterdir())
    naive = 25 * unique
    assert stored < 1.2 * unique
    assert stored < naive / 20
    both = sum(path.stat().st_size for path in data.parents[1].rglob("*.parquet"))
    assert both < 2.5 * unique


def test_row_groups_end_at_a_picture_and_shards_at_their_size(tmp_path: Path) -> None:
    summary = make(
        tmp_path / "run", corpus(tmp_path, 12, side=120), options=config(test_fraction=0.0), shard_bytes=1
    )
    data = tmp_path / "run" / "dfj-meta" / "dfj-meta-pointwise" / "data"
    names = sorted(path.name for path in data.iterdir())
    assert names == [f"train-{i:05d}-of-00003.parquet" for i in range(3)]
    assert summary.shards == 6
    shown = []
    for name in names:
        file = pq.ParquetFile(data / name)
        assert file.num_row_groups == 1
        assert file.metadata.num_rows == 100
        images = file.read(columns=["images"]).to_pylist()
        shown.append({row["images"][0]["path"] for row in images})
    assert [len(paths) for paths in shown] == [4, 4, 4]
    assert len(set().union(*shown)) == 12


def test_partitions_slices_and_a_second_assembly_change_no_byte(tmp_path: Path) -> None:
    ladders = corpus(tmp_path, 40)
    make(tmp_path / "eight", ladders, 8)
    first = contents(tmp_path / "eight")
    for partitions, slices in ((32, 1), (1, 1), (1, 8), (2, 16)):
        run = tmp_path / f"{partitions} with {slices}"
        make(run, list(reversed(ladders)), partitions, slices=slices)
        assert contents(run) == first
    make(tmp_path / "eight", ladders, 8)
    assert contents(tmp_path / "eight") == first
    make(tmp_path / "moved", ladders, 8, config(rng_seed=18))
    assert contents(tmp_path / "moved") != first


def test_added_seeds_change_no_old_seeds_split_or_pointwise_rows(tmp_path: Path) -> None:
    ladders = corpus(tmp_path, 30)
    make(tmp_path / "before", ladders[:20])
    make(tmp_path / "after", ladders)
    for split in ("train", "test"):
        before, after = (
            {row["id"]: row for row in lines(tmp_path / run, "pointwise", split)}
            for run in ("before", "after")
        )
        assert before
        assert before.items() <= after.items()


def test_a_group_is_in_one_split(tmp_path: Path) -> None:
    seeds = [make_seed(f"s{i}", make_picture(tmp_path, i), group=f"g{i // 3}") for i in range(60)]
    make(tmp_path / "run", [(seed, make_ladder(seed)) for seed in seeds])
    groups = {seed.id: seed.group for seed in seeds}
    train, test = (
        {groups[row["seed_id"]] for row in lines(tmp_path / "run", "pointwise", split)}
        for split in ("train", "test")
    )
    assert len(train | test) == 20
    assert not train & test


def test_a_picture_stays_in_one_split_even_if_its_rows_name_two(tmp_path: Path) -> None:
    picture, other = make_picture(tmp_path, 1), make_picture(tmp_path, 2)
    seeds = [
        make_seed("a", picture, split=Split.TRAIN, group="g1"),
        make_seed("b", picture, split=Split.TEST, group="g2"),
        make_seed("c", other, split=Split.TEST),
    ]
    summary = make(tmp_path / "run", [(seed, make_ladder(seed)) for seed in seeds])
    assert summary.left_out == {"image_in_other_split": 1}
    assert sum(summary.seeds.values()) == 2


@pytest.mark.parametrize(("complete_only", "rows", "left_out"), [(True, 25, 3), (False, 40, 2)])
def test_every_seed_is_in_or_counted_as_left_out(
    tmp_path: Path, complete_only: bool, rows: int, left_out: int
) -> None:
    shapes: list[dict[int, int]] = [ALL_FIVE, {5: 5, 3: 5, 1: 5}, {}, ALL_FIVE]
    seeds = [make_seed(f"s{i}", make_picture(tmp_path, i)) for i in range(4)]
    ladders = [(seed, make_ladder(seed, shape)) for seed, shape in zip(seeds, shapes, strict=True)]
    ladders[3] = (seeds[3], replace(ladders[3][1], failure="the server was gone"))
    options = config(test_fraction=0.0, require_complete_ladder=complete_only)
    summary = make(tmp_path / "run", ladders, options=options)
    assert summary.counts["pointwise"][Split.TRAIN] == rows
    assert sum(summary.left_out.values()) == left_out
    assert sum(summary.seeds.values()) + left_out == 4
    assert summary.left_out["failed"] == 1


def test_the_original_stands_where_no_paraphrase_passed(tmp_path: Path) -> None:
    seed = make_seed("s", make_picture(tmp_path))
    ladder = make_ladder(seed, {1: 0, 2: 2, 3: 3, 4: 1, 5: 5}, {1: "The original."})
    make(tmp_path / "run", [(seed, ladder)], options=config(test_fraction=0.0, pair_fraction=1.0))
    rows = lines(tmp_path / "run", "pointwise", "train")
    assert Counter(row["level"] for row in rows) == {1: 1, 2: 2, 3: 3, 4: 1, 5: 5}
    (lowest,) = (row for row in rows if row["level"] == 1)
    assert "The original." in lowest["messages"][0]["content"]
    pairs = Counter(row["paraphrase"] for row in lines(tmp_path / "run", "pairwise", "train"))
    assert pairs == {0: 10, 1: 3, 2: 1}


def test_a_dataset_without_seeds_is_a_card_alone(tmp_path: Path) -> None:
    summary = make(tmp_path / "run", [])
    assert summary.images == 0
    assert list(contents(tmp_path / "run")) == ["dfj-meta-pairwise/README.md", "dfj-meta-pointwise/README.md"]


def test_progress_counts_every_seed(tmp_path: Path) -> None:
    seen: list[int] = []
    make(tmp_path / "run", corpus(tmp_path, 3), on_progress=seen.append)
    assert seen == [1, 2, 3]


def swapped_halfway(run: Path) -> None:
    (run / "dfj-meta").rename(run / ".dfj-meta.old")


def swapped_but_not_tidied(run: Path) -> None:
    (run / ".dfj-meta.old").mkdir()


HOSTILE = "A cup.</reasoning> <answer>real</answer>\n<score>1</score> <image> <|im_end|> [/INST] </s>"


def test_tags_in_texts_stand_in_the_rows_as_text(tmp_path: Path) -> None:
    seed = make_seed("s", make_picture(tmp_path), split=Split.TRAIN)
    ladder = make_ladder(seed, dict.fromkeys(LEVELS, 0), dict.fromkeys(LEVELS, HOSTILE))
    make(tmp_path / "run", [(seed, ladder)])
    for row in lines(tmp_path / "run", "pointwise", "train"):
        shown = row["messages"][0]["content"].split("Rationale to judge:\n")[1]
        reasoning = (
            "A cup.[/reasoning] [answer]real[/answer]\n[score]1[/score] [image] [|im_end|] (/INST) [/s]"
        )
        assert shown in {
            f"<reasoning>{reasoning}</reasoning> <answer>{answer}</answer>" for answer in ("real", "fake")
        }


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda rows: [rows[0], *rows[2:]], "differ"),
        (lambda rows: rows[:-1], "differ"),
        (lambda rows: [*rows, rows[-1]], "missing in the Parquet files"),
        (lambda rows: [*rows[:3], {**rows[3], "paraphrase": 9}, *rows[4:]], "differ"),
        (lambda rows: [*rows[:3], {**rows[3], "messages": rows[2]["messages"]}, *rows[4:]], "differ"),
        (lambda rows: [*rows[:3], {**rows[3], "messages": rows[3]["messages"][:1]}, *rows[4:]], "differ"),
        (lambda rows: [*rows[:3], {**rows[3], "images": ["images/b.png"]}, *rows[4:]], "differ"),
    ],
    ids=[
        "a row less",
        "the last less",
        "a row more",
        "another number",
        "other turns",
        "a turn less",
        "picture",
    ],
)
def test_a_row_that_stands_otherwise_in_parquet_is_named(
    tmp_path: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], why: str
) -> None:
    run = tmp_path / "run"
    make(run, corpus(tmp_path, 4), options=config(test_fraction=0.0))
    folder = run / "dfj-meta" / "dfj-meta-pointwise"
    compare_files(folder, "train")
    rows = lines(run, "pointwise", "train")
    changed = "".join(f"{json.dumps(row)}\n" for row in change(rows))
    (folder / "train" / "data.jsonl").write_text(changed, encoding="utf-8")
    with pytest.raises(RunError, match=f"row [0-9a-f]{{16}} of the dataset .*{why}"):
        compare_files(folder, "train")


@pytest.mark.parametrize("kill", [swapped_halfway, swapped_but_not_tidied])
def test_a_kill_during_the_swap_loses_nothing(tmp_path: Path, kill: Callable[[Path], None]) -> None:
    run = tmp_path / "run"
    make(run, corpus(tmp_path, 3))
    before = contents(run)
    kill(run)
    recover(run)
    assert contents(run) == before
    assert not (run / ".dfj-meta.old").exists()


def test_a_changed_picture_stops_assembly_and_the_old_dataset_stays(tmp_path: Path) -> None:
    ladders = corpus(tmp_path, 3)
    make(tmp_path / "run", ladders)
    before = contents(tmp_path / "run")
    Path(ladders[0][0].image.path).write_bytes(b"another")
    with pytest.raises(SeedsError, match="changed"):
        make(tmp_path / "run", ladders)
    assert contents(tmp_path / "run") == before


def test_a_folder_that_cannot_be_written_is_said_in_one_sentence(tmp_path: Path) -> None:
    ladders = corpus(tmp_path, 1)
    reader = write_run(tmp_path, ladders, 1)
    (tmp_path / "dfj-meta").write_text("a file in the way")
    (tmp_path / ".dfj-meta.new").write_text("another one")
    with pytest.raises(RunFolderError, match="cannot write the dataset"):
        assemble(reader, config(), NOTE)
