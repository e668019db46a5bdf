"""A test double for ms-swift's ``swift``: counts rows, "trains" in a moment, fails when told to.

``command_in(FOLDER)`` makes an environment's ``bin``: a ``swift`` and a ``python`` beside it, which answers
the questions of ``ms_swift/ask_swift.py`` with the flags of a real version. Like torchrun it starts a worker
in a session of its own. It is told by variables:

- ``STAND_IN_STEPS``: how many it takes; ``STAND_IN_DROP``: rows that it drops.
- ``STAND_IN_SILENT``: it never says its count.
- ``STAND_IN_FAIL``: its exit code, after two steps.
- ``STAND_IN_HANG``: after two steps it waits for ever, it and its worker deaf to SIGTERM.
- ``STAND_IN_NOTE``: a file that takes the ids of its processes, its arguments and environment.
- ``STAND_IN_GPUS``, ``STAND_IN_NO_MODEL``: what it answers.

``swift infer`` answers each row with its own words, batch by batch; it is told of rows by a text in them:

- ``STAND_IN_BAD``: the process fails at such a row; ``STAND_IN_STUCK``: it waits for ever.
- ``STAND_IN_SKIP``: such a row is left out of the results.
- ``STAND_IN_GARBAGE``: before each result stands a line that is none.
- ``STAND_IN_FAIL``: its exit code, before the model is loaded; ``STAND_IN_SLOW``: seconds that loading takes.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FLAGS = Path(__file__).parent.parent / "data" / "ms_swift_flags.json"
V3, V4 = "3.12.6", "4.6.0"
CHARACTERS_PER_TOKEN = 4

_WORKER = "import signal; signal.pause()"
_DEAF_WORKER = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"


def command_in(folder: Path, version: str = V4) -> Path:
    """Make ``folder/bin``; gives its ``swift``."""
    binaries = folder / "bin"
    binaries.mkdir(parents=True)
    for name, verb in (("swift", "train"), ("python", f"ask {version}")):
        (binaries / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" {verb} "$@"\n')
        (binaries / name).chmod(0o755)
    return binaries / "swift"


def answer(question: dict[str, Any], version: str) -> dict[str, Any]:
    """As ``ask_swift.py`` does; a row has a token for four characters, and 100 for a picture."""
    flags: list[str] = json.loads(FLAGS.read_text())[version]
    if question["ask"] == "about":
        return {"version": version, "flags": flags, "gpus": int(os.environ.get("STAND_IN_GPUS", "0"))}
    if question["ask"] == "parse":
        unknown = [w for w in question["argv"] if w.startswith("--") and w[2:] not in flags]
        return {"wrong": f"unknown arguments: {' '.join(unknown)}" if unknown else ""}
    if question["ask"] == "open":
        return {"error": "OSError: no such model"} if "STAND_IN_NO_MODEL" in os.environ else {}
    return {"lengths": [_tokens(row) for row in question["rows"]]}


def _tokens(row: dict[str, Any]) -> int:
    return sum(len(m["content"]) for m in row["messages"]) // CHARACTERS_PER_TOKEN + 100 * len(row["sizes"])


def train(words: list[str]) -> int:
    """A training: a loss that falls, a checkpoint at every second step."""
    parser = argparse.ArgumentParser(description="Stand-in for `swift sft`.")
    parser.add_argument("verb", choices=["sft"])
    for flag in ("--dataset", "--output_dir"):
        parser.add_argument(flag, type=Path, required=True)
    parser.add_argument("--resume_from_checkpoint", type=Path)
    arguments, _ = parser.parse_known_args(words)
    _note(_DEAF_WORKER)
    if os.environ.get("NODE_RANK", "0") != "0":
        return _told("FAIL")  # torchrun's other nodes write nothing
    rows = len(arguments.dataset.read_text().splitlines()) - _told("DROP")
    if not _told("SILENT"):
        sys.stdout.write("[INFO:swift] train_dataset: Dataset({\n    features: ['messages'],\n")
        sys.stdout.write(f"    num_rows: {rows}\n}})\n")
        sys.stdout.flush()
    return _steps(arguments)


def infer(words: list[str]) -> int:
    """Answers to rows, appended to the result file as the real one does."""
    parser = argparse.ArgumentParser(description="Stand-in for `swift infer`.")
    parser.add_argument("verb", choices=["infer"])
    for flag in ("--val_dataset", "--result_path"):
        parser.add_argument(flag, type=Path, required=True)
    for flag in ("--max_batch_size", "--write_batch_size"):
        parser.add_argument(flag, type=int, required=True)
    arguments, _ = parser.parse_known_args(words)
    rows = [json.loads(line) for line in arguments.val_dataset.read_text().split("\n") if line]
    _note(_WORKER, rows=[row["messages"][0]["content"] for row in rows])
    time.sleep(_told("SLOW"))
    if _told("FAIL"):
        sys.stderr.write("ValueError: no such model: it is nowhere\n")
        return _told("FAIL")
    sys.stderr.write("[INFO:swift] request_config: RequestConfig(max_tokens=9)\n")
    size = arguments.write_batch_size
    for start in range(0, len(rows), size):
        results = [_inferred(row) for row in rows[start : start + size] if not _holds("SKIP", row)]
        with arguments.result_path.open("a") as file:
            file.write("".join(results))
    return 0


def _inferred(row: dict[str, Any]) -> str:
    if _holds("STUCK", row):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pause()
    if _holds("BAD", row):
        sys.stderr.write("PIL.UnidentifiedImageError: cannot identify image file\nTrain: 0/1\n")
        sys.exit(1)
    text = row["messages"][0]["content"].partition("\n")[0]  # the rest is the form that is asked for
    size = sum(Path(name).stat().st_size for name in row["images"])
    response = f"<reasoning>{len(row['images'])} of {size} bytes: {text}</reasoning>\n<answer>real</answer>"
    result = {
        "response": response, "labels": None, "logprobs": None,
        "messages": [*row["messages"], {"role": "assistant", "content": response}],
        "images": [{"bytes": None, "path": name} for name in row["images"]],
        "dataset": "rows.jsonl",
    }  # fmt: skip
    garbage = '{"response": "half a\n[]\n' if _told("GARBAGE") else ""
    return f"{garbage}{json.dumps(result, ensure_ascii=False)}\n"


def _holds(name: str, row: dict[str, Any]) -> bool:
    """Whether a row has the text that a variable gives."""
    text = os.environ.get(f"STAND_IN_{name}")
    return text is not None and text in row["messages"][0]["content"]


def _steps(arguments: argparse.Namespace) -> int:
    done = int(arguments.resume_from_checkpoint.name[11:]) if arguments.resume_from_checkpoint else 0
    total = _told("STEPS") or 4
    for step in range(done + 1, total + 1):
        row = {"loss": 10 / step, "learning_rate": 1e-6, "global_step/max_steps": f"{step}/{total}"}
        with (arguments.output_dir / "logging.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        sys.stderr.write(f"\rTrain: {step}/{total}\n\x1b[31m{row}\x1b[0m\n")
        if step % 2 == 0:
            _save(arguments.output_dir / f"checkpoint-{step}", step)
        if step == done + 2 and _told("HANG"):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.pause()
        if step == done + 2 and _told("FAIL"):
            sys.stderr.write("RuntimeError: the loss is not a number\n")
            return _told("FAIL")
    return 0


def _save(checkpoint: Path, step: int) -> None:
    checkpoint.mkdir()
    (checkpoint / "adapter_model.safetensors").write_bytes(b"")
    (checkpoint / "trainer_state.json").write_text(json.dumps({"global_step": step}))


def _note(code: str, **more: Any) -> None:
    note = os.environ.get("STAND_IN_NOTE")
    worker = subprocess.Popen([sys.executable, "-c", code], start_new_session=True) if note else None
    if note and worker:
        line = {"processes": [os.getpid(), worker.pid], "argv": sys.argv[2:], "env": dict(os.environ), **more}
        with Path(note).open("a") as file:
            file.write(json.dumps(line) + "\n")


def _told(name: str) -> int:
    return int(os.environ.get(f"STAND_IN_{name}", "0"))


if __name__ == "__main__":
    if sys.argv[1] == "train":
        verb = infer if sys.argv[2] == "infer" else train
        sys.exit(verb(sys.argv[2:]))
    for question_line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(question_line), sys.argv[2])) + "\n")
        sys.stdout.flush()
