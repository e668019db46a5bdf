"""The configuration of ``dfj detect``."""

from __future__ import annotations

from dfj_bootstrap.config.predicting import PredictingConfig, Predictor


class DetectorRole(Predictor):
    """Says of a picture whether it is real, fake or edited, and why."""

    prompt: str = "detector/v1"
    """A shipped prompt (`role/version`) or the path of your own file."""


class DetectConfig(PredictingConfig):
    """A run of a detector."""

    detector: DetectorRole
