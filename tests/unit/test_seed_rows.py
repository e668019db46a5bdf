"""Seeds files: every hostile case ends as a seed, a seed with a note, or one refusal."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfj_bootstrap.domain.rationale import Label
from dfj_bootstrap.domain.seed import FLAGS, Box, Seed
from dfj_bootstrap.errors import SeedsError
from dfj_bootstrap.intake import json_lines
from dfj_bootstrap.intake.item_rows import Note, Refusal, RowRefused
from dfj_bootstrap.intake.row_model import parse_row
from dfj_bootstrap.intake.safe_text import without_unseen
from dfj_bootstrap.intake.seed_rows import read_seed_rows
from tests.support.seeds import BAD, image_threads, seed_row, write_picture, write_rows, write_seed_rows


def read_seeds(files: Sequence[Path], image_root: Path | None = None) -> Iterator[Seed | Refusal | Note]:
    """Every row as a seed or a refusal, in input order; a seed's notes come before it."""
    for row in read_seed_rows(files, image_root):
        if isinstance(row, Refusal):
            yield row
        elif row.unfit:
            yield row.refuse(*row.unfit)
        else:
            yield from row.notes
            yield row.item


ITEMS = list(read_seeds([BAD / "rows.jsonl"]))
SEEDS = [item for item in ITEMS if isinstance(item, Seed)]
REFUSED = {item.line: item for item in ITEMS if isinstance(item, Refusal)}
NOTES = [item for item in ITEMS if isinstance(item, Note)]


def read(path: Path) -> tuple[list[str], list[Refusal], list[Note]]:
    items = list(read_seeds([path]))
    return (
        [item.id for item in items if isinstance(item, Seed)],
        [item for item in items if isinstance(item, Refusal)],
        [item for item in items if isinstance(item, Note)],
    )


def refused_text(tmp_path: Path, text: bytes) -> Refusal:
    path = tmp_path / "seeds.jsonl"
    path.write_bytes(text)
    ids, refusals, _ = read(path)
    assert ids == []
    assert len(refusals) == 1
    return refusals[0]


@pytest.mark.parametrize(
    ("line", "id_", "field", "why"),
    [
        (2, "r-missing-label", "label", "is missing; use real, fake or edited"),
        (3, "r-unknown-label", "label", '"deepfake?" is not a label; use real, fake or edited'),
        (5, "r-label-null", "label", "null is not a label; use real, fake or edited"),
        (6, "r-label-number", "label", "1 is not a label; use real, fake or edited"),
        (7, "r-box-out-of-range", "annotations.0.box", "-5 is outside the grid, which goes from 1 to 1000"),
        (8, "r-box-zero", "annotations.0.box", "0 is outside the grid, which goes from 1 to 1000"),
        (9, "r-box-inverted", "annotations.0.box", "x2 must be greater than x1"),
        (10, "r-box-empty", "annotations.0.box", "[300, 300, 300, 300] has no area"),
        (11, "r-box-three-numbers", "annotations.0.box", "[10, 20, 30] is not a list of four whole numbers"),
        (12, "r-box-strings", "annotations.0.box", '"10" is not a whole number'),
        (13, "r-box-floats", "annotations.0.box", "10.5 is not a whole number"),
        (
            14,
            "r-unknown-flag",
            "annotations.0.flag",
            '"Ghosts" is not one of the 15 flags; use one of: Shadows,',
        ),
        (15, "r-annotations-not-a-list", "annotations", "must be a list of objects"),
        (16, "r-missing-image", "image", "is missing"),
        (18, "r-missing-gold-and-annotations", "gold_rationale", "needs gold_rationale, or annotations"),
        (19, "r-empty-gold", "gold_rationale", "is blank"),
        (20, "r-gold-number", "gold_rationale", "must be text, not 12345"),
        (21, "r-long-gold", "gold_rationale", "has 20,016 characters; the most is 10,000"),
        (29, "r-traversal", "image", "`..`"),
        (30, "r-traversal-inside", "image", "`..`"),
        (31, "r-absolute", "image", "absolute"),
        (32, "r-url", "image", "URL"),
        (33, "r-file-url", "image", "URL"),
        (34, "r-windows-path", "image", "backslashes"),
        (35, "r-directory", "image", "folder"),
    ],
)
def test_a_bad_row_is_refused_with_file_line_id_field_and_reason(
    line: int, id_: str, field: str, why: str
) -> None:
    refusal = REFUSED[line]
    assert (refusal.file, refusal.id, refusal.field) == (str(BAD / "rows.jsonl"), id_, field)
    assert why in refusal.why
    assert f"rows.jsonl line {line} ({id_}): {field}: " in refusal.sentence()


def test_every_other_row_of_the_file_is_a_seed_in_order() -> None:
    assert [seed.id for seed in SEEDS] == [
        "ok-1",
        "r-label-case",
        "im_ec6cc890457fc6f3",  # line 17 has no id: made from the picture's digest
        "r-control-characters",
        "r-template-braces",
        "r-html",
        "r-prompt-injection",
        "r-csv-formula",
        "r-duplicate",
        "r-duplicate",  # that this one is refused is the plan's work
        "../../escape",
        "r/with/slashes and spaces",
        "r-extra-fields",
        "ok-2",
    ]
    assert len(REFUSED) == 25


def test_a_label_is_accepted_in_any_case() -> None:
    assert SEEDS[1].label is Label.FAKE


def test_control_characters_and_overrides_are_removed_with_notes() -> None:
    seed = next(seed for seed in SEEDS if seed.id == "r-control-characters")
    assert seed.gold == "The ball has no shadow on the floor."
    assert [note.what for note in NOTES if note.id == seed.id] == [
        "gold_rationale: terminal escapes removed",
        "gold_rationale: control characters removed",
        "gold_rationale: direction overrides removed",
        "gold_rationale: line separators made spaces",
    ]


@pytest.mark.parametrize("id_", ["r-template-braces", "r-html", "r-prompt-injection", "r-csv-formula"])
def test_hostile_texts_are_data_and_stay_unchanged(id_: str) -> None:
    rows = [json.loads(line) for line in (BAD / "rows.jsonl").read_bytes().splitlines()]
    given_text = next(row["gold_rationale"] for row in rows if row.get("id") == id_)
    assert next(seed.gold for seed in SEEDS if seed.id == id_) == given_text


def test_unknown_fields_are_ignored_with_a_note() -> None:
    assert [(note.line, note.what) for note in NOTES if note.id == "r-extra-fields"] == [
        (38, "unknown fields ignored: future_field, score")
    ]


def test_each_picture_of_the_picture_table_is_accepted_or_refused() -> None:
    ids, refusals, _ = read(BAD / "images.jsonl")
    assert ids == ["ok-1", *(f"img-{n:02d}" for n in (5, 6, 7, 9, 11, 12, 13)), "ok-2"]
    assert [refusal.id for refusal in refusals] == [f"img-{n:02d}" for n in (1, 2, 3, 4, 8, 10, 14, 15, 16)]
    assert {refusal.field for refusal in refusals} == {"image"}


@pytest.mark.parametrize(
    ("name", "line", "id_", "why"),
    [
        ("invalid_utf8.jsonl", 2, "u-invalid-utf8", "not valid UTF-8"),
        ("half_line.jsonl", 3, "h-half", "the file ends in the middle of this line"),
    ],
)
def test_a_broken_line_is_refused_and_its_neighbours_live(name: str, line: int, id_: str, why: str) -> None:
    ids, refusals, notes = read(BAD / name)
    assert (ids, notes) == (["ok-1", "ok-2"], [])
    assert [(refusal.line, refusal.id) for refusal in refusals] == [(line, id_)]
    assert why in refusals[0].why


@pytest.mark.parametrize("name", ["good.jsonl", "bom_crlf.jsonl"])
def test_bom_crlf_and_blank_lines_are_no_trouble(name: str) -> None:
    assert read(BAD / name) == (["ok-1", "ok-2"], [], [])


@pytest.mark.parametrize("name", ["empty.jsonl", "only_blank_lines.jsonl"])
def test_a_file_without_rows_gives_nothing(name: str) -> None:
    assert read(BAD / name) == ([], [], [])


def test_half_a_character_is_replaced_and_the_row_can_be_written() -> None:
    ids, refusals, notes = read(BAD / "lone_surrogate.jsonl")
    assert (ids, refusals) == (["ok-1", "s-lone", "ok-2"], [])
    assert [note.what for note in notes] == ["gold_rationale: halves of characters replaced"]
    seed = next(
        s for s in read_seeds([BAD / "lone_surrogate.jsonl"]) if isinstance(s, Seed) and s.id == "s-lone"
    )
    assert seed.gold == "The ball \ufffd casts no shadow."
    assert orjson.dumps(seed)


def test_each_line_that_is_no_object_is_reported_for_itself() -> None:
    ids, refusals, _ = read(BAD / "not_objects.jsonl")
    assert ids == ["ok-1", "ok-2"]
    assert [(refusal.line, refusal.why.split(";")[0]) for refusal in refusals] == [
        (2, "the line holds a list"),
        (3, "the line holds a text"),
        (4, "the line holds null"),
        (5, "the line holds a single value"),
        (6, "NaN is not valid JSON"),
        (7, "not valid JSON: Expecting property name enclosed in double quotes (column 2)"),
    ]


@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"}")])
def test_a_hundred_thousand_nested_brackets_are_one_refusal(
    tmp_path: Path, brackets: tuple[bytes, bytes]
) -> None:
    good = [line + b"\n" for line in (BAD / "good.jsonl").read_bytes().splitlines()]
    opening, closing = brackets
    deep = b'{"id": "d-deep", "annotations": ' + opening * 100_000 + b"1" + closing * 100_000 + b"}\n"
    path = tmp_path / "deep.jsonl"
    path.write_bytes(good[0] + deep + good[1])
    items = list(read_seeds([path], BAD))
    assert [item.id for item in items] == ["ok-1", "d-deep", "ok-2"]
    assert isinstance(items[1], Refusal)
    assert "nests brackets too deeply" in items[1].why


def test_a_json_array_gives_one_message_that_lines_are_wanted() -> None:
    ids, refusals, _ = read(BAD / "array_instead_of_lines.json")
    assert ids == []
    assert [refusal.why for refusal in refusals] == [
        "the file is one JSON document over many lines; one JSON object per line is wanted"
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'[{"id": 1},\n{"id": 2}]\n', "one JSON document over many lines"),
        (b'\n{\n"id": 1\n}\n', "one JSON document over many lines"),
        (b'[{"id": "a"}, {"id": "b"}]\n', "the line holds a list; one JSON object per line is wanted"),
        ('{"id": "a"}\n{"id": "b"}\n'.encode("utf-16"), "not UTF-8 text"),
        (b'{"id": "a", "label": "real", "label": "fake"}\n', 'the field "label" stands twice'),
        (b'{"id": "a", "annotations": [{"box": 1, "box": 2}]}\n', 'the field "box" stands twice'),
        (b'{"n": ' + b"9" * 5000 + b"}\n", "too many digits"),
        (b'{"id": "long", "x": "' + b"a" * json_lines.LINE_BYTES + b'"}\n', "more than 4,194,304 bytes"),
    ],
)
def test_a_file_that_is_no_json_lines_gives_one_message(tmp_path: Path, text: bytes, why: str) -> None:
    assert why in refused_text(tmp_path, text).why


def test_rows_after_an_endless_line_are_read_with_their_right_numbers(tmp_path: Path) -> None:
    good = (BAD / "good.jsonl").read_bytes()
    path = tmp_path / "seeds.jsonl"
    path.write_bytes(b"x" * (3 * json_lines.LINE_BYTES) + b"\n" + good + b"[]\n")
    items = list(read_seeds([path], BAD))
    assert [(type(item), item.line) for item in items if isinstance(item, Refusal)] == [
        (Refusal, 1),
        (Refusal, 4),
    ]
    assert [item.id for item in items if isinstance(item, Seed)] == ["ok-1", "ok-2"]


@pytest.mark.parametrize(
    ("overrides", "field", "why"),
    [
        ({"id": 7}, "id", "must be text, not 7"),
        ({"id": " "}, "id", "is blank"),
        ({"id": "a\nb"}, "id", "holds control characters"),
        ({"id": "a\ud800"}, "id", "halves of characters"),
        ({"id": "i" * 201}, "id", "has 201 characters; the most is 200"),
        ({"image": None}, "image", "must be text, not null"),
        ({"image": "a\ud800.png"}, "image", "halves of characters"),
        ({"gold_rationale": "\x00\x07"}, "gold_rationale", "is blank"),
        ({"gold_rationale": "\u200b\u2060"}, "gold_rationale", "is blank"),
        ({"annotations": [{"text": "\u2800"}]}, "annotations.0.text", "is blank"),
        (
            {"gold_rationale": None, "annotations": [{"text": "?"}, {"text": "..."}]},
            "gold_rationale",
            "needs gold_rationale, or annotations",
        ),
        (
            {"gold_rationale": None, "annotations": []},
            "gold_rationale",
            "needs gold_rationale, or annotations",
        ),
        ({"annotations": ["Shadows"]}, "annotations.0", "must be an object"),
        ({"annotations": [{"flag": "Shadows"}]}, "annotations.0.text", "is missing"),
        ({"annotations": [{"text": " "}]}, "annotations.0.text", "is blank"),
        ({"annotations": [{"text": "x", "flag": "Shadow"}]}, "annotations.0.flag", "did you mean `Shadows`?"),
        ({"annotations": [{"text": "x"}] * 201}, "annotations", "has 201 entries; the most is 200"),
        (
            {"annotations": [{"text": "x", "box": [True, 1, 2, 3]}]},
            "annotations.0.box",
            "true is not a whole number",
        ),
        ({"annotations": [{"text": "x", "box": [1e999, 1, 2, 3]}]}, "annotations.0.box", "Infinity is not"),
        ({"split": "val"}, "split", '"val" is not a split; use train or test'),
        ({"split": ["train"]}, "split", '["train"] is not a split'),
        ({"group": 3}, "group", "must be text, not 3"),
        ({"label": "x", "split": "y"}, "label", "(and 1 more)"),
    ],
)
def test_a_field_that_does_not_fit_is_named(overrides: dict[str, object], field: str, why: str) -> None:
    with pytest.raises(RowRefused) as refused:
        parse_row(seed_row(1, **overrides))
    assert refused.value.field == field
    assert why in refused.value.why


@pytest.mark.parametrize("flag", FLAGS)
def test_every_flag_is_known_in_any_case_and_with_a_plain_hyphen(flag: str) -> None:
    typed = flag.lower().replace("\u2013", "-")
    row, _ = parse_row(seed_row(1, annotations=[{"text": "x", "flag": typed, "box": None}]))
    assert (row.annotations or [])[0].flag == flag


def test_a_mark_beside_a_gold_may_be_a_mere_sign() -> None:
    row, _ = parse_row(seed_row(1, annotations=[{"text": "?", "flag": "Other", "box": [1, 2, 3, 4]}]))
    assert (row.annotations or [])[0].text == "?"


def test_whole_floats_are_taken_as_the_numbers_they_are() -> None:
    row, _ = parse_row(seed_row(1, annotations=[{"text": "x", "box": [1.0, 2, 1000.0, 999]}]))
    assert (row.annotations or [])[0].box == Box(1, 2, 1000, 999)


@pytest.mark.parametrize("size", [(1608, 8), (8, 1608)])
def test_a_picture_that_no_trainer_takes_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    rows = write_seed_rows(tmp_path, 1, size=size)
    assert [(refusal.field, refusal.why) for refusal in read(rows)[1]] == [
        ("image", f"the picture is {size[0]} × {size[1]} pixels; trainers refuse sides of more than 200 to 1")
    ]
    assert read(write_seed_rows(tmp_path, 1, size=(1600, 8)))[0] == ["seed-00000"]


@pytest.mark.parametrize("gold", ["...", "\u3164 ...", "?!", "—", "\U0001f600"])
def test_a_gold_without_a_letter_or_digit_is_no_rationale(tmp_path: Path, gold: str) -> None:
    write_seed_rows(tmp_path, 1)
    (refused,) = read_seeds([write_rows(tmp_path / "a.jsonl", [seed_row(0, gold_rationale=gold)])])
    assert isinstance(refused, Refusal)
    assert refused.field == "gold_rationale"
    assert "holds no letter or digit" in refused.why


def test_annotations_alone_are_enough(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 1)
    (seed,) = read_seeds([write_rows(tmp_path / "a.jsonl", [seed_row(0, gold_rationale=None)])])
    assert isinstance(seed, Seed)
    assert seed.gold is None
    assert len(seed.annotations) == 3
    assert seed.group == seed.image.digest


def test_a_refusal_is_safe_to_print_and_to_write(tmp_path: Path) -> None:
    row = seed_row(1, id="\x1b[31mred\u202e\ud800", label="\x1b]0;owned\x07")
    write_rows(tmp_path / "a.jsonl", [])
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    (refusal,) = read_seeds([tmp_path / "a.jsonl"])
    assert isinstance(refusal, Refusal)
    assert refusal.id == "red\ufffd"
    line = orjson.dumps(refusal.as_row()).decode()
    assert set(json.loads(line)) == {"file", "line", "field", "why", "id"}
    assert (refusal.sentence() + line).isprintable()


def test_a_file_name_of_any_bytes_can_be_reported(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/s\xff\x1b.jsonl"))
    path.write_bytes(b"[]\n")
    (refusal,) = read_seeds([path])
    assert isinstance(refusal, Refusal)
    assert orjson.dumps(refusal.as_row())
    assert refusal.sentence().isprintable()


def test_a_missing_file_folder_or_image_root_is_one_sentence(tmp_path: Path) -> None:
    seeds = write_seed_rows(tmp_path, 1)
    for files, root, why in (
        (tmp_path / "none.jsonl", None, "no such file; `seeds` must name the seeds file"),
        (tmp_path, None, "is a folder, not a JSONL file"),
        (seeds, tmp_path / "none", "no such folder; `image_root` must name"),
    ):
        with pytest.raises(SeedsError, match=why):
            list(read_seeds([files], root))


def test_rows_keep_their_order_and_the_reader_does_not_run_ahead(tmp_path: Path) -> None:
    seeds = write_seed_rows(tmp_path, 300)
    big = tmp_path / "images" / "00000.png"
    write_picture(big, 0, (1500, 1000))  # the first is the slowest
    reading = read_seeds([seeds])
    first = next(reading)
    assert isinstance(first, Seed)
    for path in (tmp_path / "images").iterdir():
        path.unlink()
    rest = list(reading)
    assert [item.line for item in rest if isinstance(item, Refusal)] == list(
        range(301 - sum(isinstance(item, Refusal) for item in rest), 301)
    )
    assert sum(isinstance(item, Refusal) for item in rest) >= 200


def test_a_reader_that_is_left_ends_its_threads(tmp_path: Path) -> None:
    before = image_threads()
    reading = read_seed_rows([write_seed_rows(tmp_path, 100)])
    next(reading)
    assert image_threads() - before
    reading.close()
    assert not image_threads() - before


def test_several_files_each_have_their_own_image_folder(tmp_path: Path) -> None:
    files = [write_seed_rows(tmp_path / name, 2, start=start) for name, start in (("a", 0), ("b", 2))]
    ids = [item.id for item in read_seeds(files) if isinstance(item, Seed)]
    assert ids == [f"seed-{n:05d}" for n in range(4)]


@given(st.text())
def test_a_clean_text_is_printable_storable_and_clean_already(text: str) -> None:
    once, _ = without_unseen(text)
    assert without_unseen(once) == (once, [])
    assert not any(ord(c) < 32 and c not in "\n\t" for c in once)
    once.encode()


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_lines_or_bad_lines(data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(data)
        found = list(json_lines.read_lines(Path(file.name)))
    numbers = [line.number for line in found]
    assert numbers == sorted(set(numbers))
    for line in found:
        if isinstance(line, json_lines.BadLine):
            assert line.why


def test_every_example_seed_is_good_and_says_where_it_comes_from() -> None:
    examples = BAD.parents[2] / "examples"
    items = list(read_seeds([examples / "seeds.jsonl"]))
    seeds = [item for item in items if isinstance(item, Seed)]
    assert len(seeds) == len(items) == 27
    told = (examples / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{seed.id}` | {seed.label} | `{seed.group}` | {seed.source} |" in told for seed in seeds)
    assert all(seed.licence and seed.image.verbatim for seed in seeds)
    assert {path.name for path in (examples / "images").iterdir()} == {
        Path(seed.image.name).name for seed in seeds
    }
