"""Runs the engine's generators against stores: the one to write, and an earlier one that sessions are moved from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakValueDictionary

from coatcheck.core.operations import Steps
from coatcheck.errors import StoreError
from coatcheck.stores.protocols import AsyncStore, Store

if TYPE_CHECKING:
    # A sync program does without it.
    import asyncio

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
    except BaseException:
        # What was begun ends now, and not when whoever caught this has forgotten it: there may be a second try by then.
        steps.close()
        raise


async def run_async(steps: Steps[_T], stores: Sequence[AsyncStore | None] = ()) -> _T:
    """As `run`, for asyncio."""
    turn: asyncio.Lock | None = None
    try:
        place, method, arguments = next(steps)
        while True:
            try:
                answer = await getattr(stores[place], method)(*arguments)
            except StoreError as error:
                place, method, arguments = steps.throw(error)
                continue
            if turn is None and method == "replace" and answer is False:
                turn = await _take_turn(arguments[0])
            place, method, arguments = steps.send(answer)
    except StopIteration as end:
        decided: _T = end.value
        return decided
    except BaseException:
        steps.close()
        raise
    finally:
        if turn is not None:
            turn.release()


# By event loop and key of a record. A lock lasts as long as somebody holds it or waits for it.
_turns: WeakValueDictionary[tuple[object, bytes], asyncio.Lock] = WeakValueDictionary()
_PATIENCE = 1


async def _take_turn(key: bytes) -> asyncio.Lock | None:
    """Has the tasks of a loop that collided at one record go on one after the other.

    They would try again in step, and all but one of them in vain: 64 writers of one session
    took 26 tries each and up to 5 seconds, and take 2 tries and a tenth of a second so. Gives
    None after a second, for another may be waiting for a store that does not answer.
    """
    import asyncio  # noqa: PLC0415

    turn = _turns.setdefault((asyncio.get_running_loop(), key), asyncio.Lock())
    try:
        async with asyncio.timeout(_PATIENCE):
            await turn.acquire()
    except TimeoutError:
        return None
    return turn
