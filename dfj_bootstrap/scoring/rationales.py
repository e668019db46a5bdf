"""Rationales that a model wrote, against the gold ones: the figures of the rationale table.

Words in common say little about what was seen in a picture; they stand here because the field reports them.
Claims and entities matched both ways (``claims.py``) say more, and are there where a model has matched them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU

from dfj_bootstrap.scoring.bootstrap import ByImage, Floats, Measure, ratio, undefined
from dfj_bootstrap.scoring.claims import FIGURES, NO_MATCHER, matching_measures
from dfj_bootstrap.scoring.rows import RationaleRow

_ORDER = 3
_NO_PAIR = "no row has both a rationale and a `gold_rationale` or `reference`"
NO_ENCODER = "no encoder; name one with --encoder"
NO_JUDGE = "no judge has scored these; run `dfj judge` over them as candidates, and score its predictions"

BertScores = Callable[[Sequence[str], Sequence[str]], Sequence[float]]
"""From candidates and references to BERTScore's F1 of each pair."""


def rationale_measures(rows: Sequence[RationaleRow], bert_scores: BertScores | None) -> dict[str, Measure]:
    """All figures, by name, over the rows that have what each needs."""
    by_image = ByImage([row.image for row in rows])
    paired = np.array([bool(row.text and row.reference) for row in rows])
    measures = dict.fromkeys(("bleu3", "rouge_l", "bertscore"), undefined(by_image, _NO_PAIR))
    if paired.any():
        pairs = [(row.text or "", row.reference or "") for row in rows if row.text and row.reference]
        measures |= _against_gold(by_image, paired, pairs, bert_scores)
    judged = np.array([row.score is not None for row in rows])
    scores = np.array([row.score or 0 for row in rows], dtype=np.float64)
    measures |= {"judge_mean": _mean(by_image, scores[judged], judged, NO_JUDGE)}
    if any(row.matched for row in rows):
        return measures | matching_measures(by_image, [row.matching for row in rows])
    return measures | dict.fromkeys(FIGURES, undefined(by_image, NO_MATCHER))


def _against_gold(
    by_image: ByImage,
    among: npt.NDArray[np.bool_],
    pairs: Sequence[tuple[str, str]],
    bert_scores: BertScores | None,
) -> dict[str, Measure]:
    rouge = RougeScorer(["rougeL"], use_stemmer=False)
    scores = [rouge.score(gold, text)["rougeL"].fmeasure for text, gold in pairs]
    measures = {"bleu3": _bleu(by_image, among, pairs), "rouge_l": _mean(by_image, scores, among, "")}
    if bert_scores is None:
        return measures | {"bertscore": undefined(by_image, NO_ENCODER)}
    texts, golds = zip(*pairs, strict=True)
    return measures | {"bertscore": _mean(by_image, bert_scores(texts, golds), among, "")}


def _mean(
    by_image: ByImage, values: Sequence[float] | Floats, among: npt.NDArray[np.bool_], why: str
) -> Measure:
    """The mean of values that stand in some rows."""
    if not len(values):
        return undefined(by_image, why)
    column = np.zeros(len(among))
    column[among] = values
    return Measure(float(np.mean(values)), len(values), by_image.sums(column, among), ratio)


def _bleu(by_image: ByImage, among: npt.NDArray[np.bool_], pairs: Sequence[tuple[str, str]]) -> Measure:
    """BLEU of the whole corpus, from 0 to 1: a function of the sums of matches, n-grams and lengths."""
    bleu = BLEU(max_ngram_order=_ORDER, effective_order=True)  # counts are the same; it only warns without
    counted = [bleu.sentence_score(text, [gold]) for text, gold in pairs]
    columns = np.zeros((len(among), 2 * _ORDER + 2))
    columns[among] = [[*each.counts, *each.totals, each.sys_len, each.ref_len] for each in counted]
    total = columns.sum(axis=0)
    return Measure(_corpus_bleu(total), len(pairs), by_image.sums(*columns.T), _bleu_of_each)


def _corpus_bleu(sums: Floats) -> float:
    counts: list[Any] = sums.astype(int).tolist()
    score = BLEU.compute_bleu(
        counts[:_ORDER], counts[_ORDER : 2 * _ORDER], counts[-2], counts[-1], max_ngram_order=_ORDER
    )
    return float(score.score) / 100


def _bleu_of_each(sums: Floats) -> Floats:
    return np.array([_corpus_bleu(each) for each in sums])
