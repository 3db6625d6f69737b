"""Runs the engine's generators."""

from __future__ import annotations

from typing import TypeVar

from coatcheck.core.engine import Steps

_T = TypeVar("_T")


def run(steps: Steps[_T]) -> _T:
    """Gives what a verb of the engine decides."""
    try:
        next(steps)
    except StopIteration as end:
        decided: _T = end.value
        return decided
    raise AssertionError("a sealed cookie needs no store")
