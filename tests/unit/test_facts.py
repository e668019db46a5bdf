"""Facts in a journal: numbered, found again by anyone, told apart from all other records, old ones too."""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.domain.trajectory import Ladder, Rejected
from dfj_bootstrap.storage.facts import START_OVER, Fact, add_fact, fact_of, facts_about
from dfj_bootstrap.storage.journal import Journal, read_journal
from dfj_bootstrap.storage.spent import LOST, SCALE
from dfj_bootstrap.tasks.samples import samples_of, start_over
from tests.support.ladders import make_ladder, make_picture, make_seed

KINDS = st.from_regex(r"[a-z]{1,8}(-[a-z]{1,8}){0,2}", fullmatch=True)
VALUES = st.one_of(
    st.booleans(), st.integers(-5, 5), st.text(max_size=9), st.dictionaries(st.text(), st.text())
)
LEVELS = st.none() | st.integers(0, 5)


class Kept:
    """Records as a journal holds them, in memory."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def get(self, key: str) -> Any | None:
        return next((record["value"] for record in self.records if record["key"] == key), None)

    def append(self, key: str, value: Any, **about: Any) -> None:
        self.records.append({"key": key, **about, "value": value})


@given(st.lists(st.tuples(KINDS, st.text(max_size=6), LEVELS, VALUES), max_size=20))
def test_what_was_added_is_read_in_its_order_and_recognised(
    added: list[tuple[str, str, int | None, Any]],
) -> None:
    records, told = Kept(), defaultdict(list)
    facts = []
    for kind, item_id, level, value in added:
        told[kind, item_id, level].append(value)
        facts.append(add_fact(records, kind, item_id, level, value))
    for about, values in told.items():
        assert facts_about(records, *about) == values
    assert [fact_of(record) for record in records.records] == facts
    assert len({fact.key for fact in facts}) == len(facts)


@given(KINDS, st.text(max_size=9), LEVELS)
def test_facts_about_something_else_are_not_read(kind: str, item_id: str, level: int | None) -> None:
    records = Kept()
    add_fact(records, kind, item_id, level, value=True)
    assert not facts_about(records, f"{kind}-x", item_id, level)
    assert not facts_about(records, kind, f":{item_id}", level)
    assert not facts_about(records, kind, item_id, 6)


@pytest.mark.parametrize("kind", ["", "a:b", "Accept", "-a", "a--b"])
def test_a_kind_that_would_not_be_recognised_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="no kind"):
        add_fact(Kept(), kind, "seed", None, value=True)


def test_a_fact_without_a_value_is_refused() -> None:
    records = Kept()
    with pytest.raises(ValueError, match="no value"):
        add_fact(records, "accept", "seed", None, None)
    assert not records.records


@pytest.mark.parametrize(
    "record",
    [
        {"key": "8330c89b4e7a5a0df715a288ecfb473d", "value": 0.5},
        {"key": "8330c89b4e7a5a0df715a288ecfb473d", "role": "writer", "seed": "s", "level": 5, "value": {}},
        {"key": f"{LOST}0:8330c89b4e7a5a0df715a288ecfb473d", "endpoint": "m", "value": 0.1},
        {"key": "accept:3:1:seed", "value": True},  # not marked, and of no kind that ever wasn't
        {"key": "accept:3:1:seed", "fact": "exclude", "value": True},
        {"key": "start-over:3:0:seed", "value": True},
        {"key": "start-over:03:1:seed", "value": True},
        {"key": "start-over:3:1:seed", "value": None},
    ],
)
def test_other_records_are_no_facts(record: dict[str, Any]) -> None:
    assert fact_of(record) is None


OLD = Path(__file__).parents[1] / "data" / "start-over-of-old.jsonl"
"""What the version before facts wrote of a:b (levels 3, 3 and 1) and of c (level 4)."""


def test_a_journal_of_old_reads_the_same_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "epoch-000001.jsonl").write_bytes(OLD.read_bytes())
    assert [fact_of(record) for record in read_journal(tmp_path)] == [
        Fact(START_OVER, "a:b", 3, 1, True),
        Fact(START_OVER, "a:b", 3, 2, True),
        Fact(START_OVER, "a:b", 1, 1, True),
        Fact(START_OVER, "c", 4, 1, True),
    ]
    with closing(Journal.open(tmp_path, SCALE)) as journal:
        assert samples_of(journal, "a:b") == {1: 1, 2: 0, 3: 2, 4: 0, 5: 0}
        assert samples_of(journal, "c") == {1: 0, 2: 0, 3: 0, 4: 1, 5: 0}
        assert add_fact(journal, START_OVER, "a:b", 3, value=True).key == "start-over:3:3:a:b"
        assert not journal.contents.sums


def test_only_rejected_levels_are_started_over(tmp_path: Path) -> None:
    ladder: Ladder = make_ladder(make_seed("s", make_picture(tmp_path)), {5: 0, 2: 0})
    rejected = {t.brief.level for t in ladder.trajectories if isinstance(t.outcome, Rejected)}
    records = Kept()
    for again in (1, 2):
        start_over(records, ladder)
        assert samples_of(records, "s") == {level: again * (level in rejected) for level in (1, 2, 3, 4, 5)}
    assert {record["fact"] for record in records.records} == {START_OVER}
