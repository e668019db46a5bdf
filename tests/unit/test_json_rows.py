"""JSON Lines as a job's items: any rows, planned and read back as they were, or refused by line."""

from __future__ import annotations

import json
import pickle
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfj_bootstrap.errors import RunFolderError, SeedsError
from dfj_bootstrap.intake.item_rows import ItemRow, Refusal
from dfj_bootstrap.intake.items import Items
from dfj_bootstrap.intake.json_rows import GivenRows, JsonRows
from dfj_bootstrap.intake.plan import make_plan
from dfj_bootstrap.intake.seeds import SeedItems
from dfj_bootstrap.policy.ordering import partition_of
from dfj_bootstrap.storage.planned import Slices, check_plan, partition_file, read_partition, read_summary
from tests.support.seeds import BAD


class Desk:
    """A file of rows that tests write anew, and a run folder."""

    def __init__(self, folder: Path) -> None:
        self.run = folder / "run"
        self.file = folder / "rows.jsonl"
        self.items = JsonRows([self.file])

    def write(self, *lines: object) -> None:
        """Rows as values; a text is a line as it stands."""
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        self.file.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")

    def plan(self, *lines: object, **options: Any) -> list[dict[str, Any]]:
        """Plan these lines; the items in the order of the plan's ordinals."""
        self.write(*lines)
        make_plan(self.run, self.items, **options)
        return self.planned()

    def planned(self) -> list[dict[str, Any]]:
        rows = [row for n in range(8) for row in read_partition(self.run, n, dict)]
        assert sorted(row["ordinal"] for row in rows) == list(range(len(rows)))
        return [self.items.from_row(row) for row in sorted(rows, key=lambda row: row["ordinal"])]

    def refused(self) -> list[tuple[int, str, str]]:
        lines = (self.run / "refused.jsonl").read_bytes().splitlines()
        return [(row["line"], row["field"], row["why"]) for row in map(json.loads, lines)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_fields_are_kept_as_they_are_even_those_that_the_plan_has_of_its_own(desk: Desk) -> None:
    row = {"content": "words", "ordinal": -1, "id": "a", "item": [None, {"x": 1.5}], "": "é\u202e\n"}
    (item,) = desk.plan(row)
    assert item == row
    assert list(item) == ["id", "content", "ordinal", "item", ""]


@pytest.mark.parametrize(("given", "text"), [("a b/../c", "a b/../c"), (7, "7"), (0, "0"), (1.5, "1.5")])
def test_an_id_is_a_text_or_a_number(desk: Desk, given: object, text: str) -> None:
    assert desk.plan({"id": given})[0]["id"] == text


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("true", "must be a text or a number, not true"),
        ("[1]", "must be a text or a number, not [1]"),
        ("1e999", "must be a text or a number, not Infinity"),
        ('" "', "is blank"),
        (r'"a\u001b[31m"', r'"a\u001b[31m" holds control characters or halves of characters'),
        (r'"\ud800"', r'"\ud800" holds control characters or halves of characters'),
        (f'"{"x" * 201}"', "has 201 characters; the most is 200, and nothing is cut"),
        ("1" * 201, "has 201 characters; the most is 200, and nothing is cut"),
    ],
)
def test_what_is_no_id_is_refused(desk: Desk, given: str, why: str) -> None:
    assert len(desk.plan({"id": "good"}, f'{{"id": {given}}}')) == 1
    assert desk.refused() == [(2, "id", why)]


def test_a_row_without_id_gets_one_from_its_content_whatever_the_order_of_its_fields(desk: Desk) -> None:
    first, second = desk.plan({"a": 1, "b": 2}, {"a": 1}, {"b": 2, "a": 1}, {"id": None, "a": 1})
    assert first["id"] != second["id"]
    assert first["id"].startswith("row_")
    same = "has the same content; give each row an id of its own"
    assert desk.refused() == [(3, "id", f"line 1 {same}"), (4, "id", f"line 2 {same}")]


def test_a_repeated_id_is_refused_with_the_place_of_the_first(desk: Desk, tmp_path: Path) -> None:
    desk.write({"id": 1})
    more = tmp_path / "more.jsonl"
    more.write_text('{"id": "2"}\n{"id": "1"}\n{"id": "2", "x": 0}\n')
    assert make_plan(desk.run, JsonRows([desk.file, more])).total == 2
    assert desk.refused() == [
        (2, "id", f"line 1 of {desk.file} has this id already"),
        (3, "id", "line 1 has this id already"),
    ]


@pytest.mark.parametrize(
    "value", ["18446744073709551616", "1e999", r'"\ud800"', "[" * 300 + "]" * 300, r'{"\udfff": 1}']
)
def test_what_the_plan_could_not_give_back_is_refused_by_its_field(desk: Desk, value: str) -> None:
    desk.plan({"id": "good"}, f'{{"id": "bad", "x": 1, "odd\\u001b": {value}}}')
    ((line, field, why),) = desk.refused()
    assert (line, field) == (2, "odd")
    assert "holds what cannot be kept" in why


def test_a_line_that_moves_into_another_file_is_read_anew(desk: Desk, tmp_path: Path) -> None:
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for ends in ("{}\n", "[]\n"), ("{}\n[]\n", ""):
        for file, text in zip(files, ends, strict=True):
            file.write_text(text)
        make_plan(desk.run, JsonRows(files))
    ((line, _, _),) = desk.refused()
    assert line == 2


def test_bad_lines_are_refused_and_the_others_go_on(desk: Desk) -> None:
    assert len(desk.plan({"id": "a"}, "[]", '{"id": "b"', '{"x": NaN}', '{"a": 1, "a": 2}', {"id": "c"})) == 2
    assert [(line, field) for line, field, _ in desk.refused()] == [(2, ""), (3, ""), (4, ""), (5, "")]


def hostile_files() -> Iterator[Path]:
    yield from (path for path in sorted(BAD.iterdir()) if path.suffix in (".jsonl", ".json"))


@pytest.mark.parametrize("path", hostile_files(), ids=lambda path: path.name)
def test_every_line_of_a_hostile_file_is_good_or_refused(path: Path) -> None:
    found = list(JsonRows([path]).read())
    numbers = [row.line for row in found]
    assert numbers == sorted(set(numbers))
    assert all(row.why for row in found if isinstance(row, Refusal))


def test_a_row_that_changed_is_named_with_its_place_and_fields(desk: Desk) -> None:
    desk.plan({"id": "a", "x": 1, "y": [1], "z": 0})
    with pytest.raises(RunFolderError) as error:
        desk.plan({"id": "b"}, {"id": "a", "y": [2], "z": 0, "new\x1b[0m": 1})
    assert f"{desk.file} line 2: x and y and new of item 'a' changed since this run was planned" in str(
        error.value
    )


def test_of_many_fields_that_changed_a_few_are_named(desk: Desk) -> None:
    desk.plan({"id": "a"})
    with pytest.raises(RunFolderError, match="line 1: f0 and f1 and f2 and f3 and f4 and 3 more fields of"):
        desk.plan({"id": "a"} | {f"f{n}": n for n in range(8)})


def test_fields_in_another_order_and_lines_too_are_no_change(desk: Desk) -> None:
    before = desk.plan({"id": "a", "x": 1, "y": 2}, {"id": "b"})
    assert desk.plan({"id": "b"}, {"y": 2, "x": 1, "id": "a"}, {"id": "c"}) == [*before, {"id": "c"}]


def test_a_row_that_is_gone_is_named(desk: Desk) -> None:
    desk.plan({"id": "a"}, {"id": "b"})
    with pytest.raises(RunFolderError, match="item 'b': its row is no longer in the input"):
        desk.plan({"id": "a"}, {"id": "c"})
    with pytest.raises(RunFolderError, match=r"item 'b': its row is refused now .*rows.jsonl line 2:"):
        desk.plan({"id": "a"}, '{"id": "b", "x": 1e999}')


def test_an_input_without_a_good_row_is_no_success(desk: Desk) -> None:
    with pytest.raises(SeedsError, match="cannot read the file: No such file"):
        make_plan(desk.run, desk.items)
    with pytest.raises(SeedsError, match="there are no rows; one JSON object per line is wanted"):
        desk.plan()
    with pytest.raises(SeedsError, match="no good row: all 1 refused"):
        desk.plan("7")
    assert read_summary(desk.run) is None


def test_a_limit_stops_the_reading_and_can_be_lifted(desk: Desk) -> None:
    rows = [{"id": n} for n in range(9)]
    assert [item["id"] for item in desk.plan(*rows, limit=4)] == ["0", "1", "2", "3"]
    assert len(desk.plan(*rows)) == 9


def test_values_in_memory_are_items_too(tmp_path: Path) -> None:
    items = GivenRows([{"id": "judge"}, {"id": "writer", "model": "m"}, {"id": "judge"}])
    assert make_plan(tmp_path / "run", items).total == 2
    planned = [item for n in range(8) for item in read_partition(tmp_path / "run", n, items.from_row)]
    assert sorted(planned, key=lambda item: item["id"]) == items.rows[:2]
    assert make_plan(tmp_path / "run", items).refused == 1
    with pytest.raises(SeedsError, match="given: there are no rows"):
        make_plan(tmp_path / "none", GivenRows([]))


@pytest.mark.parametrize(
    "items", [JsonRows((Path("a"),)), GivenRows(({"id": "a"},)), SeedItems((Path("a"),), Path("b"))]
)
def test_items_go_to_workers(items: Items[Any]) -> None:
    assert pickle.loads(pickle.dumps(items)) == items


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
_IDS: st.SearchStrategy[Any] = st.sampled_from(
    ["a", "b", 1, "1", 2.0, None, True, " ", "\x07", []]
) | st.text(max_size=5)
_ROWS = st.lists(
    st.dictionaries(st.sampled_from(["x", "ordinal", "content"]), _VALUES, max_size=2)
    | st.builds(
        lambda own, more: {"id": own, **more},
        _IDS,
        st.dictionaries(st.text(max_size=3), _VALUES, max_size=2).map(lambda row: row | {"x": 0}),
    ),
    max_size=8,
)


def told(rows: Sequence[dict[str, Any]]) -> list[str]:
    return [json.dumps(row).replace("Infinity", "1e999") for row in rows]


@settings(max_examples=60, deadline=None)
@given(_ROWS, _ROWS)
def test_any_row_is_planned_as_it_is_or_refused_and_added_rows_move_nobody(
    first: list[dict[str, Any]], added: list[dict[str, Any]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        before = desk.plan({"id": "always there"}, *told(first))
        assert_all_rows_have_an_outcome(desk, before, 1 + len(first))
        homes = {name: partition_file(desk.run, name).read_bytes() for name in range(8)}
        after = desk.plan({"id": "always there"}, *told(first), *told(added))
        assert after[: len(before)] == before
        assert_all_rows_have_an_outcome(desk, after, 1 + len(first) + len(added))
        gained = {partition_of(item["id"], 8) for item in after[len(before) :]}
        kept = {n for n, content in homes.items() if partition_file(desk.run, n).read_bytes() == content}
        assert kept == set(range(8)) - gained


def assert_all_rows_have_an_outcome(desk: Desk, planned: list[dict[str, Any]], lines: int) -> None:
    good = {row.line: row.item for row in desk.items.read() if isinstance(row, ItemRow)}
    refused = [line for line, _, _ in desk.refused()]
    used = sorted(set(range(1, lines + 1)) - set(refused))
    assert len(refused) == len(set(refused)) == lines - len(used)
    assert planned == [good[line] for line in used]
    assert len({item["id"] for item in planned}) == len(planned)
    read = [json.loads(line) for line in desk.file.read_text().splitlines()]
    assert [item | {"id": ...} for item in planned] == [read[line - 1] | {"id": ...} for line in used]
    summary = read_summary(desk.run)
    assert summary is not None
    check_plan(desk.run, summary)
    slices = [Slices(desk.run, n, 8) for n in range(8)]
    rows = [row for part in slices for number in range(len(part)) for row in part.read(number)]
    assert sorted(desk.items.from_row(row)["id"] for row in rows) == sorted(item["id"] for item in planned)
