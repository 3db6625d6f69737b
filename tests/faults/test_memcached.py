"""memcached, killed, stopped and cut off: what the caller gets, what is lost, and what never is."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest
from faults.proxy import CuttingProxy
from servers.memcached import MemcachedServer, MemcachedStores, record
from servers.process import HOST, wait_until

from coatcheck.errors import StoreError
from coatcheck.stores.memcached import AsyncMemcachedStore, MemcachedStore
from coatcheck.stores.url import StoreURL
from coatcheck.testing import Clock

TIMEOUT = 0.5
# What a busy machine may take on top.
MARGIN = 5.0


@pytest.fixture(params=["sync", "async"])
def stores(request: pytest.FixtureRequest) -> Iterator[MemcachedStores]:
    with MemcachedStores(request.param) as stores:
        yield stores


def operations(store: Any, key: bytes) -> dict[str, Callable[[], Any]]:
    """Gives the five operations on a record that is there."""
    seen = store.read(key).version
    return {
        "read": lambda: store.read(key),
        "insert": lambda: store.insert(os.urandom(32), record(b"new")),
        "replace": lambda: store.replace(key, record(b"second"), seen),
        "touch": lambda: store.touch(key, 5, record(b"").expires_at, seen),
        "delete": lambda: store.delete(key),
    }


NAMES = ("read", "insert", "replace", "touch", "delete")


# Killed, and started again


@pytest.mark.parametrize(
    ("name", "answer"), [("read", None), ("insert", True), ("replace", False), ("touch", False), ("delete", None)]
)
def test_after_a_restart_every_session_is_gone_and_the_first_operation_succeeds(
    stores: MemcachedStores, own_memcached: MemcachedServer, name: str, answer: object
) -> None:
    store, key = stores.open(own_memcached.url()), os.urandom(32)
    store.insert(key, record(b"first"))
    operation = operations(store, key)[name]
    own_memcached.kill()
    own_memcached.start()
    assert operation() is answer
    assert store.read(key) is None


def test_while_it_is_down_every_operation_says_so_at_once(
    stores: MemcachedStores, own_memcached: MemcachedServer
) -> None:
    store, key = stores.open(own_memcached.url("?timeout=60")), os.urandom(32)
    store.insert(key, record(b"first"))
    asked = operations(store, key)
    own_memcached.kill()
    before = time.monotonic()
    for name in NAMES:
        for _ in range(3):
            with pytest.raises(StoreError, match="^memcached cannot be reached: Connection refused$") as caught:
                asked[name]()
            assert caught.value.__suppress_context__
    assert time.monotonic() - before < MARGIN


def test_a_version_from_before_a_restart_is_no_version_after_it(
    stores: MemcachedStores, own_memcached: MemcachedServer
) -> None:
    """memcached counts its versions from 1 again, so that the number alone would be the same."""
    store, key = stores.open(own_memcached.url()), os.urandom(32)
    store.insert(key, record(b"first"))
    before = store.read(key).version
    own_memcached.kill()
    own_memcached.start()
    store.insert(key, record(b"of another"))
    after = store.read(key).version
    assert before.cas == after.cas
    assert store.replace(key, record(b"late"), before) is False
    assert store.touch(key, 5, record(b"").expires_at, before) is False
    assert store.read(key).content == b"of another"


# Stopped


@pytest.mark.parametrize("name", NAMES)
def test_a_server_that_stands_still_is_an_error_after_the_timeout(
    stores: MemcachedStores, own_memcached: MemcachedServer, name: str
) -> None:
    store, key = stores.open(own_memcached.url(f"?timeout={TIMEOUT}")), os.urandom(32)
    store.insert(key, record(b"first"))
    operation, before = operations(store, key)[name], own_memcached.commands()
    own_memcached.freeze()
    began = time.monotonic()
    with pytest.raises(StoreError, match="^memcached did not answer within 0.5 seconds$"):
        operation()
    assert TIMEOUT <= time.monotonic() - began < TIMEOUT + MARGIN
    own_memcached.thaw()
    # This client has more patience: when it has its answer, the server goes on.
    own_memcached.commands()
    assert store.insert(os.urandom(32), record(b"after")) is True
    # It took place when the server went on, and was not tried again.
    command = {"read": "gets", "delete": "delete"}.get(name, "add or cas")
    wanted = 2 if command == "add or cas" else 1
    wait_until(lambda: own_memcached.commands()[command] >= before[command] + wanted, "the command")
    assert own_memcached.commands()[command] == before[command] + wanted


def test_a_server_that_stands_still_does_not_let_anybody_in(
    stores: MemcachedStores, own_memcached: MemcachedServer
) -> None:
    store = stores.open(own_memcached.url(f"?timeout={TIMEOUT}"))
    own_memcached.freeze()
    before = time.monotonic()
    with pytest.raises(StoreError, match="^memcached did not answer within 0.5 seconds$"):
        store.read(bytes(32))
    assert time.monotonic() - before < TIMEOUT + MARGIN
    own_memcached.thaw()
    own_memcached.commands()
    assert store.read(bytes(32)) is None


def test_threads_that_wait_for_a_connection_give_up_too(own_memcached: MemcachedServer) -> None:
    url = own_memcached.url(f"?timeout={TIMEOUT}&pool=1")
    store = MemcachedStore.from_url(StoreURL.parse(url), clock=Clock())
    store.read(bytes(32))
    own_memcached.freeze()
    said: list[str] = []

    def ask() -> None:
        try:
            store.read(bytes(32))
        except StoreError as error:
            said.append(str(error))

    threads = [Thread(target=ask) for _ in range(8)]
    before = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # One has the connection; another may have it afterwards, for the rest of its own time and once more.
    assert time.monotonic() - before < 2 * TIMEOUT + MARGIN
    assert len(said) == 8
    assert set(said) == {
        "memcached did not answer within 0.5 seconds",
        "memcached is asked more than the pool of 1 connections takes",
    }
    own_memcached.thaw()
    own_memcached.commands()
    assert store.read(bytes(32)) is None
    store.close()


# Cut


@pytest.mark.parametrize("count", [0, 1, 20, 100, 500, 1003])
def test_a_read_whose_answer_is_cut_is_an_error_or_asked_again_and_never_half_an_answer(
    stores: MemcachedStores, memcached: MemcachedServer, count: int
) -> None:
    content, key = os.urandom(900), os.urandom(32)
    with CuttingProxy(memcached.port) as proxy:
        store = stores.open(f"memcached://{HOST}:{proxy.port}")
        store.insert(key, record(content))
        proxy.cut_after(count)
        assert store.read(key).content == content
        assert proxy.was_cut()
        assert proxy.connections == 2


def test_a_read_that_is_cut_twice_is_an_error(stores: MemcachedStores, memcached: MemcachedServer) -> None:
    with CuttingProxy(memcached.port) as proxy:
        store = stores.open(f"memcached://{HOST}:{proxy.port}")
        proxy.cut_after(10)
        # The first connection is new: it was not idle before, and nothing says that another would fare better.
        with pytest.raises(StoreError, match="^memcached ended the connection$"):
            store.read(bytes(32))
        assert proxy.connections == 1
        assert store.read(bytes(32)) is None


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_write_whose_answer_is_cut_is_an_error_and_is_not_written_twice(
    stores: MemcachedStores, memcached: MemcachedServer, count: int
) -> None:
    with CuttingProxy(memcached.port) as proxy:
        store, key = stores.open(f"memcached://{HOST}:{proxy.port}"), os.urandom(32)
        store.read(key)
        before = memcached.commands()["add or cas"]
        proxy.cut_after(count)
        with pytest.raises(StoreError, match="^memcached (ended the connection|cannot be reached: .*reset by peer)$"):
            store.insert(key, record(b"first"))
        # It took place, and nobody was told.
        assert store.read(key).content == b"first"
        seen = store.read(key).version
        proxy.cut_after(count)
        with pytest.raises(StoreError):
            store.replace(key, record(b"second"), seen)
        assert store.read(key).content == b"second"
        assert memcached.commands()["add or cas"] == before + 2


def test_connections_that_ended_while_they_were_idle_are_never_asked(
    stores: MemcachedStores, memcached: MemcachedServer
) -> None:
    with CuttingProxy(memcached.port) as proxy:
        store, keys = stores.open(f"memcached://{HOST}:{proxy.port}"), [os.urandom(32) for _ in range(5)]
        for key in keys:
            proxy.drop_all()
            # A write, which nobody may try twice.
            assert store.insert(key, record(key)) is True
        assert [store.read(key).content for key in keys] == keys


# Cancelled


def test_the_answer_to_a_cancelled_task_goes_to_nobody(own_memcached: MemcachedServer) -> None:
    async def program(port: int) -> None:
        store = AsyncMemcachedStore.from_url(StoreURL.parse(f"memcached://{HOST}:{port}"), clock=Clock())
        keys = [os.urandom(32) for _ in range(6)]
        for key in keys:
            await store.insert(key, record(key))
        # Nothing is answered before all of them have asked.
        own_memcached.freeze()
        tasks = [asyncio.ensure_future(store.read(key)) for key in keys]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.wait(tasks[::2])
        own_memcached.thaw()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(one, asyncio.CancelledError) for one in found] == [True, False] * 3
        assert [one.content for one in found[1::2]] == keys[1::2]  # type: ignore[union-attr]
        assert [(await store.read(key)).content for key in keys] == keys  # type: ignore[union-attr]
        await store.close()

    with CuttingProxy(own_memcached.port) as proxy:
        asyncio.run(program(proxy.port))
        assert proxy.connections == 1


def test_a_task_that_is_cancelled_while_it_connects_leaves_the_store_usable(own_memcached: MemcachedServer) -> None:
    async def program() -> None:
        store, key = AsyncMemcachedStore.from_url(StoreURL.parse(own_memcached.url()), clock=Clock()), os.urandom(32)
        own_memcached.freeze()
        first, second = (asyncio.ensure_future(store.insert(key, record(b"%d" % number))) for number in (1, 2))
        for _ in range(3):
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        own_memcached.thaw()
        assert await second is True
        assert (await store.read(key)).content == b"2"  # type: ignore[union-attr]
        await store.close()

    asyncio.run(program())


def test_an_interrupt_of_a_thread_gives_no_connection_back_half_read(own_memcached: MemcachedServer) -> None:
    """KeyboardInterrupt, and what gevent raises at the end of its own time-outs, come from anywhere."""

    class Interrupt(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupt

    with CuttingProxy(own_memcached.port) as proxy, MemcachedStores("sync") as stores:
        store, key = stores.open(f"memcached://{HOST}:{proxy.port}"), os.urandom(32)
        store.insert(key, record(b"content"))
        handler = signal.signal(signal.SIGALRM, interrupt)
        own_memcached.freeze()
        try:
            with pytest.raises(Interrupt):  # noqa: PT012  # the alarm may come before the read
                signal.setitimer(signal.ITIMER_REAL, 0.2)
                store.read(key)
        finally:
            signal.signal(signal.SIGALRM, handler)
            own_memcached.thaw()
        assert store.read(os.urandom(32)) is None
        assert store.read(key).content == b"content"
        assert proxy.connections == 2
