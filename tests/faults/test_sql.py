"""Databases that are killed, that freeze, and whose connections break: what a store makes of it."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread
from typing import Any

import pytest
from faults.proxy import CuttingProxy
from servers.sql import MariaDB, PostgreSQL, SQLServer

from coatcheck.core.record import StoredRecord
from coatcheck.errors import StoreError
from coatcheck.stores import open_async_store, open_store

# Each write waits for a disk, which others may be busy with: the short one is for where a time-out is awaited.
TIMEOUT, PATIENCE = 1.0, 30.0
# psycopg waits for two seconds at least when it connects; and the machine may be busy.
CONNECT_TIMEOUT, MARGIN = 2.0, 5.0
SCHEMES = [
    "postgresql+psycopg",
    "postgresql+psycopg (asyncio)",
    "postgresql+asyncpg (asyncio)",
    "mariadb+pymysql",
    "mariadb+asyncmy (asyncio)",
]


@pytest.fixture(scope="module")
def databases() -> Iterator[dict[str, SQLServer]]:
    """Gives servers of our own: those of other tests live in peace."""
    servers: dict[str, SQLServer] = {"postgresql": PostgreSQL(), "mariadb": MariaDB()}
    try:
        for server in servers.values():
            server.start()
        yield servers
    finally:
        for server in servers.values():
            server.discard()


class Side:
    """A store, sync or asyncio, called in one way."""

    def __init__(self, server: SQLServer, scheme: str) -> None:
        self.server = server
        name, _, is_async = scheme.partition(" ")
        self._is_async = bool(is_async)
        self._name = name
        self._runner = asyncio.Runner()
        self._stores: list[Any] = []

    def open(self, port: int | None = None, timeout: float = PATIENCE) -> Side:
        url = self.server.url(self._name, port=port, timeout=timeout, connect_timeout=CONNECT_TIMEOUT)
        self._stores.append(open_async_store(url) if self._is_async else open_store(url))
        return self

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(*arguments: object) -> Any:
            answer = getattr(self._stores[-1], method)(*arguments)
            return self._runner.run(answer) if self._is_async else answer

        return call

    def several_at_once(self, keys: list[bytes]) -> None:
        """Reads so many records at the same moment, for which the pool makes so many connections."""
        store = self._stores[-1]
        if self._is_async:

            async def read_all() -> None:
                await asyncio.gather(*(store.read(key) for key in keys))

            self._runner.run(read_all())
        else:
            barrier = Barrier(len(keys))
            with ThreadPoolExecutor(len(keys)) as threads:
                list(threads.map(lambda key: (barrier.wait(30), store.read(key)), keys))

    def close(self) -> None:
        for store in self._stores:
            answer = store.close()
            if self._is_async:
                self._runner.run(answer)
        self._runner.close()


@pytest.fixture(params=SCHEMES)
def side(request: pytest.FixtureRequest, databases: dict[str, SQLServer]) -> Iterator[Side]:
    side = Side(databases[request.param.partition("+")[0]], request.param)
    yield side
    side.close()


def record(content: bytes = b"content") -> StoredRecord:
    now = int(time.time())
    return StoredRecord(content, now, now + 3600)


def seconds(operation: Callable[[], object]) -> float:
    """Gives how long it takes until an operation raises `StoreError`."""
    began = time.monotonic()
    with pytest.raises(StoreError):
        operation()
    return time.monotonic() - began


def test_of_a_server_that_is_killed_nothing_confirmed_is_lost_and_the_first_operation_after_succeeds(
    side: Side,
) -> None:
    side.open()
    confirmed: dict[bytes, int] = {}
    killer = Thread(target=side.server.kill)
    keys = [os.urandom(32) for _ in range(20)]
    try:
        for turn in itertools.count():
            if turn == 200:
                killer.start()
            key = keys[turn % len(keys)]
            found = side.read(key)
            content = b"%d" % turn
            if found is None:
                assert side.insert(key, record(content)) is True
            else:
                assert side.replace(key, record(content), found.version) is True
            confirmed[key] = turn
    except StoreError:
        pass
    killer.join()
    assert seconds(lambda: side.read(keys[0])) < CONNECT_TIMEOUT + MARGIN
    side.server.start()
    for key, turn in confirmed.items():
        found = side.read(key)
        # What was under way may have been done, and nobody was told.
        assert found is not None and int(found.content) >= turn


def test_every_connection_of_the_pool_may_be_dead_after_a_restart(side: Side) -> None:
    side.open()
    keys = [os.urandom(32) for _ in range(5)]
    for key in keys:
        side.insert(key, record())
    side.several_at_once(keys)
    side.server.kill()
    side.server.start()
    assert side.insert(os.urandom(32), record()) is True
    side.several_at_once(keys)


def test_a_server_that_is_frozen_gives_an_error_within_the_timeout_and_is_used_again_when_it_goes_on(
    side: Side, note: Callable[[str, object], None]
) -> None:
    side.open()
    key = os.urandom(32)
    side.insert(key, record())
    side.open(timeout=TIMEOUT)
    assert side.read(key) is not None
    side.server.freeze()
    try:
        operation = seconds(lambda: side.read(key))
        connection = seconds(lambda: side.read(key))
    finally:
        side.server.thaw()
    note("an old connection", operation)
    note("a new one", connection)
    # Not sooner: an answer was waited for, and the question was not asked twice.
    assert TIMEOUT * 0.8 < operation < TIMEOUT + MARGIN
    assert connection < CONNECT_TIMEOUT + MARGIN
    # This client has more patience: when it has its answer, the server goes on.
    side.server.run("SELECT 1")
    found = side.read(key)
    assert found is not None and found.content == b"content"


@pytest.mark.parametrize("passed", [0, 5])
def test_an_operation_whose_answer_was_cut_off_is_done_once_and_says_so(side: Side, passed: int) -> None:
    with CuttingProxy(side.server.port) as proxy:
        side.open(proxy.port)
        key = os.urandom(32)
        side.read(key)

        def cut() -> None:
            proxy.cut_after(passed)

        cut()
        assert side.insert(key, record(b"first")) is True
        assert proxy.was_cut()
        cut()
        found = side.read(key)
        assert proxy.was_cut() and found is not None and found.content == b"first"
        cut()
        assert side.replace(key, record(b"second"), found.version) is True
        assert proxy.was_cut()
        found = side.read(key)
        assert found is not None and found.content == b"second"
        cut()
        assert side.touch(key, found.used_at + 1, found.expires_at, found.version) is True
        assert proxy.was_cut()
        cut()
        side.delete(key)
        assert proxy.was_cut()
        assert side.read(key) is None


def test_another_writer_in_the_gap_is_seen_where_an_answer_was_cut_off(side: Side) -> None:
    with CuttingProxy(side.server.port) as proxy:
        side.open(proxy.port)
        key = os.urandom(32)
        side.insert(key, record(b"first"))
        seen = side.read(key).version
        assert side.replace(key, record(b"of another"), seen) is True
        proxy.cut_after(0)
        assert side.replace(key, record(b"of ours"), seen) is False
        assert proxy.was_cut()
        proxy.cut_after(0)
        assert side.insert(key, record(b"of ours")) is False
        assert side.read(key).content == b"of another"


def test_a_connection_that_breaks_while_it_is_made_is_an_error_and_the_next_is_tried(side: Side) -> None:
    with CuttingProxy(side.server.port) as proxy:
        side.open(proxy.port)
        proxy.cut_after(10)
        assert seconds(lambda: side.read(bytes(32))) < CONNECT_TIMEOUT + MARGIN
        assert proxy.was_cut()
        assert side.read(bytes(32)) is None


def test_a_task_that_is_cancelled_while_the_server_is_frozen_ends_at_once(databases: dict[str, SQLServer]) -> None:
    async def program(server: SQLServer, scheme: str) -> None:
        store = open_async_store(server.url(scheme, timeout=30))
        await store.insert(bytes(32), record())
        server.freeze()
        try:
            began = time.monotonic()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(store.read(bytes(32)), 0.2)
            assert time.monotonic() - began < MARGIN
        finally:
            server.thaw()
        assert await store.read(bytes(32)) is not None
        await store.close()  # type: ignore[attr-defined]

    for server, scheme in (
        (databases["postgresql"], "postgresql+psycopg"),
        (databases["postgresql"], "postgresql+asyncpg"),
        (databases["mariadb"], "mariadb+asyncmy"),
    ):
        asyncio.run(program(server, scheme))
