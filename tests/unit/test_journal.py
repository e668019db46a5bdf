"""The journal: nothing recorded is lost, nothing torn is believed, nobody writes into another's epoch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.storage.journal import Journal, read_journal

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


def test_a_damaged_record_in_the_middle_is_not_believed(tmp_path: Path, opened: Open) -> None:
    journal = opened(tmp_path)
    journal.append("a", "aaaa")
    journal.append("b", "bbbb")
    file = tmp_path / "epoch-000001.jsonl"
    file.write_bytes(file.read_bytes().replace(b"bbbb", b"bbcb"))
    assert keys(tmp_path) == ["a"]


def test_a_journal_of_a_newer_version_is_refused(tmp_path: Path, opened: Open) -> None:
    journal = opened(tmp_path)
    journal._write({"epoch": 1})
    (tmp_path / "epoch-000002.jsonl").write_bytes(_line({"epoch": 2, "read": {"1": 0}, "version": 99}))
    with pytest.raises(RunFolderError, match="another version"):
        opened(tmp_path)


def test_a_full_disk_is_one_clear_error_and_loses_nothing_before_it(tmp_path: Path, opened: Open) -> None:
    journal = opened(tmp_path)
    journal.append("a", 1)
    own = journal._own
    with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123 - a device
        journal._own = full
        with pytest.raises(RunFolderError, match="No space left on device"):
            journal.append("b", 2)
    journal._own = own
    assert journal.get("b") is None
    assert keys(tmp_path) == ["a"]


def _line(record: dict[str, object]) -> bytes:
    from dfj_bootstrap.storage import journal

    return journal._encode(record)
