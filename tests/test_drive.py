"""The driver runs a verb of the engine to its end."""

from __future__ import annotations

from typing import Any

import pytest

from coatcheck.core.engine import Steps
from coatcheck.drive import run


def decides(value: Any) -> Steps[Any]:
    yield from ()
    return value


def fails(error: Exception) -> Steps[Any]:
    yield from ()
    raise error


def asks() -> Steps[Any]:
    yield "a record"  # type: ignore[misc]  # there is no operation yet


@pytest.mark.parametrize("value", [None, False, (), {"a": 1}])
def test_what_the_verb_decides_comes_back(value: Any) -> None:
    assert run(decides(value)) is value


def test_what_the_verb_raises_comes_out() -> None:
    error = KeyError("a")
    with pytest.raises(KeyError) as caught:
        run(fails(error))
    assert caught.value is error


def test_an_operation_that_nobody_can_do_is_a_defect() -> None:
    with pytest.raises(AssertionError, match="needs no store"):
        run(asks())
