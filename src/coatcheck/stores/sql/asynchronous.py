"""The store for asyncio."""

from __future__ import annotations

import time
from asyncio import AbstractEventLoop, get_running_loop
from collections.abc import Callable
from typing import Any, Self, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from coatcheck.core.record import StoredRecord
from coatcheck.errors import UsageError
from coatcheck.stores.sql.drivers import OPTIONS, choices, make_async_engine
from coatcheck.stores.sql.operations import Operations
from coatcheck.stores.sql.table import DEFAULT_NAME
from coatcheck.stores.url import StoreURL

_T = TypeVar("_T")


class AsyncSQLStore:
    """As `SQLStore`, with an `AsyncEngine`."""

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        table: str = DEFAULT_NAME,
        create: bool = True,
        sweep: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not isinstance(engine, AsyncEngine):
            raise UsageError("AsyncSQLStore takes an AsyncEngine of SQLAlchemy; for an Engine there is SQLStore")
        self._operations = Operations(engine.sync_engine, table=table, create=create, sweep=sweep, clock=clock)
        self._loop: AbstractEventLoop | None = None

    @classmethod
    def from_url(cls, url: StoreURL, *, clock: Callable[[], float] = time.time) -> Self:
        """As `SQLStore.from_url`; the drivers are psycopg, asyncpg and asyncmy."""
        url.check(OPTIONS)
        return cls(make_async_engine(url), clock=clock, **choices(url))

    def __repr__(self) -> str:
        return f"<AsyncSQLStore in {self._operations.kind}, table {self._operations.table.name}>"

    async def _run(self, operation: Callable[..., _T], *arguments: Any) -> _T:
        loop = get_running_loop()
        if loop is not self._loop:
            if self._loop is not None:
                # Connections of a loop that has ended, as test runners make one for each test, work no more.
                self._operations.forget_connections()
            self._loop = loop
        return await greenlet_spawn(operation, *arguments)

    async def read(self, key: bytes) -> StoredRecord | None:
        return await self._run(self._operations.read, key)

    async def insert(self, key: bytes, record: StoredRecord) -> bool:
        return await self._run(self._operations.insert, key, record)

    async def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        return await self._run(self._operations.replace, key, record, seen)

    async def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        return await self._run(self._operations.touch, key, used_at, expires_at, seen)

    async def delete(self, key: bytes) -> None:
        await self._run(self._operations.delete, key)

    async def sweep(self, limit: int = 1000) -> int:
        """As `AsyncSweeping.sweep`."""
        return await self._run(self._operations.sweep, limit)

    async def owned_by(self, owner: bytes) -> list[tuple[bytes, StoredRecord]]:
        """As `AsyncIndex.owned_by`."""
        return await self._run(self._operations.owned_by, owner)

    async def close(self) -> None:
        """Closes the connections, unless the engine is yours. The next operation opens one again."""
        if self._operations.is_ours:
            await self._run(self._operations.engine.dispose)
