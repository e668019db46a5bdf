"""The journal: nothing recorded is lost, nothing torn is believed, nobody writes into another's epoch."""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.storage.journal import Journal, Scale, read_journal, read_sums
from dfj_bootstrap.storage.journal_files import MOST_FILES, WITH_MERGED, merge_if_many
from dfj_bootstrap.storage.journal_lines import decoded, encoded

Open = Callable[[Path], Journal]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens journals, and closes them when the test is over."""
    with ExitStack() as stack:

        def open_journal(folder: Path) -> Journal:
            journal = Journal.open(folder)
            stack.callback(journal.close)
            return journal

        yield open_journal


def keys(folder: Path) -> list[str]:
    return [record["key"] for record in read_journal(folder)]


def test_what_was_appended_is_found_again_after_reopening(tmp_path: Path, opened: Open) -> None:
    journal = opened(tmp_path)
    journal.append("a", {"text": "ä \u2028 \n"}, role="generator")
    assert journal.get("a") == {"text": "ä \u2028 \n"}
    again = opened(tmp_path)
    assert again.get("a") == {"text": "ä \u2028 \n"}
    assert again.get("b") is None
    assert again.epoch == journal.epoch + 1


def test_an_append_survives_without_close_or_sync(tmp_path: Path, opened: Open) -> None:
    journal = opened(tmp_path)
    journal.append("a", 1)
    assert keys(tmp_path) == ["a"]  # another reader sees it at once, as after a kill


def test_the_first_answer_under_a_key_stands(tmp_path: Path, opened: Open) -> None:
    journal = opened(tmp_path)
    journal.append("a", "first")
    journal.append("a", "second")
    assert journal.get("a") == "first"
    assert opened(tmp_path).get("a") == "first"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(records=st.integers(1, 6), cut=st.integers(1, 400), junk=st.binary(max_size=30))
def test_a_torn_tail_costs_only_what_it_tore(
    tmp_path_factory: pytest.TempPathFactory, records: int, cut: int, junk: bytes
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    ends = []
    file = folder / "epoch-000001.jsonl"
    with closing(Journal.open(folder)) as journal:
        for n in range(records):
            journal.append(f"k{n}", "x" * n)
            ends.append(file.stat().st_size)
    size = max(0, ends[-1] - cut)
    os.truncate(file, size)
    with file.open("ab") as stream:
        stream.write(junk.replace(b"\n", b""))
    whole = [f"k{n}" for n, end in enumerate(ends) if end <= size]
    assert keys(folder) == whole
    with closing(Journal.open(folder)) as again:
        again.append("later", 1)
    assert keys(folder) == [*whole, "later"]


def test_what_an_older_epoch_writes_after_it_was_given_up_never_counts(tmp_path: Path, opened: Open) -> None:
    sleeper = opened(tmp_path)
    sleeper.append("before", 1)
    heir = opened(tmp_path)
    sleeper.append("after", "from the dead")
    assert heir.get("before") == 1
    assert heir.get("after") is None
    heir.append("after", "alive")
    third = opened(tmp_path)
    assert third.get("after") == "alive"
    fourth = opened(tmp_path)
    assert fourth.get("after") == "alive"
    assert keys(tmp_path) == ["before", "after"]


def test_an_epoch_killed_while_it_was_being_started_is_harmless(tmp_path: Path, opened: Open) -> None:
    journal = opened(tmp_path)
    journal.append("a", 1)
    (tmp_path / "epoch-000002.jsonl").write_bytes(b"1234")
    again = opened(tmp_path)
    assert again.epoch == 3
    assert again.get("a") == 1


def test_a_damaged_line_costs_itself_alone_and_is_told(tmp_path: Path, opened: Open) -> None:
    journal = opened(tmp_path)
    for key in "abc":
        journal.append(key, key * 4)
    file = tmp_path / "epoch-000001.jsonl"
    file.write_bytes(file.read_bytes().replace(b"bbbb", b"bbcb"))
    assert keys(tmp_path) == ["a", "c"]
    again = opened(tmp_path)
    assert (again.get("a"), again.get("b"), again.get("c")) == ("aaaa", None, "cccc")
    assert again.contents.damaged == [f"{tmp_path.name}/epoch-000001.jsonl line 3"]
    again.append("b", "anew")
    assert opened(tmp_path).get("b") == "anew"


@pytest.mark.parametrize("line", [1, 2, 3])
def test_a_newline_that_changed_costs_the_line_before_it_and_not_the_one_behind(
    tmp_path: Path, opened: Open, line: int
) -> None:
    journal = opened(tmp_path)
    for key in "abc":
        journal.append(key, key)
    journal.close()
    file = tmp_path / "epoch-000001.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line].replace(b"\n", b"\x0b")
    file.write_bytes(b"".join(lines))
    assert keys(tmp_path) == [key for number, key in enumerate("abc", start=1) if number != line]
    assert len(opened(tmp_path).contents.damaged) == 1


def test_a_header_that_changed_costs_no_answer(tmp_path: Path, opened: Open) -> None:
    for key in "ab":
        opened(tmp_path).append(key, 1)
    file = tmp_path / "epoch-000002.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"epoch":2', b'"epoch":3'))
    assert keys(tmp_path) == ["a", "b"]
    again = opened(tmp_path)
    assert (again.get("a"), again.get("b")) == (1, 1)
    assert again.contents.damaged == [f"{tmp_path.name}/epoch-000002.jsonl line 1"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_costs_two_answers_at_the_most(
    tmp_path_factory: pytest.TempPathFactory, place: float, bit: int
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    for start in range(3):
        with closing(Journal.open(folder)) as journal:
            for n in range(4):
                journal.append(f"{start}.{n}", {"text": "some words\n" * n})
    file = folder / "epoch-000002.jsonl"
    data = bytearray(file.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    file.write_bytes(data)
    with closing(Journal.open(folder)) as journal:
        found = [f"{s}.{n}" for s in range(3) for n in range(4) if journal.get(f"{s}.{n}") is not None]
        assert len(found) >= 10
        assert all(journal.get(f"{s}.{n}") is not None for s in (0, 2) for n in range(4))
        assert 1 <= len(journal.contents.damaged) <= 2


def test_a_journal_of_a_newer_version_is_refused(tmp_path: Path, opened: Open) -> None:
    opened(tmp_path)
    (tmp_path / "epoch-000002.jsonl").write_bytes(encoded({"epoch": 2, "read": {"1": 0}, "version": 99}))
    with pytest.raises(RunFolderError, match="another version"):
        opened(tmp_path)


@contextmanager
def room_for(bytes_more: int, file: Path) -> Iterator[None]:
    """No file may get longer than this one with so many bytes more: writes are short, then refused."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + bytes_more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("bytes_more", [0, 1, 200])
def test_a_full_disk_is_one_clear_error_and_what_comes_later_is_not_lost(
    tmp_path: Path, opened: Open, bytes_more: int
) -> None:
    journal = opened(tmp_path)
    journal.append("a", "a" * 500)
    with room_for(bytes_more, tmp_path / "epoch-000001.jsonl"), pytest.raises(RunFolderError, match="large"):
        journal.append("b", "b" * 500)
    assert journal.get("b") is None
    journal.append("c", "c" * 500)  # there is room again, and a call that was in flight is answered
    assert journal.get("c") == "c" * 500
    assert keys(tmp_path) == ["a", "c"]
    assert opened(tmp_path).contents.damaged == []


def test_a_hole_that_an_older_program_left_costs_what_was_torn_and_not_what_stands_behind(
    tmp_path: Path, opened: Open
) -> None:
    opened(tmp_path).append("a", 1)
    whole = encoded({"key": "torn", "value": "x" * 50})
    with (tmp_path / "epoch-000001.jsonl").open("ab") as file:
        file.write(whole[:30] + encoded({"key": "behind", "value": 2}))
    assert keys(tmp_path) == ["a", "behind"]
    assert opened(tmp_path).get("behind") == 2


def test_after_a_failed_fsync_the_journal_takes_nothing_more_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.open(tmp_path)
    journal.append("a", 1)
    real = os.fsync

    def failing_once(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", real)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing_once)
    for attempt in (journal.sync, journal.sync, partial(journal.append, "b", 2), journal.close):
        with pytest.raises(RunFolderError, match="Input/output error"):
            attempt()
    assert keys(tmp_path) == ["a"]


def test_starts_without_end_pile_up_no_files_and_lose_nothing(tmp_path: Path) -> None:
    for start in range(60):
        with closing(Journal.open(tmp_path, SCALE)) as journal:
            assert journal.contents.sums["n"] == start
            assert [journal.get(str(n)) for n in range(start)] == list(range(start))
            journal.append(str(start), start)
        assert len(list(tmp_path.iterdir())) <= MOST_FILES + 2
        assert read_sums(tmp_path, SCALE)["n"] == start + 1
    assert keys(tmp_path) == [str(n) for n in range(60)]


def test_merging_keeps_what_is_damaged_aside_and_what_a_sleeper_adds_out(tmp_path: Path) -> None:
    with ExitStack() as stack:
        sleeper = stack.enter_context(closing(Journal.open(tmp_path)))
        sleeper.append("a", 1)
        sleeper.append("b", 2)
        file = tmp_path / "epoch-000001.jsonl"
        file.write_bytes(file.read_bytes().replace(b'"b"', b'"x"'))
        for _ in range(MOST_FILES):
            Journal.open(tmp_path).close()
        sleeper.append("after", "from the dead")
        merging = stack.enter_context(closing(Journal.open(tmp_path)))
        assert merging.contents.damaged == [f"{tmp_path.name}/epoch-000001.jsonl line 3"]
        assert (merging.get("a"), merging.get("b"), merging.get("after")) == (1, None, None)
    assert (tmp_path / "epoch-000001.jsonl.damaged").exists()
    assert keys(tmp_path) == ["a"]


def test_a_merge_that_was_killed_half_way_counts_nothing_twice(tmp_path: Path) -> None:
    for n in range(MOST_FILES + 1):
        with closing(Journal.open(tmp_path, SCALE)) as journal:
            journal.append(str(n), n)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    merge_if_many(tmp_path)
    for name, data in before.items():
        (tmp_path / name).write_bytes(data)  # killed before the merged files were removed
    (tmp_path / ".merged-000009.jsonl.0a1b.tmp").write_bytes(b"half")
    expected = [str(n) for n in range(MOST_FILES + 1)]
    assert keys(tmp_path) == expected
    with closing(Journal.open(tmp_path, SCALE)) as journal:
        assert journal.contents.sums["n"] == len(expected)
    assert read_sums(tmp_path, SCALE)["n"] == len(expected)


def test_a_program_that_knows_nothing_of_merged_files_is_told_to_keep_away(tmp_path: Path) -> None:
    for _ in range(MOST_FILES + 2):
        Journal.open(tmp_path).close()
    newest = max(tmp_path.glob("epoch-*.jsonl"))
    header = decoded(newest.read_bytes().splitlines(keepends=True)[0])
    assert header
    assert header["version"] == WITH_MERGED


@pytest.mark.parametrize("closed", [True, False])
def test_sums_are_the_same_whether_a_writer_left_them_or_not(tmp_path: Path, closed: bool) -> None:
    with closing(Journal.open(tmp_path, SCALE)) as first:
        first.append("a", 1)
    second = Journal.open(tmp_path, SCALE)
    second.append("b", 1)
    if closed:
        second.close()
    assert read_sums(tmp_path, SCALE) == {"n": 2}
    assert read_sums(tmp_path, Scale(SCALE.weigh, version=8)) == {"n": 2}
    second.close()


def test_sums_that_were_left_are_read_without_the_records(tmp_path: Path) -> None:
    with closing(Journal.open(tmp_path, SCALE)) as journal:
        for n in range(5):
            journal.append(str(n), n)

    def refuse(record: Mapping[str, object], add: Callable[[str, float], None]) -> None:
        raise AssertionError("a record was weighed")

    assert read_sums(tmp_path, Scale(refuse, SCALE.version)) == {"n": 5}


def _weigh(record: Mapping[str, object], add: Callable[[str, float], None]) -> None:
    add("n", 1)


SCALE = Scale(_weigh, version=7)
