"""Connections of psycopg that wait for an answer only so long."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import ConnectionTimeout, _WaitTimeout
from psycopg.waiting import wait_async

_T = TypeVar("_T")


class BoundedConnection(psycopg.Connection[Any]):
    """A `statement_timeout` is kept by the server. One that is frozen keeps none, and libpq would wait for ever."""

    limit: float | None = None

    def wait(self, gen: PQGen[_T], interval: float = 0.1, timeout: float | None = None) -> _T:  # noqa: ARG002
        try:
            return super().wait(gen, interval, self.limit)
        except _WaitTimeout:
            # The answer may still come, and must not be taken for that to another question.
            self.close()
            raise ConnectionTimeout("the server did not answer in time") from None


class BoundedAsyncConnection(psycopg.AsyncConnection[Any]):
    """As `BoundedConnection`, for asyncio."""

    limit: float | None = None

    async def wait(self, gen: PQGen[_T], interval: float = 0.1, timeout: float | None = None) -> _T:  # noqa: ARG002, ASYNC109
        try:
            return await wait_async(gen, self.pgconn.socket, interval=interval, timeout=self.limit)
        except _WaitTimeout:
            await self.close()
            raise ConnectionTimeout("the server did not answer in time") from None
        except CancelledError:
            # psycopg would ask the server to give up the statement, and wait up to ten seconds for one that is frozen.
            self.pgconn.finish()
            raise


def connecting(limit: float) -> Callable[..., BoundedConnection]:
    """Gives what makes connections that wait for so many seconds at most."""

    def connect(*arguments: Any, **options: Any) -> BoundedConnection:
        connection = BoundedConnection.connect(*arguments, **options)
        connection.limit = limit
        return connection

    return connect


def async_connecting(limit: float) -> Callable[..., Awaitable[BoundedAsyncConnection]]:
    """As `connecting`, for asyncio."""

    async def connect(*arguments: Any, **options: Any) -> BoundedAsyncConnection:
        connection = await BoundedAsyncConnection.connect(*arguments, **options)
        connection.limit = limit
        return connection

    return connect
