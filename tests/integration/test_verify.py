"""``dfj verify`` names every file of a dataset that is not as it was written, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from tests.support.commands import refusal
from tests.support.runs import dfj, write_config
from tests.support.seeds import write_seed_rows

SHARD = "dfj-meta-pointwise/data/train-00000-of-00001.parquet"
PICTURE = "dfj-meta-pairwise/train/images/PICTURE"
ROWS = "dfj-meta-pairwise/train/data.jsonl"
CARD = "dfj-meta-pointwise/README.md"
FILES = pytest.mark.parametrize(
    "name", [SHARD, PICTURE, ROWS, CARD], ids=["shard", "picture", "jsonl", "card"]
)

Found = dict[str, list[str]]
Act = Callable[[Path], object]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, shared."""
    folder = tmp_path_factory.mktemp("made")
    write_seed_rows(folder, 6)
    done = dfj("generate", write_config(folder, dataset={"test_fraction": 0.5}))
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(made, tmp_path / "run"))


def named(run: Path, name: str) -> str:
    """The path of a file, with the first picture's own name."""
    first = min(path.name for path in (run / "dfj-meta" / PICTURE).parent.iterdir())
    return name.replace("PICTURE", first)


def assert_found(run: Path, **expected: list[str]) -> None:
    """Both forms of the report name just these files, and the exit code is 1."""
    want: Found = {what: sorted(expected.get(what, [])) for what in ("changed", "missing", "extra")}
    told = dfj("verify", run, "--json")
    assert (told.returncode, told.stderr) == (1, "")
    found = json.loads(told.stdout)
    assert {what: sorted(found[what]) for what in want} == want
    text = dfj("verify", run)
    assert (text.returncode, text.stderr) == (1, "")
    *lines, count, _ = text.stdout.splitlines()
    assert sorted(lines) == sorted(
        f"{what:<8} {run}/dfj-meta/{path}".replace("\n", "\\n")
        for what, paths in want.items()
        for path in paths
    )
    counts = ", ".join(f"{len(paths)} {what}" for what, paths in want.items() if paths)
    assert count == f"{run}/dfj-meta: {counts}, of {found['files']} files"


def flip(path: Path) -> None:
    """Change one bit in the middle; size and times stay."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def link_to_the_same(path: Path) -> None:
    kept = path.parents[4] / "elsewhere"
    path.rename(kept)
    path.symlink_to(kept)


def link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nothing")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@FILES
@pytest.mark.parametrize("act", [flip, truncate, lengthen, empty, link_to_the_same])
def test_a_changed_file_is_named(run: Path, name: str, act: Act) -> None:
    path = named(run, name)
    act(run / "dfj-meta" / path)
    assert_found(run, changed=[path])


@FILES
@pytest.mark.parametrize("act", [Path.unlink, link_to_nothing, pipe])
def test_a_missing_file_is_named(run: Path, name: str, act: Act) -> None:
    path = named(run, name)
    act(run / "dfj-meta" / path)
    assert_found(run, missing=[path])


@pytest.mark.parametrize(("inside", "extra"), [("", "/"), ("x.txt", "/x.txt")])
@FILES
def test_a_file_whose_place_a_folder_took_is_missing_and_the_folder_extra(
    run: Path, name: str, inside: str, extra: str
) -> None:
    path = named(run, name)
    (run / "dfj-meta" / path).unlink()
    (run / "dfj-meta" / path).mkdir()
    if inside:
        (run / "dfj-meta" / path / inside).write_text("mine")
    assert_found(run, missing=[path], extra=[path + extra])


@pytest.mark.parametrize(
    "stray",
    [
        "notes.txt",
        ".hidden",
        "dfj-meta-pointwise/train/images/cat.png",
        "dfj-meta-pointwise/train/images/.DS_Store",
        "dfj-meta-pairwise/data/train-00001-of-00002.parquet",
        "of/mine/and deep/x y.txt",
        "ümläut.txt",
        "a\nb.txt",
    ],
)
def test_a_stray_file_is_named_wherever_it_lies(run: Path, stray: str) -> None:
    path = run / "dfj-meta" / stray
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    assert_found(run, extra=[stray])


def test_a_stray_file_whose_name_is_no_text_is_told(run: Path) -> None:
    (run / "dfj-meta" / os.fsdecode(b"not-utf8-\xff.txt")).write_text("mine")
    for form in ((), ("--json",)):
        done = dfj("verify", run, *form)
        assert (done.returncode, done.stderr) == (1, "")
        assert "not-utf8-" in done.stdout
    assert json.loads(done.stdout)["extra"] == ["not-utf8-\\xff.txt"]


@pytest.mark.parametrize("stray", ["mine", ".mine", "dfj-meta-pointwise/validation", "mine/of/three"])
def test_an_empty_stray_folder_is_named_once(run: Path, stray: str) -> None:
    (run / "dfj-meta" / stray).mkdir(parents=True)
    assert_found(run, extra=[f"{stray}/"])


@pytest.mark.parametrize("target", ["/", "nothing", "dfj-meta-pointwise"])
def test_a_stray_link_is_named_and_not_followed(run: Path, target: str) -> None:
    (run / "dfj-meta" / "link").symlink_to(target)
    assert_found(run, extra=["link"])


def test_a_renamed_picture_is_missing_and_extra(run: Path) -> None:
    path = named(run, PICTURE)
    new = str(Path(path).with_name("0123456789abcdef.png"))
    (run / "dfj-meta" / path).rename(run / "dfj-meta" / new)
    assert_found(run, missing=[path], extra=[new])


def test_two_files_that_changed_places_are_both_changed(run: Path) -> None:
    other = CARD.replace("pointwise", "pairwise")
    (run / "dfj-meta" / CARD).rename(run / "aside")
    (run / "dfj-meta" / other).rename(run / "dfj-meta" / CARD)
    (run / "aside").rename(run / "dfj-meta" / other)
    assert_found(run, changed=[CARD, other])


def test_all_of_it_at_once(run: Path) -> None:
    root, picture = run / "dfj-meta", named(run, PICTURE)
    flip(root / SHARD)
    truncate(root / CARD)
    (root / picture).unlink()
    (root / ROWS).unlink()
    (root / "notes.txt").write_text("mine")
    (root / "empty").mkdir()
    assert_found(run, changed=[SHARD, CARD], missing=[picture, ROWS], extra=["notes.txt", "empty/"])


def test_half_of_the_dataset_behind_a_link_is_extra(run: Path) -> None:
    half = run / "dfj-meta" / "dfj-meta-pointwise"
    half.rename(run / "elsewhere")
    half.symlink_to("../elsewhere")
    told = dfj("verify", run, "--json")
    assert told.returncode == 1
    assert "dfj-meta-pointwise" in json.loads(told.stdout)["extra"]


def test_without_the_dataset_all_of_it_is_missing(run: Path) -> None:
    files = [str(p.relative_to(run / "dfj-meta")) for p in (run / "dfj-meta").rglob("*") if p.is_file()]
    shutil.rmtree(run / "dfj-meta")
    assert_found(run, missing=files)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_may_not_be_read_is_changed(run: Path) -> None:
    (run / "dfj-meta" / CARD).chmod(0)
    assert_found(run, changed=[CARD])


def test_a_run_in_order_is_so_wherever_it_was_copied(run: Path) -> None:
    for form in ((), ("--json",)):
        done = dfj("verify", run, *form)
        assert (done.returncode, done.stderr) == (0, "")


# The list itself


def rows_of(path: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def edited(edit: Callable[[list[dict[str, object]]], object]) -> Act:
    """What rewrites a list after an edit of its rows."""

    def act(path: Path) -> None:
        rows = rows_of(path)
        edit(rows)
        path.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))

    return act


def half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def without_its_end(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def garbage(path: Path) -> None:
    path.write_bytes(b"\xff\x00 no list")


@pytest.mark.parametrize(
    "act",
    [
        Path.unlink,
        empty,
        half,
        without_its_end,
        garbage,
        link_to_nothing,
        edited(lambda rows: rows.pop(0)),
        edited(lambda rows: rows.append(rows[0])),
        edited(lambda rows: rows.insert(0, rows[0])),
        edited(lambda rows: rows[0].pop("sha256")),
        edited(lambda rows: rows[0].update(path=5)),
        edited(lambda rows: rows[0].update(size="large")),
        edited(lambda rows: rows[-1].update(files=0)),
    ],
)
def test_a_list_that_is_not_whole_is_no_list(run: Path, act: Act) -> None:
    act(run / "checksums.jsonl")
    for form in ((), ("--json",)):
        said = refusal(dfj("verify", run, *form))
        assert f"{run}/checksums.jsonl: " in said
        assert "`dfj generate` writes the dataset again" in said


def test_a_list_whose_place_a_folder_took_is_told_in_one_line(run: Path) -> None:
    (run / "checksums.jsonl").unlink()
    (run / "checksums.jsonl").mkdir()
    assert f"{run}/checksums.jsonl" in refusal(dfj("verify", run))


def test_a_checksum_that_was_changed_in_the_list_makes_its_file_a_changed_one(run: Path) -> None:
    edited(lambda rows: rows[0].update(sha256="0" * 64))(run / "checksums.jsonl")
    assert_found(run, changed=[str(rows_of(run / "checksums.jsonl")[0]["path"])])


def test_a_path_that_was_changed_in_the_list_is_missing_and_its_file_extra(run: Path) -> None:
    path = str(rows_of(run / "checksums.jsonl")[0]["path"])
    edited(lambda rows: rows[0].update(path="other.txt"))(run / "checksums.jsonl")
    assert_found(run, missing=["other.txt"], extra=[path])
