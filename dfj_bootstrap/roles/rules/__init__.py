"""The embedded ``rules`` backend: generator, evaluator, writer and paraphraser without a model.

It exists so that everything can be run with no key and no GPU. It is deterministic on every machine, does
no I/O, and works in English. What it makes is templated prose: good for demos, tests and trying a
pipeline out, not for training a judge that people rely on.

The evaluator reads candidate texts only: it imports nothing of the generator, and no mark passes between
them.
"""

from dfj_bootstrap.roles.rules.evaluator import RulesEvaluator
from dfj_bootstrap.roles.rules.generator import RulesGenerator
from dfj_bootstrap.roles.rules.paraphraser import RulesParaphraser
from dfj_bootstrap.roles.rules.writer import RulesWriter

__all__ = ["RulesEvaluator", "RulesGenerator", "RulesParaphraser", "RulesWriter"]
