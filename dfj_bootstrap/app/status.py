"""How a run of any job stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dfj_bootstrap.storage.ledger import Ledger
from dfj_bootstrap.storage.manifest import read_manifest
from dfj_bootstrap.storage.status import read_status
from dfj_bootstrap.tasks.registry import ledger_of


def status_and_ledger(run: Path) -> tuple[Ledger, dict[str, Any]]:
    """The state and the figures of a run, and what they are about.

    Raises:
        RunFolderError: the folder holds no run.
    """
    ledger = ledger_of(run, read_manifest(run) or {})
    return ledger, read_status(run, ledger)
