"""The recipe is the published one, flag for flag, whatever ms-swift is installed and model is trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.training.job import FIRST_NODE, TrainingJob, Wanted, make_job
from dfj_bootstrap.training.overrides import parse_overrides
from dfj_bootstrap.training.recipe import ADDED, CHANGED, MODELS, Task
from tests.support.stand_in_swift import FLAGS, V3, V4

PUBLISHED = """
--use_hf true --train_type lora --torch_dtype bfloat16 --num_train_epochs 2 --per_device_train_batch_size 16
--learning_rate 1e-6 --lora_rank 32 --lora_alpha 64 --target_modules all-linear --freeze_vit true
--gradient_accumulation_steps 1 --save_strategy epoch --save_total_limit 5 --logging_steps 1
--warmup_ratio 0.05 --dataloader_num_workers 8 --dataset_num_proc 4 --bf16 true --report_to wandb
"""
"""``train_pointwise.sh`` and ``train_pairwise.sh`` as published, model, paths and ``max_length`` aside."""

MAX_LENGTH = {Task.POINTWISE: "4096", Task.PAIRWISE: "2048"}
VARIABLES = {"MAX_PIXELS": "1003520", "IMAGE_FACTOR": "28", "MIN_PIXELS": "3136"}
ROWS = Path("/data/dfj-meta-pointwise/train/data.jsonl")


def job_of(
    *given: str, version: str | None = None, task: Task = Task.POINTWISE, model: str = MODELS["7B"],
    gpus: int = 2, nodes: int = 1, devices: tuple[str, ...] | None = ("0", "1"),
) -> TrainingJob:  # fmt: skip
    wanted = Wanted(task, model, Path("/out"), gpus, nodes, parse_overrides(given), devices)
    known = json.loads(FLAGS.read_text())[version] if version else None
    return make_job(wanted, ROWS, 20625, command="swift", known=known)


def flags_of(words: list[str]) -> dict[str, str]:
    assert all(word.startswith("--") for word in words[::2])
    return dict(zip(words[::2], words[1::2], strict=True))


@pytest.mark.parametrize("version", [V3, V4, None])
@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize("model", MODELS.values())
def test_the_command_is_the_published_one_flag_for_flag(version: str | None, task: Task, model: str) -> None:
    job = job_of(version=version, task=task, model=model)
    wanted = flags_of(PUBLISHED.split()) | {
        "--model": model,
        "--dataset": str(ROWS),
        "--output_dir": "/out",
        "--max_length": MAX_LENGTH[task],
    }
    if version != V3:
        wanted["--tuner_type"] = wanted.pop("--train_type")
    wanted |= {f"--{name}": value for name, (value, _) in {**CHANGED, **ADDED}.items()}
    assert job.argv[:2] == ("swift", "sft")
    assert flags_of(list(job.argv[2:])) == wanted
    assert job.env == {
        **VARIABLES,
        "NPROC_PER_NODE": "2",
        "CUDA_VISIBLE_DEVICES": "0,1",
        "ROOT_IMAGE_DIR": str(ROWS.parent),
    }


def test_what_is_changed_and_added_is_little_and_has_reasons() -> None:
    assert set(CHANGED) == {"report_to"}
    assert set(ADDED) == {
        "strict", "truncation_strategy", "split_dataset_ratio", "check_model", "add_version"
    }  # fmt: skip
    assert all(reason for _, reason in (*CHANGED.values(), *ADDED.values()))


@pytest.mark.parametrize(
    ("given", "flag", "value"),
    [
        ("learning_rate=2e-6", "--learning_rate", ["2e-6"]),
        ("--report_to=wandb", "--report_to", ["wandb"]),
        ("target_modules=q_proj v_proj", "--target_modules", ["q_proj", "v_proj"]),
        ('lr_scheduler_kwargs={"min_lr": 1e-7}', "--lr_scheduler_kwargs", ['{"min_lr": 1e-7}']),
        ("train_type=full", "--tuner_type", ["full"]),
        ("strict=false", "--strict", ["false"]),
    ],
)
def test_every_flag_can_be_set(given: str, flag: str, value: list[str]) -> None:
    argv = job_of(given, version=V4).argv
    at = argv.index(flag)
    assert list(argv[at + 1 : at + 1 + len(value)]) == value
    assert argv.count(flag) == 1


def test_an_empty_value_leaves_a_flag_or_variable_out() -> None:
    job = job_of("warmup_ratio=", "IMAGE_FACTOR=", "MAX_PIXELS=501760")
    assert "--warmup_ratio" not in job.argv
    assert "IMAGE_FACTOR" not in job.env
    assert job.env["MAX_PIXELS"] == "501760"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("dataset=x.jsonl", "the rows are those of RUN"),
        ("model=x", "use --model"),
        ("learning_rate", "write FLAG=VALUE"),
        ("system='a", "quotation mark"),
        ("hub_token=abc", "would be recorded"),
        ("WANDB_API_KEY=abc", "would be recorded"),
    ],
)
def test_what_cannot_be_set_is_told(given: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse_overrides([given])


def test_a_flag_that_the_installed_version_lacks_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"lerning_rate: .* no such flag; it has learning_rate"):
        job_of("lerning_rate=1", version=V4)


def test_an_addition_that_a_version_lacks_falls_away_but_a_wish_does_not() -> None:
    wanted = Wanted(Task.POINTWISE, MODELS["3B"], Path("/out"), 2)
    known = set(json.loads(FLAGS.read_text())[V4]) - {"check_model"}
    assert "--check_model" not in make_job(wanted, ROWS, 1, command="swift", known=known).argv
    asked = Wanted(
        Task.POINTWISE, MODELS["3B"], Path("/out"), 2, overrides=parse_overrides(["check_model=true"])
    )
    with pytest.raises(ConfigError, match="check_model"):
        make_job(asked, ROWS, 1, command="swift", known=known)


@pytest.mark.parametrize(
    ("model", "env", "flags"),
    [
        ("Qwen/Qwen2.5-VL-72B-Instruct", VARIABLES, {}),
        ("Qwen/Qwen2-VL-2B-Instruct", VARIABLES, {}),
        ("Qwen/Qwen3-VL-8B-Instruct", {"IMAGE_MAX_TOKEN_NUM": "980", "IMAGE_MIN_TOKEN_NUM": "4"}, {}),
        ("OpenGVLab/InternVL3-8B", {}, {"max_pixels": "1003520"}),
    ],
)
def test_each_family_has_its_own_names_for_the_limits_of_pictures(
    model: str, env: dict[str, str], flags: dict[str, str]
) -> None:
    job = job_of(model=model)
    known = {*VARIABLES, "IMAGE_MAX_TOKEN_NUM", "IMAGE_MIN_TOKEN_NUM"}
    assert {name: value for name, value in job.env.items() if name in known} == env
    assert {name: value for name, value in job.flags.items() if name == "max_pixels"} == flags


def test_a_folder_tells_its_family_by_its_config(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "qwen3_vl", "vision_config": {}}')
    assert "IMAGE_MAX_TOKEN_NUM" in job_of(model=str(tmp_path)).env


def test_without_gpus_it_is_the_cpu_and_no_torchrun() -> None:
    job = job_of(gpus=0, devices=())
    assert job.flags["use_cpu"] == "true"
    assert "NPROC_PER_NODE" not in job.env
    assert job.env["CUDA_VISIBLE_DEVICES"] == ""


def test_under_ray_the_devices_are_rays_choice() -> None:
    assert "CUDA_VISIBLE_DEVICES" not in job_of(devices=None).env


def test_several_nodes_are_torchruns_variables_and_a_node_knows_its_place() -> None:
    job = job_of(nodes=3, gpus=8, devices=None)
    assert job.env["NNODES"] == "3"
    assert job.env["NPROC_PER_NODE"] == "8"
    assert job.env["MASTER_ADDR"] == FIRST_NODE
    assert job.as_data()["nodes"] == 3
    second = job.on_node(1, "10.0.0.7", 29511)
    assert second.argv == job.argv
    assert {name: second.env[name] for name in ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT")} == {
        "NODE_RANK": "1",
        "MASTER_ADDR": "10.0.0.7",
        "MASTER_PORT": "29511",
    }


def test_a_dry_run_has_the_fixed_keys() -> None:
    assert list(job_of().as_data()) == ["argv", "env", "gpus", "records"]
