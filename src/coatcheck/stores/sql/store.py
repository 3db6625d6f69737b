"""The store for sync programs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

from sqlalchemy import Engine

from coatcheck.core.record import StoredRecord
from coatcheck.errors import UsageError
from coatcheck.stores.sql.drivers import OPTIONS, choices, make_engine
from coatcheck.stores.sql.operations import Operations
from coatcheck.stores.sql.table import DEFAULT_NAME
from coatcheck.stores.url import StoreURL


class SQLStore:
    """Keeps records in a table of PostgreSQL, MySQL or MariaDB.

    Args:
        engine: yours, with your driver, pool and limits of time; it stays yours to dispose of.
            An operation takes a connection of its own and commits: it is no part of your transactions.
        table: its name.
        create: whether the table is made when it turns out to be missing.
        sweep: whether inserts now and then remove some expired records.
        clock: gives seconds since 1970.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        table: str = DEFAULT_NAME,
        create: bool = True,
        sweep: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not isinstance(engine, Engine) or engine.dialect.is_async:
            raise UsageError("SQLStore takes an Engine of SQLAlchemy; for an AsyncEngine there is AsyncSQLStore")
        self._operations = Operations(engine, table=table, create=create, sweep=sweep, clock=clock)

    @classmethod
    def from_url(cls, url: StoreURL, *, clock: Callable[[], float] = time.time) -> Self:
        """`postgresql://user:password@host/database`, `mysql://...`, `mariadb://...`, with a driver or without."""
        url.check(OPTIONS)
        return cls(make_engine(url), clock=clock, **choices(url))

    def __repr__(self) -> str:
        return f"<SQLStore in {self._operations.kind}, table {self._operations.table.name}>"

    def read(self, key: bytes) -> StoredRecord | None:
        return self._operations.read(key)

    def insert(self, key: bytes, record: StoredRecord) -> bool:
        return self._operations.insert(key, record)

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        return self._operations.replace(key, record, seen)

    def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        return self._operations.touch(key, used_at, expires_at, seen)

    def delete(self, key: bytes) -> None:
        self._operations.delete(key)

    def sweep(self, limit: int = 1000) -> int:
        """As `Sweeping.sweep`."""
        return self._operations.sweep(limit)

    def owned_by(self, owner: bytes) -> list[tuple[bytes, StoredRecord]]:
        """As `Index.owned_by`."""
        return self._operations.owned_by(owner)

    def close(self) -> None:
        """Closes the connections, unless the engine is yours. The next operation opens one again."""
        if self._operations.is_ours:
            self._operations.engine.dispose()
