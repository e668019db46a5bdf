"""dfj-bootstrap: grow graded rationale ladders into DFJ-Meta, the training data of a reasoning judge.

The package root imports nothing, so that ``import dfj_bootstrap`` and ``dfj --help`` stay light.
"""

__version__ = "0.1.0"
