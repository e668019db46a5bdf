"""From a run's shards to the table of its judge, with the real ms-swift: train, judge, score."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.support.runs import ROOT, dfj, status

pytestmark = pytest.mark.train

_TRAINED = (
    "model_type=qwen2_5_vl", "template=qwen2_5_vl", "MAX_PIXELS=12544", "per_device_train_batch_size=1",
    "dataset_num_proc=1", "dataloader_num_workers=0", "learning_rate=2e-2", "lr_scheduler_type=constant",
    "warmup_ratio=", "max_steps=6",
)  # fmt: skip


def test_the_demos_shards_become_a_judge_and_its_table(model: Path, swift: Path, tmp_path: Path) -> None:
    """A random model learns no form so soon: what is seen is that nothing is lost, guessed or mixed up."""
    run = tmp_path / "run"
    cheap = ("--set", "similarity.backend=lexical", "--set", "engine.kind=local")
    training = [word for each in _TRAINED for word in ("--train-set", each)]
    chain: tuple[str | Path, ...] = (
        "--then-train",
        "pointwise",
        "--train-model",
        model,
        "--train-gpus",
        "0",
        *training,
    )
    made = dfj("generate", ROOT / "configs" / "demo.yaml", "--output", run, *cheap, *chain, "--json")
    assert made.returncode == 0, made.stderr[-3000:]
    adapter = run / "training" / "pointwise-tiny" / json.loads(made.stdout)["training"]["adapter"]
    judged = {
        "backend": "swift", "command": str(swift), "model": str(model), "adapter": str(adapter), "chunk": 16,
        "max_pixels": 12544, "args": ["--model_type", "qwen2_5_vl", "--template", "qwen2_5_vl"],
    }  # fmt: skip
    config = tmp_path / "judge.yaml"
    judge = {"model": "trained", "max_tokens": 24}
    config.write_text(
        yaml.safe_dump({"models": {"trained": judged}, "judge": judge, "max_unusable_share": None})
    )
    test = run / "dfj-meta" / "dfj-meta-pointwise" / "test" / "data.jsonl"
    rows = [json.loads(line) for line in test.read_text().splitlines()]
    done = dfj("judge", config, "--input", test, "--output", tmp_path / "judged")
    assert done.returncode == 0, done.stderr[-3000:]
    lines = (tmp_path / "judged" / "predictions.jsonl").read_text().splitlines()
    predictions = [json.loads(line) for line in lines]
    assert [each["id"] for each in predictions] == [row["id"] for row in rows]
    assert {each["prediction"]["status"] for each in predictions} <= {"ok", "unparsable"}
    assert status(tmp_path / "judged")["calls"]["answered"] == len(rows)
    scored = dfj("score", tmp_path / "judged", "--json")
    assert scored.returncode == 0, scored.stderr
    table = json.loads(scored.stdout)
    usable = sum(each["prediction"]["status"] == "ok" for each in predictions)
    assert (table["n"], table["unusable"]) == (len(rows), len(rows) - usable)
    assert table["exact"]["value"] is not None
    assert table["baselines"]["constant"]["exact"]["value"] > 0
