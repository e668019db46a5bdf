"""Prompt files and their placeholders."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.calls.call import IMAGE
from dfj_bootstrap.domain.rationale import Label, Rationale
from dfj_bootstrap.domain.seed import Annotation, Box, ImageRef, Seed
from dfj_bootstrap.domain.trajectory import Brief, Candidate, Evaluation, Paraphrase, Round
from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.policy import fidelity
from dfj_bootstrap.prompting import messages
from dfj_bootstrap.prompting.templates import (
    Form,
    Prompt,
    check_placeholders,
    fill,
    load_prompt,
    parse_prompt,
    shipped_prompts,
)

FORM = Form(frozenset({"label", "gold"}), frozenset({"gold"}), image=True, sections={})
FORMS = {
    "generator/v1": messages.GENERATOR,
    "evaluator/v1": messages.EVALUATOR,
    "evaluator/justify-v1": messages.JUSTIFY,
    "writer/v1": messages.WRITER,
    "paraphraser/v1": messages.PARAPHRASER,
}
SEED = Seed(
    id="s1",
    image=ImageRef("/nowhere/a.png", "a.png", "0" * 32, 8, 8, ".png", True),
    label=Label.EDITED,
    gold="The coin is a copy.",
    annotations=(Annotation("copied coin", "Edges & Boundaries", Box(1, 2, 30, 40)), Annotation("odd")),
    group="g",
)
GOLD = Rationale("The coin is a copy.", Label.EDITED)


@pytest.mark.parametrize("name", FORMS)
def test_every_shipped_prompt_fits_its_role(name: str) -> None:
    check_placeholders(load_prompt(name), FORMS[name])


def test_shipped_prompts_are_listed() -> None:
    assert set(FORMS) <= set(shipped_prompts())


def test_a_users_own_file_is_found_beside_the_config(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("Say {gold}", encoding="utf-8")
    prompt = load_prompt("mine.txt", tmp_path)
    assert prompt.parts({"gold": "this"}) == ("Say this",)


def test_line_ends_and_a_byte_order_mark_do_not_change_the_digest(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one {gold}\ntwo\n")
    (tmp_path / "b.txt").write_bytes(b"\xef\xbb\xbfone {gold}\r\ntwo")
    assert load_prompt("a.txt", tmp_path).digest == load_prompt("b.txt", tmp_path).digest


def test_another_text_in_a_section_is_another_digest() -> None:
    assert parse_prompt("p", "a\n=== s ===\nb").digest != parse_prompt("p", "a\n=== s ===\nc").digest


def test_a_misspelt_shipped_prompt_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean `generator/v1`"):
        load_prompt("generater/v1", tmp_path)


@pytest.mark.parametrize("content", [b"", b"   \n", b"a\0b", b"\xff\xfe\x00"])
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.txt").write_bytes(content)
    with pytest.raises(ConfigError, match=r"bad\.txt"):
        load_prompt("bad.txt", tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{gold} {labell}", "unknown placeholder {labell}; did you mean `label`"),
        ("{label}", "the placeholder {gold} is missing"),
        ("{gold} {image} {image}", "{image} stands more than once"),
        ("{gold}\n=== extra ===\nx", "unknown section `=== extra ===`"),
    ],
)
def test_a_wrong_placeholder_is_named_with_the_prompt(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check_placeholders(parse_prompt("my/prompt", text), FORM)
    assert message in str(raised.value)
    assert "'my/prompt'" in str(raised.value)


def test_a_missing_section_is_named() -> None:
    form = Form(frozenset({"gold"}), frozenset(), image=False, sections={"more": frozenset({"why"})})
    with pytest.raises(ConfigError, match="=== more ==="):
        check_placeholders(parse_prompt("p", "{gold}"), form)
    with pytest.raises(
        ConfigError, match=r"in section more: unknown placeholder \{whi\}; did you mean `why`"
    ):
        check_placeholders(parse_prompt("p", "{gold}\n=== more ===\n{whi}"), form)


def test_the_evaluators_prompt_may_not_ask_for_the_level() -> None:
    with pytest.raises(ConfigError, match=r"unknown placeholder \{level\}"):
        check_placeholders(parse_prompt("p", "{candidate} {level}"), messages.EVALUATOR)


def test_braces_that_are_no_placeholders_stay() -> None:
    text = 'Reply as {"reasoning": "...", "score": 1} or {{gold}} or {} or {a b} with {gold}'
    prompt = parse_prompt("p", text)
    check_placeholders(prompt, FORM)
    assert prompt.parts({"gold": "G"}) == (text.replace("with {gold}", "with G"),)


@given(st.text(), st.text())
def test_values_are_put_in_once_and_never_read_again(gold: str, label: str) -> None:
    filled = fill("<{gold}|{label}>", {"gold": gold, "label": label})
    assert filled == f"<{gold}|{label}>".replace("\0", "")


@given(st.text())
def test_text_without_placeholders_of_ours_is_left_alone(text: str) -> None:
    assert fill(text, {}) == text.replace("\0", "") or "{" in text or "\0" in text


def test_the_picture_stands_where_the_prompt_puts_it() -> None:
    prompt = parse_prompt("p", "before {gold}\n{image}\nafter")
    assert prompt.parts({"gold": "{image}"}) == ("before {image}\n", IMAGE, "\nafter")


def test_a_value_can_not_pose_as_the_picture() -> None:
    assert IMAGE not in parse_prompt("p", "{gold}").parts({"gold": IMAGE})


def _filled(name: str, values: dict[str, str]) -> str:
    return "\n".join(load_prompt(name).parts(values))


def _generator(level: int, *rounds: Round) -> str:
    prompt = load_prompt("generator/v1")
    brief = Brief("s1", level)
    return "\n".join(prompt.parts(messages.generator_values(prompt, SEED, GOLD, brief, rounds)))


def _round(rating: int, answer: Label) -> Round:
    candidate = Candidate(Rationale("The coin looks fine.", answer))
    return Round(0, candidate, Evaluation(rating, "Say where the coin lies."))


def test_no_shipped_prompt_leaves_a_placeholder_unfilled() -> None:
    paraphraser = load_prompt("paraphraser/v1")
    filled = [
        _generator(2),
        _generator(2, _round(4, Label.REAL)),
        _filled("evaluator/v1", messages.evaluator_values(SEED, GOLD, GOLD)),
        _filled("evaluator/justify-v1", messages.justify_values(SEED, GOLD, GOLD, 4)),
        _filled("writer/v1", messages.writer_values(SEED)),
        "\n".join(paraphraser.parts(messages.paraphraser_values(paraphraser, GOLD, 0, ()))),
    ]
    for text in filled:
        assert "{" not in text.replace("{image}", "")


def test_all_levels_of_one_seed_share_everything_before_their_own_line() -> None:
    one, four = (
        load_prompt("generator/v1").parts(
            messages.generator_values(load_prompt("generator/v1"), SEED, GOLD, Brief("s1", level), ())
        )
        for level in (1, 4)
    )
    assert one[:2] == four[:2]
    shared = one[2].split("Write the rationale of level")[0]
    assert four[2].startswith(shared)
    assert "Edges & Boundaries [1, 2, 30, 40]: copied coin\n- odd" in shared


@pytest.mark.parametrize(
    ("level", "rating", "answer", "words"),
    [
        (2, 4, Label.EDITED, "That is too good"),
        (4, 3, Label.EDITED, "That is too poor"),
        (4, 4, Label.REAL, "it named the wrong class"),
    ],
)
def test_a_revision_says_which_way_to_move(level: int, rating: int, answer: Label, words: str) -> None:
    text = _generator(level, _round(rating, answer))
    assert words in text
    assert "Say where the coin lies." in text
    assert f"<reasoning>The coin looks fine.</reasoning> <answer>{answer}</answer>" in text


def test_a_first_round_has_no_revision() -> None:
    assert "You wrote this rationale before" not in _generator(3)


def test_each_paraphrase_is_asked_for_in_another_way() -> None:
    prompt: Prompt = load_prompt("paraphraser/v1")
    asked = {prompt.parts(messages.paraphraser_values(prompt, GOLD, index, ())) for index in range(5)}
    assert len(asked) == 5


def test_a_refused_paraphrase_is_told_why() -> None:
    prompt = load_prompt("paraphraser/v1")
    refused = Paraphrase(5, 0, 0, GOLD, 1.0, fidelity.SIDE_CHANGED)
    text = prompt.parts(messages.paraphraser_values(prompt, GOLD, 0, [refused]))[0]
    assert "refused for this reason: left and right" in text


@given(st.text(min_size=1), st.integers(1, 4), st.integers(0, 3))
def test_wanted_lengths_stay_near_the_golds(seed_id: str, level: int, sample: int) -> None:
    words = messages.words_wanted("word " * 100, Brief(seed_id, level, sample))
    assert 70 <= words <= 130


def test_wanted_lengths_are_the_same_on_average_at_every_level() -> None:
    means = [
        sum(messages.words_wanted("word " * 100, Brief(f"s{n}", level)) for n in range(500)) / 500
        for level in (1, 2, 3, 4)
    ]
    assert max(means) - min(means) < 5
