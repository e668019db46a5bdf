"""What a trainer says is heard right, the record is whole at every moment, and it is known where to go on."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.training.checkpoints import checkpoints
from dfj_bootstrap.training.job import TrainingJob, Wanted, make_job
from dfj_bootstrap.training.logbook import Logbook, read_logbook
from dfj_bootstrap.training.overrides import parse_overrides
from dfj_bootstrap.training.plot import loss_plot
from dfj_bootstrap.training.recipe import Task
from dfj_bootstrap.training.resume import Start, starting_point
from dfj_bootstrap.training.trainer_log import Figures, Said

DATASET = """\
[INFO:swift] val_dataset: None
num_rows: 7
[INFO:swift] train_dataset: Dataset({
    features: ['images', 'messages'],
    num_rows: 488
})
[INFO:swift] other: Dataset({
    num_rows: 3
"""


def said_of(text: str) -> Said:
    said = Said()
    for line in text.splitlines():
        said.hear(line)
    return said


def job_in(output: Path, *given: str, records: int = 20, model: str = "a/b") -> TrainingJob:
    wanted = Wanted(Task.POINTWISE, model, output, 2, overrides=parse_overrides(given))
    return make_job(wanted, Path("/rows/data.jsonl"), records, command="swift")


def write_checkpoint(output: Path, step: int, state: str | None = None) -> Path:
    folder = output / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    if state != "":
        (folder / "trainer_state.json").write_text(state or json.dumps({"global_step": step}))
    return folder


def recorded(job: TrainingJob, state: str) -> None:
    job.output.mkdir(exist_ok=True)
    Logbook(job, Figures(job.output), {}).note(state=state)


def test_the_trainers_own_count_is_heard() -> None:
    assert said_of(DATASET).rows == 488
    assert said_of("num_rows: 5").rows is None


def test_of_a_bar_its_last_state_is_shown_without_colours() -> None:
    assert Said().hear("\rTrain: 1/4\rTrain:\x1b[31m 2/4\x1b[0m\n") == "Train: 2/4"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            "Traceback\n  File\nValueError: no such template\ntorch...ChildFailedError: x",
            "ValueError: no such template",
        ),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried", "memory is too small"),
        ("Killed", "Killed"),
        ("", "it said nothing"),
    ],
)
def test_why_it_failed_is_told_in_one_line(text: str, cause: str) -> None:
    assert cause in said_of(text).cause()


@given(st.lists(st.tuples(st.integers(1, 30), st.floats(0, 100)), max_size=40), st.integers(1, 400))
def test_figures_are_read_whole_however_the_file_grows(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, float]], cut: int
) -> None:
    folder = tmp_path_factory.mktemp("figures")
    lines = [
        {"loss": loss, "global_step/max_steps": f"{step}/30", "elapsed_time": "1s"} for step, loss in steps
    ]
    data = b"".join(json.dumps(line).encode() + b"\n" for line in lines) + b'{"last_model_checkpoint": "x"}\n'
    figures = Figures(folder)
    assert not figures.read()
    for end in [*range(cut, len(data), cut), len(data)]:
        (folder / "logging.jsonl").write_bytes(data[:end])
        figures.read()
    assert figures.by_step == {step: {"loss": loss} for step, loss in dict(steps).items()}
    figures.forget_after(10)
    assert all(step <= 10 for step in figures.by_step)


@given(
    st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=1500),
    st.integers(1, 10),
)
def test_the_plot_is_a_well_formed_picture_within_its_frame(losses: list[float], every: int) -> None:
    points = [(float(every * (n + 1)), loss) for n, loss in enumerate(losses)]
    root = ElementTree.fromstring(loss_plot(points, "a <b> & c"))
    lines = [child.attrib["points"] for child in root if child.tag.endswith("polyline")]
    assert len(lines) == 2
    for x, y in (place.split(",") for line in lines for place in line.split()):
        assert 0 <= float(x) <= 640
        assert 0 <= float(y) <= 320


def test_the_last_checkpoint_is_the_last_whole_one(tmp_path: Path) -> None:
    for step in (9, 10, 100):
        write_checkpoint(tmp_path, step)
    write_checkpoint(tmp_path, 200, "")
    write_checkpoint(tmp_path, 300, '{"global_step": 30')
    (tmp_path / "checkpoint-x").mkdir()
    assert [path.name for path in checkpoints(tmp_path)] == [
        "checkpoint-9",
        "checkpoint-10",
        "checkpoint-100",
    ]
    assert checkpoints(tmp_path / "none") == []


def test_a_new_folder_starts_at_the_beginning_and_a_foreign_one_is_refused(tmp_path: Path) -> None:
    assert starting_point(job_in(tmp_path / "new"), insist=False) == Start()
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(RunFolderError, match="not empty, and no training"):
        starting_point(job_in(tmp_path), insist=False)
    with pytest.raises(RunFolderError, match="no training here to go on with"):
        starting_point(job_in(tmp_path / "new"), insist=True)


def test_a_stopped_training_goes_on_and_a_complete_one_is_done(tmp_path: Path) -> None:
    job = job_in(tmp_path / "out")
    recorded(job, "running")
    assert starting_point(job, insist=True) == Start()
    last = write_checkpoint(job.output, 4)
    assert starting_point(job, insist=False) == Start(last)
    recorded(job, "complete")
    assert starting_point(job, insist=False) == Start(last, done=True)
    longer = job_in(tmp_path / "out", "num_train_epochs=3")
    assert starting_point(longer, insist=False) == Start(last, changed=("--num_train_epochs",))


@pytest.mark.parametrize("other", [{"records": 19}, {"model": "c/d"}])
def test_another_training_is_refused(tmp_path: Path, other: dict[str, int | str]) -> None:
    recorded(job_in(tmp_path / "out"), "interrupted")
    with pytest.raises(RunFolderError, match="has another"):
        starting_point(job_in(tmp_path / "out", **other), insist=False)  # type: ignore[arg-type]


def test_the_record_has_what_ran_and_how_it_stands(tmp_path: Path) -> None:
    job = job_in(tmp_path / "out")
    job.output.mkdir()
    figures = Figures(job.output)
    figures.by_step = {1: {"loss": 2.0}, 2: {"loss": 1.0}}
    figures.total = 4
    Logbook(job, figures, {"trainer": "ms-swift 4.6.0"}).note(state="running")
    book = read_logbook(job.output)
    assert book
    assert book["state"] == "running"
    assert book["argv"] == list(job.argv)
    assert book["steps"] == {"done": 2, "total": 4}
    assert book["metrics"] == [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}]
    assert (job.output / "loss.svg").exists()
