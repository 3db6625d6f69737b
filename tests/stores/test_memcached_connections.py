from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from threading import Barrier, Thread

import pytest
from faults.proxy import CuttingProxy
from servers.memcached import MemcachedServer, MemcachedStores, record, running, several
from servers.process import HOST, free_port
from servers.redis import RedisServer
from stores.blocking import Blocking

from coatcheck.errors import StoreError
from coatcheck.stores.memcached import AsyncMemcachedStore, MemcachedStore
from coatcheck.stores.memcached_ring import Ring
from coatcheck.stores.url import StoreURL
from coatcheck.testing import Clock

# Of 24 keys, the server that each is on, by the seventh character from the end of its name.
PLACES = "1121211121]1]]222]]]21]2"


@pytest.fixture(params=["sync", "async"])
def stores(request: pytest.FixtureRequest) -> Iterator[MemcachedStores]:
    with MemcachedStores(request.param) as stores:
        yield stores


# Several servers


def test_each_key_is_on_one_server_the_same_for_both_kinds_and_every_order(
    two_memcacheds: tuple[MemcachedServer, MemcachedServer],
) -> None:
    one, other = two_memcacheds
    sync = MemcachedStore.from_url(StoreURL.parse(several(one, other)), clock=Clock())
    turned = Blocking(AsyncMemcachedStore.from_url(StoreURL.parse(several(other, one)), clock=Clock()))
    keys = [os.urandom(32) for _ in range(100)]
    with closing(sync), closing(turned), one.client() as first, other.client() as second:
        for key in keys:
            assert sync.insert(key, record(key)) is True
            assert turned.read(key).content == key  # type: ignore[union-attr]
        held = [[client.get(f"session:{key.hex()}") is not None for key in keys] for client in (first, second)]
    assert [sum(places) for places in zip(*held, strict=True)] == [1] * 100
    assert 20 < sum(held[0]) < 80


def test_a_server_that_is_down_is_an_error_for_its_keys_and_nobody_takes_them_over(stores: MemcachedStores) -> None:
    servers = MemcachedServer(), MemcachedServer()
    with running(*servers):
        store, keys = stores.open(several(*servers)), [os.urandom(32) for _ in range(40)]
        for key in keys:
            store.insert(key, record(key))
        servers[1].kill()
        lost: list[set[bytes]] = []
        said: set[str] = set()
        # More often than a client that gives up on a server would try.
        for _ in range(5):
            lost.append(set())
            for key in keys:
                try:
                    assert store.read(key).content == key
                except StoreError as error:
                    lost[-1].add(key)
                    said.add(str(error))
        assert said == {"memcached server 2 of 2 cannot be reached: Connection refused"}
        assert 0 < len(lost[0]) < 40
        assert lost == [lost[0]] * 5
        for key in lost[0]:
            with pytest.raises(StoreError):
                store.insert(key, record(key))
        servers[1].start()
        assert [store.read(key) for key in lost[0]] == [None] * len(lost[0])


def test_one_server_more_takes_its_share_and_moves_no_other_key() -> None:
    keys = [number.to_bytes(32, "big") for number in range(3000)]
    two, three = (Ring({name: name for name in names}) for names in ("ab", "abc"))
    moved = [key for key in keys if two.of(key) != three.of(key)]
    assert {three.of(key) for key in moved} == {"c"}
    assert 900 < len(moved) < 1100


def test_the_places_of_keys_never_change() -> None:
    """Two versions of coatcheck at once, during a deployment, must agree."""
    ring = Ring({name: name for name in ("10.0.0.1:11211", "10.0.0.2:11211", "[::1]:11212")})
    assert "".join(ring.of(bytes([number]) * 32)[-7] for number in range(24)) == PLACES


# Connections


def test_nothing_is_connected_before_the_first_operation(stores: MemcachedStores) -> None:
    port = free_port()
    store = stores.open(f"memcached://{HOST}:{port}")
    assert repr(store).endswith(f" at {HOST}:{port}>")
    with pytest.raises(StoreError, match="memcached cannot be reached: .*refused"):
        store.read(bytes(32))


def test_a_name_is_tried_at_each_of_its_addresses(stores: MemcachedStores, memcached: MemcachedServer) -> None:
    """`localhost` is ::1 before it is 127.0.0.1, where both are known; the server listens at the second alone."""
    store, key = stores.open(f"memcached://localhost:{memcached.port}"), os.urandom(32)
    assert store.insert(key, record(b"content")) is True
    assert store.read(key).content == b"content"


def test_a_name_that_nobody_knows_is_said(stores: MemcachedStores) -> None:
    with pytest.raises(StoreError, match="memcached has a name that no address is known for"):
        stores.open("memcached://nowhere.invalid").read(bytes(32))


def test_what_is_no_memcached_is_said(stores: MemcachedStores, redis_server: RedisServer) -> None:
    with pytest.raises(StoreError, match="memcached answers nonsense: is it memcached that listens there"):
        stores.open(f"memcached://{HOST}:{redis_server.port}").read(bytes(32))


def test_more_threads_than_connections_wait_for_each_other(memcached: MemcachedServer) -> None:
    keys, barrier, wrong = [os.urandom(32) for _ in range(8)], Barrier(8), []
    with CuttingProxy(memcached.port) as proxy, MemcachedStores("sync") as stores:
        store = stores.open(f"memcached://{HOST}:{proxy.port}/?pool=2&timeout=30")

        def work(key: bytes) -> None:
            barrier.wait(30)
            for number in range(50):
                store.delete(key)
                store.insert(key, record(b"%d" % number))
                if store.read(key).content != b"%d" % number:
                    wrong.append(key)

        threads = [Thread(target=work, args=(key,)) for key in keys]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert 1 <= proxy.connections <= 2


def test_the_tasks_of_a_program_share_one_connection(memcached: MemcachedServer) -> None:
    async def program(port: int) -> None:
        store = AsyncMemcachedStore.from_url(StoreURL.parse(f"memcached://{HOST}:{port}"), clock=Clock())
        keys = [os.urandom(32) for _ in range(200)]
        await asyncio.gather(*(store.insert(key, record(key)) for key in keys))
        found = await asyncio.gather(*(store.read(key) for key in keys))
        await store.close()
        assert [kept and kept.content for kept in found] == keys

    with CuttingProxy(memcached.port) as proxy:
        asyncio.run(program(proxy.port))
        assert proxy.connections == 1


def test_a_store_that_was_made_in_another_event_loop_connects_anew(memcached: MemcachedServer) -> None:
    store, key = AsyncMemcachedStore.from_url(StoreURL.parse(memcached.url()), clock=Clock()), os.urandom(32)

    async def insert() -> None:
        assert await store.insert(key, record(b"content")) is True
        await store.close()

    async def read() -> None:
        assert (await store.read(key)).content == b"content"  # type: ignore[union-attr]
        await store.close()

    asyncio.run(insert())
    asyncio.run(read())


FORKING = """
import asyncio, os, sys
from coatcheck.stores import StoredRecord, open_async_store, open_store

url, kind = sys.argv[1:]
store = open_store(url) if kind == "sync" else open_async_store(url)
keys = [os.urandom(32) for _ in range(4)]

def insert():
    for key in keys:
        yield store.insert(key, StoredRecord(key, 1_800_000_000, 2_000_000_000))

def read(key):
    for _ in range(300):
        yield store.read(key)

async def one_by_one(steps):
    return [await step for step in steps]

loops = []

def run(steps):
    if kind == "sync":
        return list(steps)
    # Left open, with its connection: a process that is forked does not close the loop of its parent.
    loops.append(asyncio.new_event_loop())
    return loops[-1].run_until_complete(one_by_one(steps))

def is_right(key):
    return all(found.content == key for found in run(read(key)))

assert run(insert()) == [True] * 4
children = []
for key in keys[1:]:
    child = os.fork()
    if child == 0:
        os._exit(0 if is_right(key) else 1)
    children.append(child)
print(is_right(keys[0]), [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children], flush=True)
os._exit(0)
"""


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_processes_that_were_forked_do_not_share_a_connection(memcached: MemcachedServer, kind: str) -> None:
    command = [sys.executable, "-c", FORKING, memcached.url(), kind]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("True [0, 0, 0]\n", 0), done.stderr
