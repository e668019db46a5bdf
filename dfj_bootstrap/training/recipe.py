"""The published recipe of the DeepfakeJudge judges, as data. Pure.

Source: the README of DeepfakeJudge (CVPR 2026), ``train_pointwise.sh`` and ``train_pairwise.sh``: the same
for 3B and 7B; the tasks differ in ``max_length`` alone. What is changed or added here stands in tables of its
own, each with its reason. Flags have the names that ms-swift 4 gives them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Task(StrEnum):
    """What the judge learns: a score for one rationale, or which of two is better."""

    POINTWISE = "pointwise"
    PAIRWISE = "pairwise"


MODELS: Mapping[str, str] = MappingProxyType(
    {"3B": "Qwen/Qwen2.5-VL-3B-Instruct", "7B": "Qwen/Qwen2.5-VL-7B-Instruct"}
)
"""Short name → the model that the published judges were trained from."""

GPUS = 2
"""Of the published training, on one node."""

ROWS_PER_STEP = 32
"""16 on each of two GPUs: with another number of GPUs, the same learning rate means something else."""

_PUBLISHED: Mapping[str, str] = MappingProxyType(
    {
        "use_hf": "true",
        "tuner_type": "lora",
        "torch_dtype": "bfloat16",
        "num_train_epochs": "2",
        "per_device_train_batch_size": "16",
        "learning_rate": "1e-6",
        "lora_rank": "32",
        "lora_alpha": "64",
        "target_modules": "all-linear",
        "freeze_vit": "true",
        "gradient_accumulation_steps": "1",
        "save_strategy": "epoch",
        "save_total_limit": "5",
        "logging_steps": "1",
        "warmup_ratio": "0.05",
        "dataloader_num_workers": "8",
        "dataset_num_proc": "4",
        "bf16": "true",
        "report_to": "wandb",
    }
)

_MAX_LENGTH: Mapping[Task, str] = MappingProxyType({Task.POINTWISE: "4096", Task.PAIRWISE: "2048"})

CHANGED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"report_to": ("none", "no account elsewhere is needed; the figures go into training.json")}
)
"""Published flag → the value here, and why."""

ADDED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "strict": ("true", "else rows that can't be read are dropped in silence"),
        "truncation_strategy": (
            "delete",
            "ms-swift's default, said aloud: rows that are too long are known before",
        ),
        "split_dataset_ratio": ("0", "else some versions keep rows back for validation"),
        "check_model": ("false", "else each start calls a model hub with a description of the run"),
        "add_version": (
            "false",
            "the output folder is the one that was asked for, so that it can be resumed",
        ),
    }
)
"""Flag that the published scripts don't give → the value here, and why."""


def published(task: Task) -> dict[str, str]:
    """The flags of the published script, model and paths aside."""
    return {**_PUBLISHED, "max_length": _MAX_LENGTH[task]}


def recipe(task: Task) -> dict[str, str]:
    """The flags that a judge is trained with here, unless they are overridden."""
    changed = {name: value for name, (value, _) in CHANGED.items()}
    added = {name: value for name, (value, _) in ADDED.items()}
    return published(task) | changed | added
