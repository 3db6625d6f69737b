"""What holds for a store in every database. Each test makes a table of its own."""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any, ClassVar

import pytest
from servers.process import wait_until
from servers.sql import PASSWORD, USER, SQLServer
from sqlalchemy import Engine, MetaData, create_engine, inspect
from sqlalchemy.ext.asyncio import create_async_engine
from stores.crowd import crowd, finish, start

from coatcheck.core.record import StoredRecord
from coatcheck.errors import StoreError, UsageError
from coatcheck.stores import open_async_store, open_store
from coatcheck.stores.sql import AsyncSQLStore, SQLStore, ddl, sessions_table
from coatcheck.stores.url import StoreURL

NOW = 1_800_000_000


def record(content: bytes = b"content", life: int = 3600, owner: bytes = b"") -> StoredRecord:
    return StoredRecord(content, NOW, NOW + life, owner)


def engine_of(store: Any) -> Engine:
    """Gives the engine that a store has made."""
    engine: Engine = store._operations.engine  # noqa: SLF001 - nobody else needs it
    return engine


class SQLCases:
    """A subclass says which database."""

    scheme: ClassVar[str]
    async_schemes: ClassVar[tuple[str, ...]]
    alchemy_scheme: ClassVar[str]
    fixture: ClassVar[str]
    server: SQLServer

    @pytest.fixture(autouse=True)
    def _prepare(self, request: pytest.FixtureRequest) -> Iterator[None]:
        self.server = request.getfixturevalue(self.fixture)
        self.table = f"t{os.urandom(6).hex()}"
        self.stores: list[SQLStore] = []
        yield
        for store in self.stores:
            store.close()

    def open(self, *, now: float = NOW, **options: Any) -> SQLStore:
        url = StoreURL.parse(self.server.url(self.scheme), **{"table": self.table, **options})
        self.stores.append(SQLStore.from_url(url, clock=lambda: now))
        return self.stores[-1]

    def count(self) -> int:
        ((found,),) = self.server.run(f"SELECT count(*) FROM {self.table}")
        return int(found)

    # The table

    def test_the_table_is_made_at_the_first_use(self) -> None:
        store = self.open()
        assert store.read(bytes(32)) is None
        assert store.insert(bytes(32), record()) is True
        assert self.count() == 1

    def test_a_table_that_was_dropped_is_made_again(self) -> None:
        store = self.open()
        store.insert(bytes(32), record())
        self.server.run(f"DROP TABLE {self.table}")
        assert store.read(bytes(32)) is None
        assert store.insert(bytes(32), record()) is True

    def test_processes_that_make_the_table_at_the_same_moment_all_write_to_it(self) -> None:
        program = """
begin()
for turn in range(20):
    assert store.insert(bytes([number, turn]) * 16, record(b"mine"))
store.close()
"""
        crowd(self.server.url(self.scheme, table=self.table), program)
        assert self.count() == 80
        assert len(self.indexes()) == 2

    def test_the_table_is_not_made_where_the_store_is_told_not_to(self) -> None:
        store = self.open(create=False)
        with pytest.raises(StoreError, match="there is no table for the sessions, and the store was told not to"):
            store.read(bytes(32))

    def test_what_ddl_gives_makes_the_table_that_the_store_needs(self) -> None:
        engine = create_engine(self.server.url(self.alchemy_scheme))
        with engine.begin() as connection:
            for statement in ddl(self.scheme, self.table).split(";\n")[:-1]:
                connection.exec_driver_sql(statement)
        engine.dispose()
        store = self.open(create=False)
        assert store.insert(bytes(32), record()) is True
        assert store.read(bytes(32)) is not None
        assert len(self.indexes()) == 2

    def test_a_migration_tool_makes_the_same_table_as_the_store(self) -> None:
        """Alembic compares a database with metadata in this way."""
        self.open().read(bytes(32))
        metadata = MetaData()
        twin = sessions_table(f"{self.table}_twin", metadata)
        engine = create_engine(self.server.url(self.alchemy_scheme))
        try:
            metadata.create_all(engine)
            found = [
                {
                    "columns": [
                        (each["name"], str(each["type"]), each["nullable"]) for each in shown.get_columns(name)
                    ],
                    "key": shown.get_pk_constraint(name)["constrained_columns"],
                    "indexes": sorted(each["column_names"] for each in shown.get_indexes(name)),
                }
                for name in (self.table, twin.name)
                for shown in (inspect(engine),)
            ]
        finally:
            engine.dispose()
        assert found[0] == found[1]
        assert found[0]["indexes"] == [["expires_at"], ["owner"]]

    def indexes(self) -> list[str]:
        """Gives the indexes beside that of the key."""
        engine = create_engine(self.server.url(self.alchemy_scheme))
        try:
            return [str(index["name"]) for index in inspect(engine).get_indexes(self.table)]
        finally:
            engine.dispose()

    def test_a_name_that_is_a_word_of_the_language_or_has_capitals_is_quoted(self) -> None:
        for name in ("Order", "select"):
            store = self.open(table=name)
            assert store.insert(os.urandom(32), record()) is True
            assert store.sweep() == 0

    # Engines that are given

    def test_with_an_engine_of_yours_each_operation_is_committed_and_the_engine_stays_open(self) -> None:
        engine = create_engine(self.server.url(self.alchemy_scheme))
        try:
            store = SQLStore(engine, table=self.table, clock=lambda: NOW)
            assert store.insert(bytes(32), record()) is True
            assert self.count() == 1
            seen = store.read(bytes(32))
            assert seen is not None and store.replace(bytes(32), record(b"other"), seen.version)
            store.close()
            with engine.connect() as connection:
                assert connection.exec_driver_sql(f"SELECT count(*) FROM {self.table}").scalar() == 1
            assert engine.pool.checkedin() == 1  # type: ignore[attr-defined]
        finally:
            engine.dispose()

    def test_with_an_async_engine_of_yours_it_is_the_same(self) -> None:
        async def program(scheme: str) -> None:
            engine = create_async_engine(self.server.url(scheme))
            try:
                store = AsyncSQLStore(engine, table=self.table, clock=lambda: NOW)
                key = os.urandom(32)
                assert await store.insert(key, record()) is True
                await store.close()
                assert await store.read(key) is not None
            finally:
                await engine.dispose()

        for scheme in self.async_schemes:
            asyncio.run(program(scheme))
        assert self.count() == len(self.async_schemes)

    def test_an_engine_of_the_other_kind_is_refused(self) -> None:
        engine = create_async_engine(self.server.url(self.async_schemes[0]))
        with pytest.raises(UsageError, match="there is AsyncSQLStore"):
            SQLStore(engine)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="there is AsyncSQLStore"):
            SQLStore(engine.sync_engine)
        with pytest.raises(UsageError, match="there is SQLStore"):
            AsyncSQLStore(engine.sync_engine)  # type: ignore[arg-type]

    # Secrets

    def test_a_wrong_password_is_said_and_neither_it_nor_the_user_is_shown(self) -> None:
        url = self.server.url(self.scheme, password="not-the-password")
        store = open_store(url)
        with pytest.raises(StoreError, match="it refuses the user or the password") as caught:
            store.read(bytes(32))
        shown = "".join(traceback.format_exception(caught.value)) + repr(store) + str(store)
        for secret in ("not-the-password", PASSWORD, USER, str(self.server.port)):
            assert secret not in shown

    def test_a_wrong_password_is_said_for_asyncio_too(self) -> None:
        async def program(scheme: str) -> None:
            store = open_async_store(self.server.url(scheme, password="not-the-password"))
            with pytest.raises(StoreError, match="it refuses the user or the password") as caught:
                await store.read(bytes(32))
            shown = "".join(traceback.format_exception(caught.value)) + repr(store)
            assert "not-the-password" not in shown and USER not in shown
            await store.close()  # type: ignore[attr-defined]

        for scheme in self.async_schemes:
            asyncio.run(program(scheme))

    def test_an_error_shows_nothing_of_a_record(self) -> None:
        key, content = (os.urandom(16).hex().encode() for _ in range(2))
        self.server.run(f"CREATE TABLE {self.table} (something INTEGER)")
        store = self.open()
        with pytest.raises(StoreError) as caught:
            store.insert(key, record(content))
        shown = "".join(traceback.format_exception(caught.value))
        for secret in (key, content):
            assert secret.decode() not in shown and secret.hex() not in shown
        assert caught.value.__cause__ is None and caught.value.__suppress_context__

    # Processes, threads, loops

    def test_a_store_made_and_used_before_a_fork_works_in_each_child_and_still_in_the_parent(self) -> None:
        program = """
import gc

assert store.insert(b"p" * 32, record(b"parent"))
children = []
for child in range(3):
    pid = os.fork()
    if pid == 0:
        for turn in range(30):
            assert store.read(b"p" * 32).content == b"parent"
            assert store.insert(bytes([child, turn]) * 16, record(b"child"))
        gc.collect()
        store.close()
        os._exit(0)
    children.append(pid)
for turn in range(30):
    assert store.read(b"p" * 32).content == b"parent"
assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
# Neither a child's end nor its collector has closed the parent's connection.
print(store._operations.engine.pool.checkedin())
assert store.read(b"p" * 32).content == b"parent"
print(store._operations.engine.pool.checkedin())
store.close()
"""
        process = start(self.server.url(self.scheme, table=self.table), program, options=("-W", "error"))
        assert finish(process) == "1\n1\n"
        assert self.count() == 91

    def test_loops_that_end_without_a_word_neither_stop_a_store_nor_fill_the_server(self) -> None:
        program = """
import asyncio, gc, warnings
from coatcheck.stores import open_async_store

# A driver says of each connection that its loop has left it.
warnings.simplefilter("ignore")
store = open_async_store(url)
asyncio.run(store.insert(bytes(32), record(b"content")))
for _ in range(40):
    assert asyncio.run(store.read(bytes(32))).content == b"content"
gc.collect()
print("ready", flush=True)
sys.stdin.readline()
os._exit(0)
"""
        for scheme in self.async_schemes:
            process = start(self.server.url(scheme, table=self.table), program, is_async=True)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate()
            # What a loop has left is closed, and the server takes a moment to notice.
            wait_until(lambda: self.sessions() < 10, "the end of the connections of loops that are gone")
            finish(process)
            self.server.run(f"DROP TABLE {self.table}")

    def sessions(self) -> int:
        """Gives how many connections the user has."""
        raise NotImplementedError

    def test_a_loop_after_another_can_use_one_store(self) -> None:
        for scheme in self.async_schemes:
            url = StoreURL.parse(self.server.url(scheme, table=self.table))
            store = AsyncSQLStore.from_url(url, clock=lambda: NOW)
            key = os.urandom(32)

            async def first(store: AsyncSQLStore = store, key: bytes = key) -> None:
                assert await store.insert(key, record()) is True
                await store.close()

            async def second(store: AsyncSQLStore = store, key: bytes = key) -> None:
                assert await store.read(key) is not None
                await store.close()

            asyncio.run(first())
            asyncio.run(second())

    def test_connections_beyond_the_pool_wait_no_longer_than_the_timeout(self) -> None:
        # Whoever makes the table waits for a disk.
        self.open().read(bytes(32))
        store = self.open(pool=1, timeout=1)
        held = engine_of(store).raw_connection()
        with pytest.raises(StoreError, match="all connections of the pool are in use"):
            store.read(bytes(32))
        held.close()
        assert store.read(bytes(32)) is None

    def test_an_operation_is_one_statement(self) -> None:
        with self.listening():
            store = self.open()
            store.insert(b"\xff" * 32, record())
            before = len(self.heard())
            found = store.read(b"\xff" * 32)
            assert found is not None and store.replace(b"\xff" * 32, record(b"other"), found.version)
            assert store.touch(b"\xff" * 32, NOW, NOW + 10, found.version) is False
            store.delete(b"\xff" * 32)
            assert store.insert(b"\xff" * 32, record()) is True
            heard = self.heard()[before:]
        assert [statement.split()[0] for statement in heard] == ["SELECT", "UPDATE", "UPDATE", "DELETE", "INSERT"]

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Has the server note what the user says to it."""
        raise NotImplementedError
        yield

    def heard(self) -> list[str]:
        """Gives what it has noted."""
        raise NotImplementedError

    # Sweeping and finding

    def test_one_insert_in_64_removes_some_of_what_has_expired(self) -> None:
        store = self.open(sweep=False)
        for number in range(130):
            store.insert(b"\xff" + bytes([number]) * 31, record(life=10))
        later = self.open(now=NOW + 10)
        later.insert(b"\x04" + bytes(31), record())
        assert self.count() == 131
        later.insert(b"\x03" + bytes(31), record())
        assert self.count() == 132 - 128
        quiet = self.open(now=NOW + 10, sweep=False)
        quiet.insert(b"\x02" + bytes(31), record())
        assert self.count() == 5

    def test_two_who_sweep_at_once_remove_each_record_once(self) -> None:
        store = self.open(sweep=False)
        for number in range(200):
            store.insert(os.urandom(31) + bytes([number]), record(life=10))
        store.insert(b"\xff" * 32, record(life=1000))
        barrier = Barrier(2)

        def sweep(_: int) -> int:
            mine = self.open(now=NOW + 10)
            barrier.wait(30)
            return sum(mine.sweep(20) for _ in range(15))

        with ThreadPoolExecutor(2) as threads:
            assert sum(threads.map(sweep, range(2))) == 200
        assert self.count() == 1

    @pytest.mark.parametrize("name", ["sweep", "owned_by", "read"])
    def test_it_goes_along_an_index(self, name: str) -> None:
        store = self.open(sweep=False)
        for _ in range(300):
            store.insert(os.urandom(32), record(owner=os.urandom(16)))
        store.insert(bytes(32), record())
        index = {"sweep": f"{self.table}_expires_at", "owned_by": f"{self.table}_owner", "read": "primary"}[name]
        values = {"now": NOW, "limit": 10, "owner": b"somebody", "key": bytes(32)}
        assert index in self.plan(store, name, values)

    def plan(self, store: SQLStore, name: str, values: dict[str, Any]) -> str:
        """Gives how the database would go about a statement, in lower case."""
        raise NotImplementedError

    def explained(self, store: SQLStore, name: str, values: dict[str, Any], *before: str) -> list[Any]:
        """Gives what EXPLAIN says about a statement of a store."""
        statement = getattr(store._operations._said, name)  # noqa: SLF001 - what the store says is what is explained
        with engine_of(store).connect() as connection:
            for each in before:
                connection.exec_driver_sql(each)
            answer = connection.exec_driver_sql(f"EXPLAIN {statement.text}", statement.arguments(values))
            return list(answer)
