"""Entry point for ``ray job submit --working-dir . -- python jobs/generate.py CONFIG --output DIR``.

Ray turns any non-zero exit code into 1; the last log line says which it was and what it means.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the working dir need not be installed

from dfj_bootstrap.cli.main import run_job

if __name__ == "__main__":
    sys.exit(run_job("generate"))
