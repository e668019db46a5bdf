"""The preview of a run: a few seeds in a folder of their own; the run takes over what it has paid for."""

from __future__ import annotations

import logging
from pathlib import Path

from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.roles.generation import FORMS
from dfj_bootstrap.roles.identity import made_with_another
from dfj_bootstrap.storage.folder import is_empty, throw_away_preview
from dfj_bootstrap.storage.lock import run_lock
from dfj_bootstrap.storage.manifest import read_manifest

_LOG = logging.getLogger(__name__)


def preview_folder(config: Config) -> Path:
    """Where the preview of a run lies."""
    return config.output.with_name(f"{config.output.name}.preview")


def preview_config(config: Config) -> Config:
    """The configuration of a preview: the local engine, in a folder beside the run's own.

    A preview that was made with something else is thrown away: nothing else can use it.
    """
    folder = preview_folder(config)
    manifest = read_manifest(folder)
    if manifest and made_with_another(manifest, config, FORMS):
        with run_lock(folder):
            throw_away_preview(folder)
    engine = config.engine.model_copy(update={"kind": "local"})
    return config.model_copy(update={"output": folder, "engine": engine})


def adopt_preview(config: Config) -> None:
    """Let a run that starts now take over what its preview has paid for, if it is of the same making."""
    folder, target = preview_folder(config), config.output.resolve()
    if not is_empty(target) or not folder.is_dir():
        return
    manifest = read_manifest(folder)
    if manifest and not made_with_another(manifest, config, FORMS) and not manifest.get("dataset"):
        with run_lock(folder):
            try:
                folder.rename(target)  # an empty folder there is replaced
            except OSError as error:
                _LOG.warning("%s: cannot be taken over from here: %s", folder, error.strerror)
