"""Figures that others have published, to stand beside ours.

Sources: the README of DeepfakeJudge (CVPR 2026) and the paper and results of XAIGID-RewardBench
(arXiv 2511.12363). Left out is one detection row (76.6 and 79.8 F1 at an accuracy of 63.7), which no
confusion matrix gives. Names of figures are those of our own; ``human.`` is against people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dfj_bootstrap.scoring.facts import Task

DFJ = "DeepfakeJudge (CVPR 2026)"
XAIGID = "XAIGID-RewardBench (arXiv 2511.12363)"


@dataclass(frozen=True, slots=True)
class Published:
    """A row of a published table."""

    name: str
    source: str
    figures: Mapping[str, float]


PUBLISHED: Mapping[Task, tuple[Published, ...]] = {
    Task.POINTWISE: (
        Published("DFJ-7B", DFJ, {"rmse": 0.61, "pearson": 0.93, "human.rmse": 0.50, "human.pearson": 0.95}),
        Published("DFJ-3B", DFJ, {"rmse": 0.69, "pearson": 0.92}),
        Published(
            "GPT-4o-mini", DFJ, {"rmse": 0.78, "pearson": 0.87, "human.rmse": 0.81, "human.pearson": 0.86}
        ),
        Published("Gemini-2.5", DFJ, {"rmse": 1.09, "pearson": 0.83}),
        Published(
            "Qwen-3-VL-235B", DFJ, {"rmse": 1.10, "pearson": 0.82, "human.rmse": 0.95, "human.pearson": 0.86}
        ),
        Published("people", DFJ, {"raters.mse": 0.39}),
    ),
    Task.PAIRWISE: (
        Published("DFJ-7B", DFJ, {"accuracy": 0.962, "human.raw_agreement": 0.989}),
        Published("DFJ-3B", DFJ, {"accuracy": 0.944, "human.raw_agreement": 0.966}),
        Published("GPT-4o-mini", DFJ, {"accuracy": 0.903, "human.raw_agreement": 0.898}),
        Published("Gemini-2.5", DFJ, {"accuracy": 0.917, "human.raw_agreement": 0.942}),
        Published("Qwen-3-VL-235B", DFJ, {"accuracy": 0.932, "human.raw_agreement": 0.994}),
        Published("people", DFJ, {"raters.raw_agreement": 0.90, "raters.kappa": 0.80}),
        Published(
            "people (XAIGID)",
            XAIGID,
            {"raters.raw_agreement": 333 / 557, "raters.decisive.raw_agreement": 298 / 341},
        ),
        Published(
            "Gemini-2.5-flash (XAIGID)",
            XAIGID,
            {"human.raw_agreement": 2721 / 3956, "longer_wins": 3000 / 3821},
        ),
        Published(
            "Gemini-2.5-pro (XAIGID)",
            XAIGID,
            {"human.decisive.raw_agreement": 2511 / 2910, "longer_wins": 2779 / 3428},
        ),
        Published(
            "GPT-4o (XAIGID)",
            XAIGID,
            {"human.raw_agreement": 2689 / 3955, "consistency": 441 / 499, "longer_wins": 3083 / 3888},
        ),
        Published("Qwen2.5-VL-72B (XAIGID)", XAIGID, {"consistency": 0.84, "longer_wins": 2351 / 2787}),
        Published("Qwen2.5-VL-7B (XAIGID)", XAIGID, {"consistency": 0.660, "longer_wins": 900 / 1255}),
        Published("Qwen2.5-VL-3B (XAIGID)", XAIGID, {"consistency": 0.476, "longer_wins": 1210 / 1604}),
    ),
    Task.DETECTION: (
        Published("Qwen-3-VL-235B", DFJ, {"real_f1": 0.786, "fake_f1": 0.684, "accuracy": 0.745}),
        Published("Gemini-2.5-Flash", DFJ, {"real_f1": 0.737, "fake_f1": 0.500, "accuracy": 0.655}),
        Published("GPT-4o-mini", DFJ, {"real_f1": 0.702, "fake_f1": 0.358, "accuracy": 0.593}),
        Published("SIDA-13B", DFJ, {"real_f1": 0.570, "fake_f1": 0.345, "accuracy": 0.481}),
    ),
    Task.RATIONALES: (
        Published("Qwen-3-VL-235B", DFJ, {"bleu3": 0.01, "bertscore": 0.60, "judge_mean": 3.59}),
        Published("Qwen-3-VL-30B", DFJ, {"bleu3": 0.03, "bertscore": 0.62, "judge_mean": 3.31}),
        Published("Gemini-2.5-Flash", DFJ, {"bleu3": 0.02, "bertscore": 0.60, "judge_mean": 3.17}),
        Published("GPT-4o-mini", DFJ, {"bleu3": 0.01, "bertscore": 0.35, "judge_mean": 2.83}),
        Published("SIDA", DFJ, {"bleu3": 0.01, "bertscore": 0.58, "judge_mean": 2.32}),
    ),
}
