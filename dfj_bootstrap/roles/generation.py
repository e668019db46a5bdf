"""The four roles of generation, each played by a model or by the embedded rules."""

from __future__ import annotations

from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.prompting import messages
from dfj_bootstrap.prompting.templates import load_prompt
from dfj_bootstrap.roles.casting import Cast
from dfj_bootstrap.roles.identity import Forms
from dfj_bootstrap.roles.model import ModelEvaluator, ModelGenerator, ModelParaphraser, ModelWriter
from dfj_bootstrap.roles.rules import RulesEvaluator, RulesGenerator, RulesParaphraser, RulesWriter
from dfj_bootstrap.stages.protocols import Evaluator, Generator, Paraphraser, Roles, Writer

FORMS: Forms = {
    "writer": {"prompt": messages.WRITER},
    "generator": {"prompt": messages.GENERATOR},
    "evaluator": {"prompt": messages.EVALUATOR, "justify_prompt": messages.JUSTIFY},
    "paraphraser": {"prompt": messages.PARAPHRASER},
}
"""The prompts of each role."""


def generation_roles(config: Config, cast: Cast) -> Roles:
    """Everyone who works on a seed.

    Raises:
        ConfigError: a prompt isn't there, or has wrong placeholders.
    """
    return Roles(
        _writer(config, cast),
        _generator(config, cast),
        _evaluator(config, cast),
        _paraphraser(config, cast),
        cast.similarity,
    )


def _writer(config: Config, cast: Cast) -> Writer:
    role, line = config.writer, cast.line("writer")
    return ModelWriter(line, role, load_prompt(role.prompt)) if line else RulesWriter()


def _generator(config: Config, cast: Cast) -> Generator:
    role, line = config.generator, cast.line("generator")
    return ModelGenerator(line, role, load_prompt(role.prompt)) if line else RulesGenerator()


def _evaluator(config: Config, cast: Cast) -> Evaluator:
    role, line = config.evaluator, cast.line("evaluator")
    if line is None:
        return RulesEvaluator()
    return ModelEvaluator(line, role, load_prompt(role.prompt), load_prompt(role.justify_prompt))


def _paraphraser(config: Config, cast: Cast) -> Paraphraser:
    role, line = config.paraphraser, cast.line("paraphraser")
    return ModelParaphraser(line, role, load_prompt(role.prompt)) if line else RulesParaphraser()
