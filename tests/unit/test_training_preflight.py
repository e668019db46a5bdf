"""Whatever is wrong with a row is found before a GPU is taken, by the right check, with the row's id."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.training.lengths import Estimate, Lengths
from dfj_bootstrap.training.preflight import (
    FAILED,
    OK,
    WARNING,
    Check,
    balance_check,
    batch_check,
    checksum_check,
    disk_check,
    length_check,
    row_checks,
)
from dfj_bootstrap.training.recipe import Task
from dfj_bootstrap.training.survey import Survey, leave_out, survey
from tests.support.stand_in_swift import answer
from tests.support.training import pairwise_row, pointwise_row, write_training_rows

Row = dict[str, Any]


class Ruler:
    """Counts as the stand-in does: a token for four characters, and 100 for a picture."""

    def lengths(self, rows: Any) -> list[int]:
        found: list[int] = answer({"ask": "lengths", "rows": rows}, "4.6.0")["lengths"]
        return found


def measured(most: int = 4096) -> Lengths:
    return Lengths(Ruler(), most, "measured", "here")


def surveyed(
    folder: Path, n: int = 20, task: Task = Task.POINTWISE, **instead: Any
) -> tuple[Survey, Lengths]:
    make = pointwise_row if task is Task.POINTWISE else pairwise_row
    lengths = measured()
    numbers = {int(name[1:]): row for name, row in instead.items()}
    path = write_training_rows(folder, n, make, instead=numbers)
    return survey(path, task, lengths), lengths


def checked(folder: Path, **more: Any) -> dict[str, Check]:
    return {check.name: check for check in row_checks(surveyed(folder, **more)[0])}


def missing_image(row: Row) -> Any:
    return row | {"images": ["images/none.png"]}


def cut_off_image(row: Row) -> Any:
    return row | {"images": ["images/cut.png"]}


def image_elsewhere(row: Row) -> Any:
    return row | {"images": ["../elsewhere.png"]}


def thin_image(row: Row) -> Any:
    return row | {"images": ["images/thin.png"]}


def another_tag(row: Row) -> Any:
    return _with_text(row, 0, "<image>" + row["messages"][0]["content"])


def no_tag(row: Row) -> Any:
    return _with_text(row, 0, row["messages"][0]["content"].replace("<image>", ""))


def tag_in_target(row: Row) -> Any:
    return _with_text(row, 1, "<reasoning><image></reasoning>\n<score>3</score>") | {"level": 3}


def two_images(row: Row) -> Any:
    return row | {"images": row["images"] * 2}


def turned_round(row: Row) -> Any:
    return row | {"messages": row["messages"][::-1]}


def user_twice(row: Row) -> Any:
    return row | {"messages": [{"role": "user", "content": "Hear."}, *row["messages"]]}


def no_answer(row: Row) -> Any:
    return row | {"messages": row["messages"][:1]}


def score_of_six(row: Row) -> Any:
    return _with_text(row, 1, "<reasoning>good</reasoning>\n<score>6</score>")


def no_reasoning(row: Row) -> Any:
    return _with_text(row, 1, "<score>3</score>")


def words_after(row: Row) -> Any:
    return _with_text(row, 1, row["messages"][1]["content"] + " I think.")


def other_level(row: Row) -> Any:
    return row | {"level": row["level"] % 5 + 1}


def half_a_line(row: Row) -> Any:
    return json.dumps(row)[:-20]


def no_messages(row: Row) -> Any:
    return {name: value for name, value in row.items() if name != "messages"}


def content_of_parts(row: Row) -> Any:
    return row | {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}


FAULTS: dict[Callable[[Row], Any], str] = {
    missing_image: "images", cut_off_image: "images", image_elsewhere: "images", thin_image: "images",
    another_tag: "tags", no_tag: "tags", tag_in_target: "tags", two_images: "tags",
    turned_round: "roles", user_twice: "roles", no_answer: "roles",
    score_of_six: "targets", no_reasoning: "targets", words_after: "targets", other_level: "targets",
    half_a_line: "rows", no_messages: "rows", content_of_parts: "rows",
}  # fmt: skip


def _with_text(row: Row, turn: int, text: str) -> Row:
    messages = [dict(message) for message in row["messages"]]
    messages[turn]["content"] = text
    return row | {"messages": messages}


def plant_pictures(folder: Path) -> None:
    from PIL import Image

    (folder / "images").mkdir(exist_ok=True)
    Image.new("RGB", (64, 48)).save(folder / "elsewhere.png")
    whole = (folder / "elsewhere.png").read_bytes()
    (folder / "images" / "cut.png").write_bytes(whole[: len(whole) // 2])
    Image.new("RGB", (2401, 12)).save(folder / "images" / "thin.png")


@given(
    planted=st.dictionaries(st.integers(0, 19), st.sampled_from(list(FAULTS)), max_size=6),
)
def test_planted_faults_are_each_found_with_the_rows_id_and_nothing_else_is(
    planted: dict[int, Callable[[Row], Any]],
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name) / "train"
        folder.mkdir()
        plant_pictures(folder)
        instead = {f"n{number}": fault(pointwise_row(number)) for number, fault in planted.items()}
        found, _ = surveyed(folder, **instead)
    for check in set(FAULTS.values()):
        told = {(fault.row, fault.line) for fault in found.faults.get(check, [])}
        wanted = {(f"row-{n:04d}", n + 1) for n, fault in planted.items() if FAULTS[fault] == check}
        assert wanted <= told
        beside = {(f"row-{n:04d}", n + 1) for n in planted}
        assert told <= beside  # a fault may be seen by another check too, but only of its own row
    assert found.rows == 20


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_check_that_fails_names_the_row_in_its_sentence(
    tmp_path: Path, fault: Callable[[Row], Any]
) -> None:
    plant_pictures(tmp_path)
    check = checked(tmp_path, n7=fault(pointwise_row(7)))[FAULTS[fault]]
    assert check.status == FAILED
    assert "row-0007 (line 8)" in check.message
    assert [row["id"] for row in check.rows] == ["row-0007"]


def test_good_rows_pass(tmp_path: Path) -> None:
    for task in Task:
        found, lengths = surveyed(tmp_path, task=task)
        assert {check.status for check in row_checks(found)} == {OK}
        assert found.pictures == 5
        assert found.rows == 20
        assert not lengths.over


def test_a_row_without_id_is_named_by_its_line(tmp_path: Path) -> None:
    row = {name: value for name, value in score_of_six(pointwise_row(3)).items() if name != "id"}
    assert "row line 4 (line 4)" in checked(tmp_path, n3=row)["targets"].message


@pytest.mark.parametrize(
    ("target", "fits"),
    [("<answer>A</answer>", False), ("<answer>C</answer>", False), ("<answer>B</answer>", True)],
)
def test_the_letter_must_be_that_of_the_better_level(tmp_path: Path, target: str, fits: bool) -> None:
    row = _with_text(pairwise_row(4), 1, target)
    checks = checked(tmp_path, task=Task.PAIRWISE, n4=row)
    assert (checks["targets"].status == OK) is fits


def test_an_absolute_path_of_a_picture_will_do(tmp_path: Path) -> None:
    row = pointwise_row(0)
    absolute = row | {"images": [str(tmp_path / row["images"][0])]}
    assert checked(tmp_path, n0=absolute)["images"].status == OK


@given(st.sets(st.integers(0, 19), max_size=8), st.integers(150, 4000))
def test_rows_that_are_too_long_are_named_and_left_out_and_the_rest_is_kept(
    long: set[int], most: int
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        instead = {n: _with_text(pointwise_row(n), 0, "<image>" + "x" * 4 * most) for n in long}
        path = write_training_rows(folder, 20, instead=instead)
        lengths = measured(most)
        found = survey(path, Task.POINTWISE, lengths)
        leave_out(path, folder / "kept.jsonl", lengths.over)
        kept = [json.loads(line)["id"] for line in (folder / "kept.jsonl").read_text().splitlines()]
    assert {row for row, _ in lengths.over.values()} == {f"row-{n:04d}" for n in long}
    assert kept == [f"row-{n:04d}" for n in range(20) if n not in long]
    assert len(kept) == found.rows - len(lengths.over)
    buckets = lengths.as_data()["buckets"]
    assert sum(count for _, _, count in buckets) + len(lengths.over) == found.rows
    assert [low for low, _, _ in buckets[1:]] == [high for _, high, _ in buckets[:-1]]
    assert buckets[-1][1] == most


def test_a_row_of_just_the_most_tokens_is_not_too_long() -> None:
    class Exactly:
        def lengths(self, rows: Any) -> list[int]:
            return [400 for _ in rows]

    lengths = Lengths(Exactly(), 400, "measured", "here")
    with TemporaryDirectory() as name:
        survey(write_training_rows(Path(name), 3), Task.POINTWISE, lengths)
    assert not lengths.over
    assert lengths.as_data()["buckets"][-1] == [350, 400, 3]


def test_what_becomes_of_long_rows_is_said() -> None:
    long = measured(10)
    long.over[3] = ("row-0002", 11)
    guess = Lengths(Ruler(), 10, "estimated", "by the published rule", over={3: ("row-0002", 11)})
    assert "they are left out" in length_check(long, {}).message
    assert "they are cut" in length_check(long, {"truncation_strategy": "left"}).message
    assert "by this estimate" in length_check(guess, {}).message
    assert length_check(guess, {}).status == WARNING
    assert length_check(guess, {}).rows == ({"id": "row-0002", "line": 3, "why": "11 tokens"},)


def test_the_estimate_is_the_published_rule_and_follows_the_limits() -> None:
    row = {"messages": [{"role": "user", "content": "x" * 400}], "sizes": [(1120, 560)]}
    model = "Qwen/Qwen2.5-VL-7B-Instruct"
    assert Estimate(model, {}).lengths([row]) == [20 + 100 + 40 * 20]
    assert Estimate(model, {"MAX_PIXELS": str(28 * 28 * 50)}).lengths([row])[0] <= 20 + 100 + 50


def test_levels_classes_and_letters_that_are_scarce_are_told(tmp_path: Path) -> None:
    rows: dict[str, Any] = {f"n{n}": pointwise_row(n * 5) for n in range(12)}
    check = balance_check(surveyed(tmp_path, **rows)[0], Task.POINTWISE)
    assert check.status == WARNING
    assert "few rows of level 2" in check.message
    one_sided: dict[str, Any] = {f"n{n}": pairwise_row(1 + 2 * n) for n in range(20)}
    assert (
        "A is preferred in 100%"
        in balance_check(surveyed(tmp_path, task=Task.PAIRWISE, **one_sided)[0], Task.PAIRWISE).message
    )
    assert balance_check(surveyed(tmp_path, n=30)[0], Task.POINTWISE).status == OK


def test_rows_a_step_are_held_against_the_published_ones() -> None:
    flags = {"per_device_train_batch_size": "16", "gradient_accumulation_steps": "1"}
    assert batch_check(flags, 2, 1).status == OK
    assert batch_check(flags | {"gradient_accumulation_steps": "2"}, 1, 1).status == OK
    assert batch_check(flags, 1, 1).status == WARNING


def test_the_disk_must_hold_the_checkpoints(tmp_path: Path) -> None:
    published = {"save_total_limit": "5", "num_train_epochs": "2", "save_strategy": "epoch"}
    assert "2 checkpoints" in disk_check(tmp_path / "new" / "folder", published).message
    many = published | {"num_train_epochs": "1000000", "save_total_limit": ""}
    assert disk_check(tmp_path, many).status == FAILED


def test_rows_without_checksums_are_not_compared(tmp_path: Path) -> None:
    assert checksum_check(write_training_rows(tmp_path, 3)).status == OK
