"""YAML that means what it seems to say.

A key that stands twice is an error instead of a silent loss. Numbers are those of YAML 1.2: ``1e3`` is one,
``1:30`` is no 90, ``010`` no 8, and a date is a text. Aliases are bounded: few lines can't mean millions.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

_MOST_VALUES = 100_000
"""That a file may stand for, its aliases written out."""

_TAG = "tag:yaml.org,2002:"
_RESOLVED_ANEW = (f"{_TAG}int", f"{_TAG}float", f"{_TAG}timestamp")
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F]+)$")
_FLOAT = re.compile(
    r"""[-+]?(?:[0-9][0-9_]*\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$
      | [-+]?[0-9]+[eE][-+]?[0-9]+$
      | [-+]?\.(?:inf|Inf|INF)$
      | \.(?:nan|NaN|NAN)$""",
    re.VERBOSE,
)


def parse_yaml(text: str) -> Any:
    """The value of a document.

    Raises:
        yaml.YAMLError: it is not valid; with its place, where it has one.
        RecursionError, ValueError: it nests too deeply, or holds a number of thousands of digits.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _written_out(node, {})
        return loader.construct_document(node)
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _error("keys must be words", key)
            if key.value in seen:
                raise _error(f"the key `{key.value}` stands twice", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag not in _RESOLVED_ANEW]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(f"{_TAG}int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+.0123456789"))


def _written_out(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for; ``known``: what has been counted, 0 for what is being counted."""
    if id(node) in known:
        if not known[id(node)]:
            raise _error("an alias stands for something that it is a part of", node)
        return known[id(node)]
    known[id(node)] = 0
    parts = [] if isinstance(node, yaml.ScalarNode) else list(node.value)
    inner = [part for pair in parts for part in (pair if isinstance(pair, tuple) else (pair,))]
    count = 1 + sum(_written_out(part, known) for part in inner)
    if count > _MOST_VALUES:
        raise _error(f"with its aliases it holds more than {_MOST_VALUES:,} values", node)
    known[id(node)] = count
    return count


def _error(why: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, why, node.start_mark)
