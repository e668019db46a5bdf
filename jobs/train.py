"""Entry point for ``ray job submit --working-dir . -- python jobs/train.py RUN --task TASK …``.

Ray turns any non-zero exit code into 1; the last log line says which it was and what it means.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the working dir need not be installed

from dfj_bootstrap.cli.main import MEANINGS, run

if __name__ == "__main__":
    code = run(["train", *sys.argv[1:]])
    meaning = MEANINGS.get(code, "the trainer's own; OUTPUT/train.log has all that it said")
    sys.stderr.write(f"exit code {code}: {meaning}\n")
    sys.exit(code)
