"""A file of SQLite and the connections to it: shared by threads, never carried over a fork, made anew when needed."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TypeVar
from weakref import WeakSet

from coatcheck.errors import StoreError

_T = TypeVar("_T")

# Looking whether the file is still the same costs 2 us, a fifth of a read. Whoever replaces a file under a program
# loses what was written to the old one: up to then, or up to a second later.
_TRUSTED_SECONDS = 1
_CAUSES = {
    sqlite3.SQLITE_BUSY: "others kept the file locked for longer than the timeout",
    sqlite3.SQLITE_LOCKED: "others kept the file locked for longer than the timeout",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; move it and its -wal and -shm away, and sessions begin anew",
    sqlite3.SQLITE_NOTADB: "the file is no SQLite database",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened; its folder must exist and be writable",
    sqlite3.SQLITE_READONLY: "the file, or its folder, may not be written to",
    sqlite3.SQLITE_PERM: "the file may not be opened",
    sqlite3.SQLITE_IOERR: "the disk reports an error, or has no room",
    sqlite3.SQLITE_NOMEM: "there is no memory left",
    sqlite3.SQLITE_TOOBIG: "the record is larger than SQLite takes",
}
# After these the connection is as good as before.
_HARMLESS = frozenset((sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_TOOBIG))
# Closing any descriptor of a file gives up all locks that the process has on it, so nobody may open it meanwhile.
_making = Lock()


class Connection(sqlite3.Connection):
    identity: tuple[int, int] | None
    """Which file it is: what stands under its path can change."""
    trusted_until: float


class _Leaving(list[Connection]):
    """Stands where the idle connections are: gives none out, and closes those that are given back."""

    def __init__(self, close: Callable[[Connection], None]) -> None:
        super().__init__()
        self._close = close

    def append(self, connection: Connection) -> None:
        self._close(connection)


class DatabaseFile:
    """Runs work in connections to a file.

    Args:
        schema: the statements that make what is to be in the file.
        settings: the statements that each connection begins with.
    """

    def __init__(self, path: Path, timeout: float, schema: tuple[str, ...], settings: tuple[str, ...]) -> None:
        self.path: str = str(path)
        self._timeout = timeout
        self._schema = schema
        self._settings = settings
        self._forget()
        _files.add(self)

    def run(self, work: Callable[[Connection], _T]) -> _T:
        """Gives what the work gives. It is done again, once, if there were no tables.

        Raises `StoreError` where SQLite fails.
        """
        connection = None
        try:
            connection = self._take()
            try:
                result = work(connection)
            except sqlite3.OperationalError as error:
                # The file is new, or somebody emptied it.
                if not str(error).startswith("no such table"):
                    raise
                self._create(connection)
                result = work(connection)
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if connection is not None:
                (self._idle.append if code in _HARMLESS else self._discard)(connection)
            cause = _CAUSES.get(code) or f"it reports {getattr(error, 'sqlite_errorname', type(error).__name__)}"
            raise StoreError(f"SQLite cannot be used: {cause}") from None
        except BaseException:
            if connection is not None:
                self._discard(connection)
            raise
        self._idle.append(connection)
        return result

    def close(self) -> None:
        """Closes the connections that are not at work."""
        while self._idle:
            with suppress(IndexError):
                self._discard(self._idle.pop())

    def _take(self) -> Connection:
        while True:
            try:
                # The one used last: its pages are in memory.
                connection = self._idle.pop()
            except IndexError:
                return self._open()
            now = time.monotonic()
            if now < connection.trusted_until:
                return connection
            if connection.identity == self._identity():
                connection.trusted_until = now + _TRUSTED_SECONDS
                return connection
            self._discard(connection)

    def _discard(self, connection: Connection) -> None:
        # In this order: a fork must not fall into the closing.
        connection.close()
        self._opened.discard(connection)

    def _open(self) -> Connection:
        with self._opening:
            with _making, suppress(OSError):
                # SQLite itself would make it readable to all. What goes wrong here, it says better.
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            connection = sqlite3.connect(
                self.path, timeout=self._timeout, isolation_level=None, check_same_thread=False, factory=Connection
            )
            self._opened.add(connection)
        try:
            connection.identity = self._identity()
            connection.trusted_until = time.monotonic() + _TRUSTED_SECONDS
            self._use_log(connection)
            for statement in self._settings:
                connection.execute(statement)
        except BaseException:
            self._discard(connection)
            raise
        return connection

    def _use_log(self, connection: Connection) -> None:
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            except sqlite3.OperationalError as error:
                # Where two make the file at the same time, SQLite does not wait by itself.
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)
            else:
                break
        if mode != "wal":
            raise StoreError("SQLite cannot be used: its write-ahead log needs a local disk")

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self.path)  # noqa: PTH116 - a path object takes twice as long
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _create(self, connection: Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in self._schema:
                connection.execute(statement)
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    # A connection must not be used in the child of a fork, nor even be there: SQLite would take the locks that the
    # parent has on the file for the child's. So all are closed before.

    def _forget(self) -> None:
        self._idle: list[Connection] = []
        self._opened: set[Connection] = set()
        self._opening = Lock()

    def before_fork(self) -> None:
        # From now on nobody opens a connection, and a thread that is at work closes its own when it is done.
        self._opening.acquire(timeout=self._timeout)
        idle, self._idle = self._idle, _Leaving(self._discard)
        deadline = time.monotonic() + self._timeout
        while True:
            while idle:
                self._discard(idle.pop())
            if not self._opened or time.monotonic() > deadline:
                break
            time.sleep(0.0005)

    def after_fork_in_parent(self) -> None:
        self._idle = []
        with suppress(RuntimeError):
            self._opening.release()

    def after_fork_in_child(self) -> None:
        # Only where a thread did not end its work in time. Here, closing is as bad as using.
        _left_behind.extend(self._opened)
        self._forget()


_files: WeakSet[DatabaseFile] = WeakSet()
_left_behind: list[Connection] = []


def _before_fork() -> None:
    for file in list(_files):
        file.before_fork()


def _after_fork_in_parent() -> None:
    for file in list(_files):
        file.after_fork_in_parent()


def _after_fork_in_child() -> None:
    for file in list(_files):
        file.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
