"""`sqlite:///file.db`: sessions in one file, for the processes of one machine. Nothing to install, nothing to run."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from coatcheck.core.record import StoredRecord
from coatcheck.errors import UsageError
from coatcheck.stores.sqlite_file import DatabaseFile
from coatcheck.stores.sweeping import sweep_by_the_way, sweep_in_batches
from coatcheck.stores.url import StoreURL

# A table with rowids: WITHOUT ROWID makes a read three times and a write twice as slow, and the file twice as large, at
# 50 000 records of 1500 bytes. Such rows do not fit into the inner pages of a tree.
_SCHEMA = (
    """
    CREATE TABLE IF NOT EXISTS sessions (
        key BLOB PRIMARY KEY NOT NULL,
        content BLOB NOT NULL,
        version INTEGER NOT NULL,
        used_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        owner BLOB
    )""",
    "CREATE INDEX IF NOT EXISTS sessions_expires_at ON sessions (expires_at)",
    "CREATE INDEX IF NOT EXISTS sessions_owner ON sessions (owner) WHERE owner IS NOT NULL",
)
_READ = "SELECT content, used_at, expires_at, owner, version FROM sessions WHERE key = ?"
_INSERT = """
    INSERT INTO sessions (content, used_at, expires_at, owner, version, key) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET content = excluded.content, used_at = excluded.used_at,
        expires_at = excluded.expires_at, owner = excluded.owner, version = excluded.version
    WHERE sessions.expires_at <= ?"""
_REPLACE = """
    UPDATE sessions SET content = ?, used_at = ?, expires_at = ?, owner = ?, version = ?
    WHERE key = ? AND version = ? AND expires_at > ?"""
_TOUCH = "UPDATE sessions SET used_at = ?, expires_at = ? WHERE key = ? AND version = ? AND expires_at > ?"
_DELETE = "DELETE FROM sessions WHERE key = ?"
_SWEEP = """
    DELETE FROM sessions WHERE rowid IN
        (SELECT rowid FROM sessions WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)"""
_OWNED_BY = """
    SELECT key, content, used_at, expires_at, owner, version FROM sessions
    WHERE owner = ? AND expires_at > ? ORDER BY used_at DESC"""

_SYNCHRONOUS = ("normal", "full", "extra")


class SQLiteStore:
    """Keeps records in a file. Several processes may use it at once, and threads share a store.

    What was written outlasts the end of the process, however sudden. With `synchronous`
    "normal", a power failure can take back what was written since the last checkpoint,
    a deletion too, and never damages the file; with "full" it takes back nothing.

    Args:
        path: the file. It is made where there is none, for its user alone.
        timeout: how many seconds an operation waits for other writers.
        synchronous: "normal", "full" or "extra", as SQLite names it.
        sweep: whether inserts now and then remove some expired records.
        clock: gives seconds since 1970.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        timeout: float = 2,
        synchronous: str = "normal",
        sweep: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if synchronous not in _SYNCHRONOUS:
            raise UsageError(f"the option 'synchronous' of a store is one of {', '.join(_SYNCHRONOUS)}")
        if not str(path) or ":memory:" in str(path):
            raise UsageError("SQLite keeps sessions in a file; a store in memory is memory:")
        # Absolute, for the program may change its folder before it opens the file.
        self._file = DatabaseFile(Path(path).absolute(), timeout, _SCHEMA, (f"PRAGMA synchronous = {synchronous}",))
        self._sweeps = sweep
        self._clock = clock
        # Nobody closes a store that was opened by its URL, and Python 3.13 warns of connections left open.
        weakref.finalize(self, self._file.close)

    @classmethod
    def from_url(cls, url: StoreURL, *, clock: Callable[[], float] = time.time) -> Self:
        """`sqlite:///relative.db` or `sqlite:////absolute.db`; options `timeout`, `synchronous`, `sweep`."""
        url.check(("timeout", "synchronous", "sweep"))
        if url.hosts or url.user:
            raise UsageError("before the path of a file are three slashes: sqlite:///sessions.db, sqlite:////tmp/s.db")
        return cls(
            url.path.removeprefix("/"),
            timeout=url.seconds("timeout", 2),
            synchronous=(url.text("synchronous") or "normal").lower(),
            sweep=url.switch("sweep", default=True),
            clock=clock,
        )

    def __repr__(self) -> str:
        return f"<SQLiteStore {self._file.path}>"

    def read(self, key: bytes) -> StoredRecord | None:
        row = self._file.run(lambda connection: connection.execute(_READ, (key,)).fetchone())
        return None if row is None or row[2] <= self._clock() else _record(row)

    def insert(self, key: bytes, record: StoredRecord) -> bool:
        done = self._change(_INSERT, (*_values(record), key, int(self._clock()))) == 1
        if self._sweeps:
            sweep_by_the_way(self.sweep, key)
        return done

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        return self._change(_REPLACE, (*_values(record), key, seen, int(self._clock()))) == 1

    def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        return self._change(_TOUCH, (used_at, expires_at, key, seen, int(self._clock()))) == 1

    def delete(self, key: bytes) -> None:
        self._change(_DELETE, (key,))

    def sweep(self, limit: int = 1000) -> int:
        """As `Sweeping.sweep`."""
        now = int(self._clock())
        return sweep_in_batches(lambda batch: self._change(_SWEEP, (now, batch)), limit)

    def owned_by(self, owner: bytes) -> list[tuple[bytes, StoredRecord]]:
        """As `Index.owned_by`."""
        values = (owner or None, int(self._clock()))
        rows = self._file.run(lambda connection: connection.execute(_OWNED_BY, values).fetchall())
        return [(row[0], _record(row[1:])) for row in rows]

    def close(self) -> None:
        """Closes what is open. The next operation opens it again."""
        self._file.close()

    def _change(self, statement: str, values: tuple[object, ...]) -> int:
        # A statement is a transaction of its own: none is open between two operations.
        return self._file.run(lambda connection: connection.execute(statement, values).rowcount)


def _values(record: StoredRecord) -> tuple[object, ...]:
    content, used_at, expires_at, owner, _ = record
    # The version is drawn, not counted: a record that is made anew under an old key has another.
    return content, used_at, expires_at, owner or None, int.from_bytes(os.urandom(8)) >> 1


def _record(row: tuple[Any, ...]) -> StoredRecord:
    content, used_at, expires_at, owner, version = row
    return StoredRecord(content, used_at, expires_at, owner or b"", version)
