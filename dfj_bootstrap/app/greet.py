"""``dfj check --live`` as an operation: the job that speaks to each model, in a folder that goes away."""

from __future__ import annotations

import tempfile
from pathlib import Path

from PIL import Image

from dfj_bootstrap.app.start import Display, Options, start
from dfj_bootstrap.config.paid import PaidModel
from dfj_bootstrap.config.run import RunConfig
from dfj_bootstrap.config.sections import EngineConfig
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.domain.seed import ImageRef
from dfj_bootstrap.endpoints.prices import with_prices
from dfj_bootstrap.intake.images import open_image
from dfj_bootstrap.storage.reader import open_run
from dfj_bootstrap.tasks.greet import ATTEMPTS, Greet, Spoken

_SIDE = 28
"""Pixels of the picture's sides."""


def speak_to_all(config: RunConfig, display: Display) -> dict[str, Spoken]:
    """Ask each model in use once; model's name → how it did.

    Raises:
        ConfigError: a key or an extra is missing.
    """
    if not config.paid_models:
        return {}
    with tempfile.TemporaryDirectory(prefix="dfj-check-") as scratch:
        run = Path(scratch) / "run"
        task = Greet(_brief(with_prices(config), run), _picture(Path(scratch)))
        start(task, Options(patient=False), display)
        found = {row.pop("name"): Spoken(**row) for row in open_run(run).rows("models")}
    return {name: found[name] for name in config.paid_models}


def _brief(config: RunConfig, run: Path) -> RunConfig:
    """The same models, given up sooner; no money is counted, and similarity needs no call."""
    models = {
        name: model.model_copy(update={"max_attempts": min(model.max_attempts, ATTEMPTS)})
        if isinstance(model, PaidModel)
        else model
        for name, model in config.models.items()
    }
    update = {"models": models, "output": run, "engine": EngineConfig(), "budget_usd": None}
    if isinstance(config, Config):
        update["similarity"] = config.similarity.model_copy(update={"backend": "none"})
    return config.model_copy(update=update)


def _picture(folder: Path) -> ImageRef:
    Image.new("RGB", (_SIDE, _SIDE), (120, 130, 140)).save(folder / "grey.png")
    return open_image(folder, "grey.png")
