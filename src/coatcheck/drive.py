"""Runs the engine's generators against stores: the one to write, and an earlier one that sessions are moved from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from coatcheck.core.operations import Steps
from coatcheck.errors import StoreError
from coatcheck.stores.protocols import AsyncStore, Store

_T = TypeVar("_T")


def run(steps: Steps[_T], stores: Sequence[Store | None] = ()) -> _T:
    """Gives what a verb of the engine decides. Raises `StoreError` and what the verb raises."""
    try:
        place, method, arguments = next(steps)
        while True:
            try:
                answer = getattr(stores[place], method)(*arguments)
            except StoreError as error:
                place, method, arguments = steps.throw(error)
            else:
                place, method, arguments = steps.send(answer)
    except StopIteration as end:
        decided: _T = end.value
        return decided


async def run_async(steps: Steps[_T], stores: Sequence[AsyncStore | None] = ()) -> _T:
    """As `run`, for asyncio."""
    try:
        place, method, arguments = next(steps)
        while True:
            try:
                answer = await getattr(stores[place], method)(*arguments)
            except StoreError as error:
                place, method, arguments = steps.throw(error)
            else:
                place, method, arguments = steps.send(answer)
    except StopIteration as end:
        decided: _T = end.value
        return decided
