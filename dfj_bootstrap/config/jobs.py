"""The configurations of all jobs: one YAML file may hold what several of them need."""

from __future__ import annotations

from dfj_bootstrap.config.detect import DetectConfig
from dfj_bootstrap.config.judge import JudgeConfig
from dfj_bootstrap.config.run import RunConfig
from dfj_bootstrap.config.tree import Config

CONFIGS: tuple[type[RunConfig], ...] = (Config, JudgeConfig, DetectConfig)


def is_of_another_job(key: object, kind: type[RunConfig]) -> bool:
    """Whether a top-level key says something to other jobs only."""
    return key not in kind.model_fields and any(key in other.model_fields for other in CONFIGS)
