"""Runs the steps of the page: with the calls of a sync program, or awaiting those of one with asyncio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeAlias, cast

from coatcheck.errors import UsageError
from coatcheck.pages.reply import Reply

Ask: TypeAlias = Callable[[Any], Any]
"""What is asked: called with the accounts, it gives the answer, or for asyncio an awaitable of it."""
Steps: TypeAlias = Generator[Ask, Any, Reply]


def run_page(steps: Steps, accounts: Any) -> Reply:
    """Gives what the page answers.

    Args:
        accounts: what has the calls of `coatcheck.accounts.AccountCalls`.
    """
    try:
        ask = next(steps)
        while True:
            try:
                found = ask(accounts)
            except Exception as error:  # noqa: BLE001  # what the steps do not catch comes out again
                ask = steps.throw(error)
            else:
                if isinstance(found, Awaitable):
                    getattr(found, "close", lambda: None)()
                    raise UsageError("place= and logout= are not awaited here: they must be no coroutine functions")
                ask = steps.send(found)
    except StopIteration as end:
        return cast(Reply, end.value)


async def run_page_async(steps: Steps, accounts: Any) -> Reply:
    """As `run_page`, for asyncio."""
    try:
        ask = next(steps)
        while True:
            try:
                found = ask(accounts)
                if isinstance(found, Awaitable):
                    found = await found
            except Exception as error:  # noqa: BLE001  # as above
                ask = steps.throw(error)
            else:
                ask = steps.send(found)
    except StopIteration as end:
        return cast(Reply, end.value)
