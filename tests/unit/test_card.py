from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.dataset.card import GOLD, RATING, RATIONALE, CardFacts, card
from dfj_bootstrap.domain.seed import Split
from dfj_bootstrap.policy.pairing import PairCounts

CONFIG = Config(seeds=Path("/somewhere/seeds.jsonl"), output=Path("/elsewhere/run"))
BOOKS = {Split.TRAIN: PairCounts(50, 25), Split.TEST: PairCounts(10, 10)}


def facts(source: str | None = "COCO", licence: str | None = "CC BY 4.0") -> CardFacts:
    made = CardFacts()
    made.count(Split.TRAIN, "fake", source, licence)
    made.count(Split.TEST, "real", None, None)
    return made


def make(
    dataset: str = "pointwise", rows: dict[Split, int] | None = None, of: CardFacts | None = None
) -> str:
    rows = {Split.TRAIN: 25, Split.TEST: 5} if rows is None else rows
    return card(dataset, rows, of or facts(), BOOKS, CONFIG, "Made by a model.")


def front_matter(text: str) -> Any:
    return yaml.safe_load(text.split("---\n")[1])


def test_the_front_matter_names_both_splits() -> None:
    head = front_matter(make())
    assert head["configs"] == [
        {
            "config_name": "default",
            "data_files": [
                {"split": "train", "path": "data/train-*.parquet"},
                {"split": "test", "path": "data/test-*.parquet"},
            ],
        }
    ]
    assert head["license"] == "other"
    assert "synthetic" in head["tags"]
    assert head["size_categories"] == ["n<1K"]


def test_an_empty_split_is_not_mentioned() -> None:
    text = make(rows={Split.TRAIN: 25, Split.TEST: 0})
    assert [f["split"] for f in front_matter(text)["configs"][0]["data_files"]] == ["train"]
    assert "| test |" not in text


def test_a_dataset_without_rows_says_so() -> None:
    text = make(rows={Split.TRAIN: 0, Split.TEST: 0})
    assert "configs" not in front_matter(text)
    assert "no seed gave a row" in text


def test_the_card_gives_counts_backend_and_the_sample_of_pairs() -> None:
    text = make("pairwise", {Split.TRAIN: 20_625, Split.TEST: 2_000})
    assert "| train | 1 | 20,625 |" in text
    assert "Made by a model." in text
    assert "25 of 50 pairs" in text
    assert front_matter(text)["size_categories"] == ["10K<n<100K"]


def test_the_card_tells_no_path() -> None:
    assert "/somewhere" not in make()
    assert "/elsewhere" not in make()


def test_a_corpus_without_any_licence_is_of_unknown_licence() -> None:
    assert front_matter(make(of=facts(licence=None)))["license"] == "unknown"


@given(text=st.text(min_size=1, max_size=40))
def test_a_source_cannot_break_its_table(text: str) -> None:
    table = make(of=facts(source=text, licence=text)).split("## Sources and licences")[1].split("\n\n")[1]
    lines = table.splitlines()
    assert len(lines) == 4
    assert all(line.count("|") == 4 for line in lines)


def test_who_made_what_is_told_by_class_and_no_model_can_break_the_table() -> None:
    of = facts()
    of.count_makers("fake", [(RATIONALE, "a|b"), (RATIONALE, "a|b"), (RATING, "")])
    of.count_makers("real", [(RATIONALE, "other"), (GOLD, "")])
    table = make(of=of).split("Who made it, by class of the image:")[1].split("\n\n")[1]
    assert table.splitlines() == [
        "| what | by | fake | real |",
        "|---|---|---|---|",
        "| gold rationales | people, or the embedded rules | 0 | 1 |",
        "| rationales | a&#124;b | 2 | 0 |",
        "| rationales | other | 0 | 1 |",
        "| ratings | embedded rules | 1 | 0 |",
    ]


def test_models_without_number_are_summed_up() -> None:
    of = facts()
    for i in range(1_000):
        of.count_makers("fake", [(RATIONALE, f"model {i}")])
    text = make(of=of)
    assert text.count("| rationales | model ") == 50
    assert "| rationales | other models | 950 | 0 |" in text


def test_sources_without_number_are_summed_up() -> None:
    many = CardFacts()
    for i in range(1_000):
        many.count(Split.TRAIN, "fake", f"source {i}", "CC0-1.0")
    text = make(of=many)
    assert text.count("\n| source ") == 201
    assert "| other sources | various | 800 |" in text
