"""The plan: partitions, rows that other rows rule out, and what resuming with other seeds may do."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfj_bootstrap.domain.rationale import Label
from dfj_bootstrap.domain.seed import FLAGS, Annotation, Box, ImageRef, Seed, Split
from dfj_bootstrap.errors import RunFolderError, SeedsError
from dfj_bootstrap.intake.images import open_image
from dfj_bootstrap.intake.plan import make_plan
from dfj_bootstrap.intake.seed_index import SplitOf
from dfj_bootstrap.intake.seed_json import content_of, read_seeds, seed_from_row, seed_to_row
from dfj_bootstrap.intake.seeds import SeedItems
from dfj_bootstrap.policy.ordering import partition_of
from dfj_bootstrap.storage.planned import PlanSummary, partition_file, read_summary
from tests.support.seeds import BAD, image_threads, seed_row, write_picture, write_rows, write_seed_rows


class Desk:
    """A folder with pictures, a seeds file that tests write anew, and a run folder."""

    def __init__(self, folder: Path) -> None:
        self.run = folder / "run"
        self.seeds = folder / "seeds.jsonl"
        self._folder = folder

    def write(self, *rows: dict[str, Any]) -> None:
        for number in range(12):
            path = self._folder / "images" / f"{number:05d}.png"
            if not path.exists():
                write_picture(path, number)
        write_rows(self.seeds, list(rows))

    def plan(self, *rows: dict[str, Any], split_of: SplitOf | None = None, **options: Any) -> PlanSummary:
        if rows:
            self.write(*rows)
        return make_plan(self.run, SeedItems([self.seeds], split_of=split_of), **options)

    def planned(self) -> dict[str, Seed]:
        summary = read_summary(self.run)
        assert summary is not None
        seeds = [seed for n in range(summary.partitions) for seed in read_seeds(self.run, n)]
        return {seed.id: seed for seed in sorted(seeds, key=lambda seed: seed.ordinal)}

    def refused(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.run / "refused.jsonl").read_bytes().splitlines()]

    def bytes(self) -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in sorted((self.run / "plan").iterdir())}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def rows(*numbers: int, **overrides: Any) -> list[dict[str, Any]]:
    return [seed_row(number, **overrides) for number in numbers]


def test_seeds_lie_in_the_partition_of_their_id_in_input_order(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    write_seed_rows(tmp_path, 40)
    summary = desk.plan()
    assert (summary.partitions, summary.total, summary.refused, summary.complete) == (8, 40, 0, True)
    for partition in range(8):
        seeds = list(read_seeds(desk.run, partition))
        assert all(partition_of(seed.id, 8) == partition for seed in seeds)
        assert [seed.ordinal for seed in seeds] == sorted(seed.ordinal for seed in seeds)
    assert list(desk.planned()) == [f"seed-{n:05d}" for n in range(40)]
    assert [seed.ordinal for seed in desk.planned().values()] == list(range(40))


@pytest.mark.parametrize(("lines", "partitions"), [(1, 8), (320, 16), (2000, 64), (2100, 128), (10**6, 1024)])
def test_the_number_of_partitions_follows_the_number_of_lines(
    desk: Desk, lines: int, partitions: int
) -> None:
    desk.write(*rows(0))
    with desk.seeds.open("ab") as file:
        file.write(b"\n" * (lines - 1))
    assert desk.plan().partitions == partitions


def test_the_plan_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 40)
    for name in ("a", "b"):
        make_plan(tmp_path / name, SeedItems([tmp_path / "seeds.jsonl"]))
    first, second = ({p.name: p.read_bytes() for p in (tmp_path / n / "plan").iterdir()} for n in ("a", "b"))
    assert first == second


def test_hostile_rows_are_counted_and_told_and_the_good_ones_planned(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    summary = make_plan(desk.run, SeedItems([BAD / "rows.jsonl"]))
    assert (summary.total, summary.refused, summary.notes) == (13, 26, 5)
    refused = desk.refused()
    assert all(list(row) == ["file", "line", "field", "why", "id"] for row in refused)
    assert next(row for row in refused if row["id"] == "r-duplicate") == {
        "file": str(BAD / "rows.jsonl"),
        "line": 28,
        "field": "id",
        "why": "line 27 has this id already",
        "id": "r-duplicate",
    }
    assert {"../../escape", "r/with/slashes and spaces"} <= set(desk.planned())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run"]
    assert len(desk.bytes()["notes.jsonl"].splitlines()) == 5


@pytest.mark.parametrize("name", ["lone_surrogate", "not_objects", "invalid_utf8", "half_line", "bom_crlf"])
def test_every_hostile_file_can_be_planned_and_keeps_its_good_rows(tmp_path: Path, name: str) -> None:
    desk = Desk(tmp_path)
    make_plan(desk.run, SeedItems([BAD / f"{name}.jsonl"]))
    assert {"ok-1", "ok-2"} <= set(desk.planned())


def test_of_the_hostile_pictures_the_one_under_two_labels_is_left_out_too(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    make_plan(desk.run, SeedItems([BAD / "images.jsonl"]))
    assert list(desk.planned()) == ["ok-1", *(f"img-{n:02d}" for n in (5, 6, 7, 9, 11, 13))]
    assert [(row["line"], row["why"].split(",")[0]) for row in desk.refused() if row["field"] == "label"] == [
        (18, "line 13 has the same picture as fake"),
        (13, "line 18 has the same picture as real"),
    ]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("empty.jsonl", "there are no rows; a seeds file holds one JSON object per line"),
        ("only_blank_lines.jsonl", "there are no rows"),
        (
            "array_instead_of_lines.json",
            "no good row: all 1 refused .*; the first: .* one JSON object per line",
        ),
        ("none.jsonl", "no such file"),
    ],
)
def test_an_input_without_a_good_row_is_no_success(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(SeedsError, match=why) as error:
        make_plan(tmp_path / "run", SeedItems([BAD / name]))
    assert "\n" not in str(error.value)
    assert read_summary(tmp_path / "run") is None
    assert not (tmp_path / "run" / "plan.new").exists()


def test_refused_rows_can_be_read_even_if_none_was_good(desk: Desk) -> None:
    with pytest.raises(SeedsError, match="all 2 refused"):
        desk.plan(*rows(0, 1, label="x"))
    assert [row["line"] for row in desk.refused()] == [1, 2]


def test_a_trial_does_not_send_people_to_a_file_that_goes_away_with_it(desk: Desk) -> None:
    desk.write(*rows(0, label="x"))
    for trial in (True, False):
        with pytest.raises(SeedsError, match="no good row: all 1 refused") as error:
            desk.plan(trial=trial)
        assert (str(desk.run / "refused.jsonl") in str(error.value)) is not trial


def test_rows_without_id_that_show_one_picture_are_told_to_have_ids(desk: Desk) -> None:
    desk.plan(*rows(0, 0, id=...))
    assert [row["why"] for row in desk.refused()] == [
        "line 1 has the same picture; give each row an id of its own"
    ]


def test_one_picture_may_have_two_rationales_but_not_two_groups(desk: Desk) -> None:
    again = [seed_row(0, id="again"), seed_row(0, id="other", group="g")]
    assert desk.plan(*rows(0), *again).total == 2
    (refused,) = desk.refused()
    assert (refused["id"], refused["field"]) == ("other", "group")
    assert "line 1 has the same picture in another group" in refused["why"]


def test_an_explicit_split_that_contradicts_its_group_is_refused(desk: Desk) -> None:
    first, second = seed_row(0, group="g", split="test"), seed_row(1, group="g", split="train")
    assert desk.plan(first, second).total == 1
    assert [(row["line"], row["field"], row["why"]) for row in desk.refused()] == [
        (2, "split", "line 1 has the group in the test split")
    ]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_a_row_without_a_split_inherits_that_of_its_group_whatever_the_order(
    desk: Desk, order: tuple[int, ...]
) -> None:
    three = [seed_row(0, group="g"), seed_row(1, group="g", split="test"), seed_row(2)]
    desk.plan(*(three[n] for n in order))
    planned = desk.planned()
    assert [planned[f"seed-{n:05d}"].split for n in range(3)] == [Split.TEST, Split.TEST, None]


def test_a_refused_row_decides_nothing(desk: Desk) -> None:
    duplicate = seed_row(1, id="seed-00000", group="g", split="train")
    desk.plan(seed_row(0), duplicate, seed_row(2, group="g", split="test"))
    assert desk.planned()["seed-00002"].split is Split.TEST


def test_a_limit_stops_the_reading_and_can_be_lifted(desk: Desk) -> None:
    cut = desk.plan(*rows(*range(10)), limit=4)
    assert (cut.total, cut.complete) == (4, False)
    assert desk.plan(limit=3) == cut
    full = desk.plan()
    assert (full.total, full.complete) == (10, True)
    assert desk.plan(limit=2) == full


def test_the_same_input_is_not_read_again(desk: Desk) -> None:
    first = desk.plan(*rows(0, 1))
    told: list[tuple[int, int]] = []
    assert desk.plan(on_progress=lambda done, total: told.append((done, total))) == first
    assert told == []


def test_progress_counts_every_row(desk: Desk) -> None:
    told: list[tuple[int, int]] = []
    desk.plan(*rows(0, 1), *rows(2, label="x"), on_progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_seeds_that_are_added_leave_the_others_where_they_are(desk: Desk) -> None:
    before = desk.plan(*rows(0, 1, 2))
    old = desk.planned()
    after = desk.plan(*rows(0, 1, 2, 3))
    assert (after.total, after.partitions) == (4, before.partitions)
    assert {name: seed for name, seed in desk.planned().items() if name in old} == old


def test_the_number_of_partitions_is_kept_when_the_input_grows(desk: Desk) -> None:
    desk.plan(*rows(0))
    desk.write(*rows(0, 1))
    with desk.seeds.open("ab") as file:
        file.write(b"\n" * 1000)
    assert desk.plan().partitions == 8


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"gold_rationale": "Other words."}, "gold_rationale"),
        ({"label": "edited"}, "label"),
        ({"annotations": []}, "annotations"),
        ({"group": "g"}, "group"),
        ({"split": "test"}, "split"),
        ({"source": "elsewhere"}, "source"),
        ({"licence": "CC0"}, "licence"),
        ({"image": "images/00001.png"}, "image and the picture"),
    ],
)
def test_a_changed_row_of_a_planned_seed_is_refused_by_name(
    desk: Desk, change: dict[str, Any], field: str
) -> None:
    desk.plan(*rows(0))
    before = desk.bytes()
    with pytest.raises(RunFolderError) as error:
        desk.plan(seed_row(2), seed_row(0, **change))
    assert f"{desk.seeds} line 2: {field} of seed 'seed-00000' changed" in str(error.value)
    assert "`dfj regenerate`" in str(error.value)
    assert desk.bytes() == before


def test_a_plan_that_is_refused_ends_its_readers_threads_at_once(desk: Desk) -> None:
    desk.plan(*rows(0))
    before = image_threads()
    with pytest.raises(RunFolderError) as error:
        desk.plan(seed_row(0, label="edited"), *rows(1, 2, 3))
    assert not image_threads() - before, error  # though the error still holds the frames that were left


def test_a_changed_picture_is_noticed_when_the_seeds_are_read_again(desk: Desk) -> None:
    desk.plan(*rows(0))
    write_picture(desk.seeds.parent / "images" / "00000.png", 99)
    with pytest.raises(RunFolderError, match="the picture of seed 'seed-00000' changed"):
        desk.plan(*rows(0, 1))


def test_a_planned_seed_that_is_gone_is_refused_by_name(desk: Desk) -> None:
    desk.plan(*rows(0, 1))
    with pytest.raises(RunFolderError, match="seed 'seed-00001': its row is no longer in the input"):
        desk.plan(*rows(0, 2))


def test_a_planned_seed_whose_row_is_bad_now_is_refused_with_the_reason(desk: Desk) -> None:
    desk.plan(*rows(0, 1))
    with pytest.raises(RunFolderError, match=r"'seed-00001': its row is refused now .*line 2: label"):
        desk.plan(seed_row(0), seed_row(1, label="x"))


def test_rows_may_be_put_in_another_order_and_under_a_limit_none_is_dropped(desk: Desk) -> None:
    desk.plan(*rows(0, 1, 2))
    assert desk.plan(*rows(3, 4, 2, 1, 0, 5), limit=2).total == 5
    assert [seed.id[-1] for seed in desk.planned().values()] == ["0", "1", "2", "3", "4"]


def test_a_row_in_front_leaves_every_partition_that_it_does_not_go_to_as_it_was(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    write_seed_rows(tmp_path, 40)
    desk.plan()
    before = desk.bytes()
    lines = desk.seeds.read_text().splitlines(keepends=True)
    write_picture(tmp_path / "images" / "00040.png", 40)
    front = json.dumps(seed_row(40)) + "\n"
    desk.seeds.write_text(front + "".join(reversed(lines)))
    assert desk.plan().total == 41
    home = partition_file(desk.run, partition_of("seed-00040", 8)).name
    changed = {name for name, content in desk.bytes().items() if content != before[name]}
    assert changed == {home, "summary.json"}
    assert [seed.ordinal for seed in desk.planned().values()] == list(range(41))
    assert list(desk.planned())[-1] == "seed-00040"


def under(label: str, number: int = 0, **overrides: Any) -> dict[str, Any]:
    """A row that shows the picture of ``number`` under a label."""
    return seed_row(number, label=label, annotations=[], **overrides)


def complaints(desk: Desk) -> list[tuple[int, str, str]]:
    return [(row["line"], row["field"], row["why"].split(",")[0]) for row in desk.refused()]


@pytest.mark.parametrize("ids", [("a", "b"), ("a", "a"), (..., ...)])
def test_a_picture_under_two_labels_is_refused_in_both_rows_and_each_names_the_other(
    desk: Desk, ids: tuple[Any, Any]
) -> None:
    first, second = under("fake", id=ids[0]), under("real", id=ids[1], image="./images//00000.png")
    summary = desk.plan(seed_row(1), first, seed_row(2), second, seed_row(3))
    assert (summary.total, summary.refused) == (3, 2)
    assert complaints(desk) == [
        (4, "label", "line 2 has the same picture as fake"),
        (2, "label", "line 4 has the same picture as real"),
    ]
    if ids[0] is not ...:
        assert [row["id"] for row in desk.refused()] == [*reversed(ids)]
    assert {seed.id: seed.ordinal for seed in desk.planned().values()} == {
        f"seed-{n:05d}": n - 1 for n in (1, 2, 3)
    }


def test_every_row_of_a_picture_under_two_labels_is_refused_however_many_and_in_other_files(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path)
    desk.write(under("fake", id="a"), under("fake", id="b"), *rows(1))
    more = write_rows(tmp_path / "more.jsonl", [under("real", id="c"), under("fake", id="d")])
    make_plan(desk.run, SeedItems([desk.seeds, more]))
    assert list(desk.planned()) == ["seed-00001"]
    assert [(row["id"], row["line"], row["why"].split(" has")[0]) for row in desk.refused()] == [
        ("c", 1, f"line 1 of {desk.seeds}"),
        ("d", 2, "line 1"),
        ("a", 1, f"line 1 of {more}"),
        ("b", 2, f"line 1 of {more}"),
    ]


_SHOWN = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from(["real", "fake", "edited"])), min_size=1, max_size=7
)


@settings(max_examples=40, deadline=None)
@given(_SHOWN)
def test_the_rows_that_are_used_are_those_of_pictures_under_one_label_in_any_order(
    shown: list[tuple[int, str]],
) -> None:
    labels = {number: {label for n, label in shown if n == number} for number, _ in shown}
    used = [f"row-{at}" for at, (number, _) in enumerate(shown) if len(labels[number]) == 1]
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        summary = desk.plan(
            *(under(label, number, id=f"row-{at}") for at, (number, label) in enumerate(shown)), seed_row(0)
        )
        assert list(desk.planned()) == [*used, "seed-00000"]
        assert [seed.ordinal for seed in desk.planned().values()] == list(range(summary.total))
        assert (summary.total, summary.refused) == (len(used) + 1, len(shown) - len(used))
        assert len({row["line"] for row in desk.refused()}) == summary.refused


def test_where_only_one_picture_under_two_labels_is_there_no_row_is_good(desk: Desk) -> None:
    with pytest.raises(
        SeedsError, match=r"no good row: all 2 refused .*; the first: .*line 1 has the same picture"
    ):
        desk.plan(under("fake"), under("edited", id="other"))
    assert len(desk.refused()) == 2


def test_a_limit_counts_the_rows_that_are_used_in_the_end(desk: Desk) -> None:
    summary = desk.plan(under("fake"), under("real", id="x"), *rows(1, 2, 3, 4), limit=3)
    assert (summary.total, summary.refused, summary.complete) == (3, 2, False)
    assert [seed.id[-1] for seed in desk.planned().values()] == ["1", "2", "3"]


@pytest.mark.parametrize("front", [True, False])
def test_a_planned_picture_keeps_its_label_and_an_added_row_with_another_is_refused(
    desk: Desk, front: bool
) -> None:
    old, new = under("fake"), under("real", id="new")
    desk.plan(old)
    before = desk.planned()
    desk.plan(*((new, old) if front else (old, new)), *rows(1))
    assert {name: seed for name, seed in desk.planned().items() if name in before} == before
    assert [(row["id"], row["why"].split(",")[0]) for row in desk.refused()] == [
        ("new", "an earlier row of this run has the same picture as fake")
    ]


def planned_before_there_were_rules(desk: Desk, *rows: dict[str, Any], edit: Any = lambda row: None) -> None:
    """A plan as an earlier version made it: row by row, each planned without a look at today's rules."""
    for count in range(1, len(rows) + 1):
        desk.plan(*rows[:count])
    for number in range(8):
        path = partition_file(desk.run, number)
        lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
        for line in lines:
            edit(line)
            own = seed_from_row(line)
            line["content"] = content_of(own).hex()
        path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))


def test_a_run_that_has_a_picture_under_two_labels_goes_on_with_both(desk: Desk) -> None:
    def relabel(row: dict[str, Any]) -> None:
        row["label"] = "real" if row["id"] == "b" else row["label"]

    planned_before_there_were_rules(desk, under("fake", id="a"), under("fake", id="b"), edit=relabel)
    desk.plan(under("fake", id="a"), under("real", id="b"), under("fake", id="c"), *rows(1))
    assert list(desk.planned()) == ["a", "b", "seed-00001"]
    assert [row["id"] for row in desk.refused()] == ["c"]


def test_a_run_that_has_a_picture_which_is_too_wide_goes_on_with_it(desk: Desk) -> None:
    wide = desk.seeds.parent / "images" / "00000.png"
    desk.plan(*rows(1))
    write_picture(wide, 0, (8 * 201, 8))
    picture = open_image(desk.seeds.parent, "images/00000.png")

    def swap(row: dict[str, Any]) -> None:
        if row["id"] == "seed-00000":
            row |= {"image": asdict(picture), "group": picture.digest}

    write_picture(wide, 0)
    planned_before_there_were_rules(desk, *rows(1, 0), edit=swap)
    write_picture(wide, 0, (8 * 201, 8))
    assert desk.plan(*rows(1, 0, 2), seed_row(0, id="added")).total == 3
    assert set(desk.planned()) == {f"seed-{n:05d}" for n in range(3)}
    assert [(row["id"], row["field"]) for row in desk.refused()] == [("added", "image")]
    assert "1608 × 8 pixels; trainers refuse sides of more than 200 to 1" in desk.refused()[0]["why"]


@pytest.mark.parametrize("new", ["./images//00000.png", "images/00000.png", "images/../images/00000.png"])
@pytest.mark.parametrize("inherited", [False, True])
def test_a_run_that_was_planned_with_another_spelling_of_a_path_goes_on(
    desk: Desk, new: str, inherited: bool
) -> None:
    def spell(row: dict[str, Any]) -> None:
        if row["id"] == "seed-00000":
            row["image"]["name"] = "./images//00000.png"

    old = seed_row(0, group="g")
    planned_before_there_were_rules(desk, old, edit=spell)
    if inherited:  # the row names no split, its group does
        path = partition_file(desk.run, partition_of("seed-00000", 8))
        path.write_bytes(path.read_bytes().replace(b'"split":null', b'"split":"test"'))
    desk.plan(old | {"image": new}, seed_row(1, group="g", **({"split": "test"} if inherited else {})))
    assert desk.planned()["seed-00000"].image.name == "images/00000.png"
    with pytest.raises(RunFolderError, match="line 1: label of seed 'seed-00000' changed"):
        desk.plan(old | {"image": new, "label": "edited"}, seed_row(1, group="g"))


def test_a_folder_that_moved_as_a_whole_is_read_again_and_found_unchanged(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "here")
    desk.plan(*rows(0, 1))
    (tmp_path / "here").rename(tmp_path / "there")
    moved = Desk(tmp_path / "there")
    assert moved.plan().total == 2
    assert all("/there/" in seed.image.path for seed in moved.planned().values())


def drawn(split: Split) -> Any:
    return lambda group: split


def test_an_added_split_that_contradicts_the_drawn_one_is_refused(desk: Desk) -> None:
    desk.plan(seed_row(0, group="g"))
    added = seed_row(1, group="g", split="test")
    desk.plan(added, seed_row(0, group="g"), split_of=drawn(Split.TRAIN))
    assert [(row["id"], row["why"]) for row in desk.refused()] == [
        ("seed-00001", "this run has the group in the train split already")
    ]
    assert desk.planned()["seed-00000"].split is None


def test_an_added_split_that_agrees_with_the_drawn_one_is_taken(desk: Desk) -> None:
    desk.plan(seed_row(0, group="g"))
    desk.plan(seed_row(0, group="g"), seed_row(1, group="g", split="test"), split_of=drawn(Split.TEST))
    assert {seed.split for seed in desk.planned().values()} == {Split.TEST}
    everything = [seed_row(0, group="g"), seed_row(1, group="g", split="test"), seed_row(2)]
    assert desk.plan(*everything, split_of=drawn(Split.TRAIN)).total == 3


def test_a_fresh_plan_is_free_to_take_any_split(desk: Desk) -> None:
    desk.plan(seed_row(0, group="g"), seed_row(1, group="g", split="test"), split_of=drawn(Split.TRAIN))
    assert {seed.split for seed in desk.planned().values()} == {Split.TEST}


def test_an_added_row_cannot_take_the_picture_of_a_planned_one(desk: Desk) -> None:
    desk.plan(seed_row(0, group="g"))
    desk.plan(seed_row(0, id="thief", group="h"), seed_row(0, group="g"))
    assert list(desk.planned()) == ["seed-00000"]
    assert "an earlier row of this run has the same picture" in desk.refused()[0]["why"]


@pytest.mark.parametrize("left", ["plan.old", "plan.new", "both"])
def test_a_crash_while_the_plan_is_put_in_place_loses_nothing(desk: Desk, left: str) -> None:
    first = desk.plan(*rows(0, 1))
    before = desk.bytes()
    if left in ("plan.old", "both"):
        (desk.run / "plan").rename(desk.run / "plan.old")
    if left in ("plan.new", "both"):
        (desk.run / "plan.new").mkdir()
        (desk.run / "plan.new" / "part-0000.jsonl").write_bytes(b'{"half')
    assert desk.plan() == first
    assert desk.bytes() == before
    assert sorted(p.name for p in desk.run.iterdir()) == ["plan", "refused.jsonl"]


def test_what_people_read_is_mended_if_a_crash_left_it_behind(desk: Desk) -> None:
    desk.plan(*rows(0), *rows(1, label="x"))
    good = (desk.run / "refused.jsonl").read_bytes()
    (desk.run / "refused.jsonl").write_bytes(b"")
    desk.plan()
    assert (desk.run / "refused.jsonl").read_bytes() == good


def test_a_damaged_or_missing_partition_is_said_in_a_sentence(desk: Desk) -> None:
    desk.plan(*rows(0))
    path = partition_file(desk.run, partition_of("seed-00000", 8))
    path.write_bytes(b'{"half')
    with pytest.raises(RunFolderError, match="missing or damaged; put it back"):
        list(read_seeds(desk.run, partition_of("seed-00000", 8)))
    path.unlink()
    with pytest.raises(RunFolderError, match="missing or damaged; put it back"):
        list(read_seeds(desk.run, partition_of("seed-00000", 8)))


@pytest.mark.parametrize("damage", [b"", b'{"half', b"[]", b'{"total": 1}'])
def test_a_damaged_summary_is_said_in_a_sentence(desk: Desk, damage: bytes) -> None:
    desk.plan(*rows(0))
    (desk.run / "plan" / "summary.json").write_bytes(damage)
    with pytest.raises(RunFolderError, match=r"summary\.json: missing or damaged"):
        read_summary(desk.run)


def test_a_plan_larger_than_its_buffer_is_written_whole(tmp_path: Path) -> None:
    marks = [{"text": "x" * 2000, "flag": None, "box": None}] * 200
    write_seed_rows(tmp_path, 15, overrides=lambda number: {"annotations": marks})
    desk = Desk(tmp_path)
    assert desk.plan().total == 15
    assert sum(partition_file(desk.run, n).stat().st_size for n in range(8)) > 6_000_000
    assert list(desk.planned()) == [f"seed-{n:05d}" for n in range(15)]
    assert all(len(seed.annotations) == 200 for seed in desk.planned().values())


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_BOXES = st.builds(Box, *[st.integers(1, 1000)] * 4)
_SEEDS = st.builds(
    Seed,
    id=_TEXT,
    image=st.builds(
        ImageRef,
        *[_TEXT] * 3,
        st.integers(1, 10**6),
        st.integers(1, 10**6),
        st.sampled_from([".png"]),
        st.booleans(),
    ),
    label=st.sampled_from(Label),
    gold=st.none() | _TEXT,
    annotations=st.lists(
        st.builds(Annotation, _TEXT, st.none() | st.sampled_from(FLAGS), st.none() | _BOXES), max_size=3
    ).map(tuple),
    group=_TEXT,
    split=st.none() | st.sampled_from(Split),
    source=st.none() | _TEXT,
    licence=st.none() | _TEXT,
    ordinal=st.integers(0, 10**9),
)


@given(_SEEDS)
def test_a_seed_survives_the_way_through_its_row(seed: Seed) -> None:
    assert seed_from_row(orjson.loads(orjson.dumps(seed_to_row(seed)))) == seed
