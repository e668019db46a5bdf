"""The paraphraser of the embedded rules: other words, the same claims."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.domain.rationale import WRITTEN_LEVELS, Rationale
from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.domain.trajectory import Brief, Paraphrase
from dfj_bootstrap.language.rough_vocabulary import HEDGED, NEGATIONS, SIDE_WORDS
from dfj_bootstrap.language.sentences import sentences
from dfj_bootstrap.language.words import plain_words
from dfj_bootstrap.policy.fidelity import Window, verdict
from dfj_bootstrap.roles.rules import RulesGenerator, RulesParaphraser
from dfj_bootstrap.roles.rules.reword import reword
from dfj_bootstrap.roles.rules.synonyms import replacements
from tests.support.rules_seeds import ALL, HARBOUR, MARKET

WHOLE = Window(-1.0, 1.0)


def gold(seed: Seed) -> Rationale:
    rationale = seed.gold_rationale()
    assert rationale
    return rationale


async def texts() -> list[tuple[Seed, int, Rationale]]:
    made = [(seed, 5, gold(seed)) for seed in ALL]
    for seed in ALL:
        for level in WRITTEN_LEVELS:
            candidate = await RulesGenerator().generate(seed, gold(seed), Brief(seed.id, level), ())
            made.append((seed, level, candidate.rationale))
    return made


async def paraphrased(seed: Seed, level: int, text: Rationale, index: int, *reasons: str) -> Rationale:
    tried = [Paraphrase(level, index, i, text, None, reason) for i, reason in enumerate(reasons)]
    candidate = await RulesParaphraser().paraphrase(seed, text, Brief(seed.id, level), index, tried)
    return candidate.rationale


async def test_five_indices_and_their_tries_all_differ() -> None:
    for seed, level, text in await texts():
        made = [await paraphrased(seed, level, text, i) for i in range(5)]
        made += [await paraphrased(seed, level, text, i, "copy") for i in range(5)]
        assert len({p.reasoning for p in made} | {text.reasoning}) == 11


async def test_the_same_inputs_give_the_same_paraphrase() -> None:
    one = await paraphrased(MARKET, 5, gold(MARKET), 2, "too_far")
    assert one == await paraphrased(MARKET, 5, gold(MARKET), 2, "too_far")


async def test_most_first_tries_are_faithful_and_the_answer_always_is() -> None:
    verdicts = []
    for seed, level, text in await texts():
        earlier: list[Rationale] = []
        for index in range(5):
            reworded = await paraphrased(seed, level, text, index)
            assert reworded.answer is text.answer
            verdicts.append(verdict(text, reworded, None, earlier, WHOLE))
            if not verdicts[-1]:
                earlier.append(reworded)
    assert verdicts.count("") >= 0.85 * len(verdicts), sorted(verdicts)


@pytest.mark.parametrize("kind", [SIDE_WORDS, NEGATIONS], ids=["sides", "negations"])
async def test_sides_and_negations_are_all_kept(kind: frozenset[str]) -> None:
    for seed, level, text in await texts():
        for index in range(5):
            reworded = await paraphrased(seed, level, text, index)
            before = sum(w in kind for w in plain_words(text.reasoning))
            assert sum(w in kind for w in plain_words(reworded.reasoning)) == before


async def test_no_more_and_no_fewer_sentences_are_hedged() -> None:
    for seed, level, text in await texts():
        for index in range(5):
            reworded = await paraphrased(seed, level, text, index)
            assert len(HEDGED.findall(reworded.reasoning)) == len(HEDGED.findall(text.reasoning))


def test_no_replacement_touches_a_side_a_denial_or_a_hedge() -> None:
    for old, new in replacements():
        for kind in (SIDE_WORDS, NEGATIONS):
            # "with no" for "without": as many denials as before, in another word.
            before = sum(word in kind for word in plain_words(old))
            assert sum(word in kind for word in plain_words(new)) == before, (old, new)
        assert len(HEDGED.findall(old)) == len(HEDGED.findall(new)), (old, new)


def test_nothing_is_changed_at_strength_zero() -> None:
    text = gold(HARBOUR).reasoning
    assert reword(text, Random(0), 0.0) == text


@given(st.text(max_size=300), st.integers(0, 2**32), st.floats(0, 1))
def test_any_text_can_be_reworded(text: str, number: int, strength: float) -> None:
    assert bool(reword(text, Random(number), strength)) == bool(reword(text, Random(number), 0.0))


@given(st.integers(0, 2**32))
def test_two_things_told_apart_by_a_word_stay_apart(number: int) -> None:
    text = "The big coin is a copy of the large coin."
    assert reword(text, Random(number), 1.0) == text


@given(st.integers(0, 2**32))
def test_what_a_hedge_covers_stays_covered(number: int) -> None:
    text = "Perhaps the light falls across the grass, and the trunks cover the house behind them."
    assert len(sentences(reword(text, Random(number), 1.0))) == 1
