"""What both stores do with an engine: ask once, in one round trip, and again only where that is safe."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar
from weakref import WeakSet

from sqlalchemy import Engine, Table, event
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from coatcheck.core.record import StoredRecord
from coatcheck.errors import StoreError, UsageError
from coatcheck.stores.sql import failures
from coatcheck.stores.sql.drivers import timeout_of
from coatcheck.stores.sql.statements import Statement, statements
from coatcheck.stores.sql.table import KINDS, create_statements, sessions_table
from coatcheck.stores.sweeping import sweep_by_the_way, sweep_in_batches

_T = TypeVar("_T")

# When a connection was made, in its `info`.
_MADE_AT = "coatcheck_made_at"
# Each time somebody else got on, and nobody has so many requests for one session at once.
_ATTEMPTS = 10
# A connection that died in the pool says so at once. What fails later did not answer in time, and is not asked again.
_DEAD_WITHIN = 0.5


class _Taken(Exception):
    """There is a record under the key."""


class Operations:
    """The operations of a store, for `SQLStore` as they are and for `AsyncSQLStore` in a greenlet.

    They use the connections of the pool without SQLAlchemy's `Connection`: of the 190 us of a read from PostgreSQL
    beside it, that saves 75, and 120 of 300 with asyncio. A round trip alone is 90.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        table: str,
        create: bool,
        sweep: bool,
        clock: Callable[[], float],
    ) -> None:
        dialect = engine.dialect
        if dialect.name not in KINDS:
            raise UsageError(f"there is no store in {dialect.name}; there is one in {', '.join(KINDS.values())}")
        self.kind: str = KINDS[dialect.name]
        self.table: Table = sessions_table(table)
        self.engine = engine
        timeout = timeout_of(engine)
        self.is_ours: bool = timeout is not None
        self._dead_within = min(_DEAD_WITHIN, (timeout or 1) / 2)
        self._creates = create
        self._sweeps = sweep
        self._clock = clock
        self._said = statements(self.table, dialect)
        event.listen(engine, "connect", _note_time)
        _all.add(self)

    def read(self, key: bytes) -> StoredRecord | None:
        row = self._ask(self._said.read, {"key": key}, _first)
        return None if row is None or row[2] <= self._clock() else _record(*row)

    def insert(self, key: bytes, record: StoredRecord) -> bool:
        values = self._values(key, record)
        done = self._insert(values)
        if not done and self._said.vacate is not None:
            self._ask(self._said.vacate, values, _count)
            done = self._insert(values)
        # Whoever is told that the key is taken may have taken it: the first answer was lost with its connection.
        done = done or self._is_there(key, values["version"])
        if self._sweeps:
            sweep_by_the_way(self.sweep, key)
        return done

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        values = self._values(key, record, seen=seen)
        if self._ask(self._said.replace, values, _count) == 1:
            return True
        return "asked_again" in values and self._is_there(key, values["version"])

    def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        values = {"key": key, "used_at": used_at, "expires_at": expires_at, "seen": seen, "now": int(self._clock())}
        return self._ask(self._said.touch, values, _count) == 1

    def delete(self, key: bytes) -> None:
        self._ask(self._said.delete, {"key": key}, _count)

    def sweep(self, limit: int = 1000) -> int:
        now = int(self._clock())
        return sweep_in_batches(lambda batch: self._ask(self._said.sweep, {"now": now, "limit": batch}, _count), limit)

    def owned_by(self, owner: bytes) -> list[tuple[bytes, StoredRecord]]:
        rows = self._ask(self._said.owned_by, {"owner": owner or None, "now": int(self._clock())}, _rows)
        return [(bytes(row[0]), _record(*row[1:])) for row in rows]

    def _values(self, key: bytes, record: StoredRecord, **more: object) -> dict[str, Any]:
        return {
            "key": key,
            "content": record.content,
            "used_at": record.used_at,
            "expires_at": record.expires_at,
            "owner": record.owner or None,
            # Drawn, not counted: a record that is made anew under an old key has another.
            "version": int.from_bytes(os.urandom(8)) >> 1,
            "now": int(self._clock()),
            **more,
        }

    def _insert(self, values: dict[str, Any]) -> bool:
        try:
            return self._ask(self._said.insert, values, _count) == 1
        except _Taken:
            return False

    def _is_there(self, key: bytes, version: int) -> bool:
        row = self._ask(self._said.read, {"key": key}, _first)
        return row is not None and row[4] == version

    # Asking

    def _ask(self, statement: Statement, values: dict[str, Any], take: Callable[[DBAPICursor], _T]) -> _T:
        """Gives what is taken from the answer to a statement.

        Where it was asked again, because a connection had died, the values say `asked_again`.
        """
        began = asked = time.monotonic()
        attempt = 1
        while True:
            connection = None
            try:
                connection = self.engine.raw_connection()
                asked = time.monotonic()
                cursor = connection.cursor()
                cursor.execute(statement.text, statement.arguments(values))
                answer = take(cursor)
                cursor.close()
                if not self.is_ours:
                    # Ours does so by itself.
                    connection.commit()
                connection.close()
                return answer
            except Exception as error:  # noqa: BLE001 - drivers raise what they like, and all of it is the store's fault
                if connection is None:
                    self._fail(error)
                if self._is_dead(connection, error):
                    was_pooled = connection.info.get(_MADE_AT, 0) < began
                    _abandon(connection)
                    if not was_pooled or time.monotonic() - asked > self._dead_within:
                        self._fail(error)
                    values["asked_again"] = True
                else:
                    connection.close()
                    self._remedy(error, attempt)
                    # As many connections of a pool can be dead as there are; other reasons count.
                    attempt += 1
            except BaseException:
                # A task was cancelled: an answer is under way that nobody waits for.
                if connection is not None:
                    _abandon(connection)
                raise

    def _is_dead(self, connection: PoolProxiedConnection, error: Exception) -> bool:
        """Says whether a connection is of no more use after an error."""
        dialect = self.engine.dialect
        is_reported = dialect.loaded_dbapi is not None and isinstance(error, dialect.loaded_dbapi.Error)
        return not is_reported or dialect.is_disconnect(error, connection, None)  # type: ignore[arg-type]

    def _remedy(self, error: Exception, attempt: int) -> None:
        """Returns where it makes sense to ask again after an error that the database reported."""
        code = failures.code(error)
        if code in failures.TAKEN:
            raise _Taken from None
        if attempt == 1 and code in failures.NO_TABLE and self._creates:
            self._create()
        elif attempt >= _ATTEMPTS or code not in failures.UNDONE:
            self._fail(error)

    def _fail(self, error: Exception, what: str = "cannot be used") -> NoReturn:
        raise StoreError(f"{self.kind} {what}: {failures.cause(error)}") from None

    def _create(self) -> None:
        try:
            with (
                self.engine.connect().execution_options(isolation_level="READ COMMITTED") as connection,
                connection.begin(),
            ):
                for statement in create_statements(self.table, self.engine.dialect):
                    connection.exec_driver_sql(statement)
        except Exception as error:  # noqa: BLE001 - as above
            cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
            if failures.code(cause) not in failures.EXISTS_ALREADY:
                self._fail(cause, "has no table for the sessions, and none can be made")

    def forget_connections(self) -> None:
        """Has new connections made, and says nothing to anybody in those that are there."""
        self.engine.dispose(close=False)

    def after_fork(self) -> None:
        # A connection that is thrown away takes leave of the server: here, in the parent's name.
        _left_behind.append(self.engine.pool)
        self.forget_connections()


_all: WeakSet[Operations] = WeakSet()
_left_behind: list[object] = []


def _after_fork() -> None:
    for operations in list(_all):
        operations.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _abandon(connection: PoolProxiedConnection) -> None:
    terminate = getattr(connection.driver_connection, "terminate", None)
    if terminate is not None:
        # asyncpg's way to go without a word. Otherwise it takes leave, and waits for two seconds for the answer.
        terminate()
    connection.invalidate()


def _note_time(_connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    entry.info[_MADE_AT] = time.monotonic()


def _record(content: bytes, used_at: int, expires_at: int, owner: bytes | None, version: int) -> StoredRecord:
    # Some drivers give views of memory.
    return StoredRecord(bytes(content), used_at, expires_at, bytes(owner or b""), version)


def _first(cursor: DBAPICursor) -> Any:
    return cursor.fetchone()


def _rows(cursor: DBAPICursor) -> Any:
    return cursor.fetchall()


def _count(cursor: DBAPICursor) -> int:
    return cursor.rowcount
