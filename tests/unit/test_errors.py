"""Errors cross process borders whole, and a group of them comes down to the one that a person needs."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest

from dfj_bootstrap.errors import (
    CallFailed,
    ConfigError,
    DfjError,
    RunError,
    RunFolderError,
    Unusable,
    unwrapped,
)
from dfj_bootstrap.intake.image_paths import BadImage
from dfj_bootstrap.intake.item_rows import RowRefused

_ARGUMENTS: dict[type[BaseException], tuple[str, ...]] = {
    Unusable: ("generator_unparsable", "raw text"),
    RowRefused: ("annotations.0.box", "has no area"),
}


def _family(root: type[DfjError]) -> Iterator[type[DfjError]]:
    yield root
    for child in root.__subclasses__():
        yield from _family(child)


TYPES = [*dict.fromkeys(_family(DfjError)), RowRefused]


def test_all_error_types_are_under_test() -> None:
    assert {BadImage, ConfigError, CallFailed, Unusable} <= set(TYPES)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_every_error_type_survives_pickling(kind: type[Exception]) -> None:
    error = kind(*_ARGUMENTS.get(kind, ("what went wrong and what to do",)))
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert copy.args == error.args
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_an_error_that_is_no_group_is_its_own() -> None:
    error = CallFailed("dropped")
    assert unwrapped(error) is error


def test_of_a_group_the_one_that_stops_the_run_is_told_however_deep_it_lies() -> None:
    told = RunFolderError("the disk is full")
    inner = ExceptionGroup("inner", [ValueError("a consequence"), told])
    assert unwrapped(ExceptionGroup("outer", [CallFailed("dropped"), inner])) is told


def test_of_a_group_without_such_an_error_the_first_is_told() -> None:
    first = TypeError("a bug")
    assert unwrapped(BaseExceptionGroup("group", [first, KeyError("another")])) is first


def test_only_errors_that_stop_the_run_are_run_errors() -> None:
    assert not issubclass(CallFailed, RunError)
    assert not issubclass(Unusable, RunError)
    assert not issubclass(BadImage, RunError)
