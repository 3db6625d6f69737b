"""What a session goes through when a slot of a cluster moves, or a server is lost."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any, Self

import pytest
import redis
from redis.crc import key_slot
from redis.exceptions import AskError, MovedError
from servers.process import HOST, wait_until
from servers.redis import Awaited, Cluster

from coatcheck.errors import StoreError
from coatcheck.stores import open_async_store, open_store

from .redis_writer import failed, sample

Opener = Callable[..., Any]
Recorder = Callable[[str, object], None]


def test_a_slot_that_moves_takes_its_sessions_along(redis_cluster: Cluster, open_redis: Opener, note: Recorder) -> None:
    """Half of the keys have gone to the other server, the rest have not, and all can be read and written."""
    # By this prefix, all are in one slot.
    prefix = f"{{{os.urandom(4).hex()}}}:"
    store = open_redis(redis_cluster.url(query=f"?prefix={prefix}"))
    keys = [os.urandom(32) for _ in range(20)]
    for key in keys:
        store.insert(key, sample(b"0"))
    slowest = 0.0

    def use(content: bytes) -> None:
        nonlocal slowest
        for key in keys:
            began = time.monotonic()
            assert store.replace(key, sample(content), store.read(key).version)
            slowest = max(slowest, time.monotonic() - began)
        fresh = os.urandom(32)
        assert store.read(fresh) is None
        assert store.insert(fresh, sample(b"fresh"))
        assert store.read(fresh).content == b"fresh"
        store.delete(fresh)

    with _Move(redis_cluster, prefix) as move:
        use(b"1")
        move.take([prefix + key.hex() for key in keys[:10]])
        use(b"2")
        move.take([prefix + key.hex() for key in keys[10:]])
        use(b"3")
        move.finish()
        use(b"4")
    assert [store.read(key).content for key in keys] == [b"4"] * 20
    note("the slowest read and replace", slowest)


def test_many_tasks_follow_a_slot_that_moves(redis_cluster: Cluster) -> None:
    import asyncio

    from coatcheck.stores import open_async_store

    prefix = f"{{{os.urandom(4).hex()}}}:"
    keys = [os.urandom(32) for _ in range(20)]

    async def program() -> None:
        store = open_async_store(redis_cluster.url(query=f"?prefix={prefix}"))
        await asyncio.gather(*(store.insert(key, sample(b"content")) for key in keys))

        async def use(key: bytes) -> None:
            found = await store.read(key)
            assert found is not None
            assert await store.replace(key, found, found.version)

        with _Move(redis_cluster, prefix) as move:
            move.take([prefix + key.hex() for key in keys[:10]])
            for _ in range(5):
                await asyncio.gather(*map(use, keys))
            move.take([prefix + key.hex() for key in keys[10:]])
            move.finish()
            await asyncio.gather(*map(use, keys))
        await store.close()  # type: ignore[attr-defined]

    asyncio.run(program())


@pytest.mark.parametrize("fault", ["killed", "frozen"])
def test_a_master_that_is_lost_takes_its_own_sessions_and_no_others(
    fault: str, redis_cluster: Cluster, open_redis: Opener, note: Recorder
) -> None:
    store = open_redis(redis_cluster.url(query="?timeout=0.5"))
    keys = [os.urandom(32) for _ in range(60)]
    for key in keys:
        store.insert(key, sample(b"content"))
    lost = redis_cluster.servers[0]
    with lost.administer() as client:
        theirs = [key for key in keys if _serves(client, "session:" + key.hex())]
    others = [key for key in keys if key not in theirs]
    assert theirs
    assert others
    lost.kill() if fault == "killed" else lost.freeze()
    try:
        longest = max(failed(partial(store.read, key)) for key in theirs[:2])
        note("until the error", longest)
        assert longest < 1.2
        began = time.monotonic()
        assert [store.read(key).content for key in others] == [b"content"] * len(others)
        assert all(store.replace(key, sample(b"other"), store.read(key).version) for key in others)
        note("one of the others", (time.monotonic() - began) / len(others) / 3)
    finally:
        lost.start() if fault == "killed" else lost.thaw()
    began = time.monotonic()
    wait_until(lambda: _is_there(store, theirs[0]), "the return of a master")
    note("after it is back", time.monotonic() - began)
    wait_until(redis_cluster.is_whole, "the healing of the cluster")
    assert [store.read(key).content for key in theirs] == [b"content"] * len(theirs)
    assert [store.read(key).content for key in others] == [b"other"] * len(others)


def test_a_replica_takes_the_place_of_a_master_that_is_lost(note: Recorder) -> None:
    with ExitStack() as stack:
        cluster = Cluster(stack, patience=1000)
        lost = cluster.servers[0]
        cluster.add_replica(lost)
        sync_store = open_store(cluster.url(query="?timeout=0.5"))
        stack.callback(sync_store.close)  # type: ignore[attr-defined]
        async_store = Awaited(open_async_store(cluster.url(query="?timeout=0.5")))
        stack.callback(async_store.runner.close)
        stack.callback(async_store.close)
        keys = [os.urandom(32) for _ in range(60)]
        for key in keys:
            sync_store.insert(key, sample(b"content"))
            assert async_store.read(key).content == b"content"
        with lost.administer() as client:
            theirs = [key for key in keys if _serves(client, "session:" + key.hex())]
            assert client.wait(1, 10_000) == 1
        lost.kill()
        began = time.monotonic()
        failed(partial(sync_store.read, theirs[0]), "Connection refused")
        wait_until(lambda: _is_there(sync_store, theirs[0]), "the succession")
        note("without an answer", time.monotonic() - began)
        # This one has heard of nothing yet, and finds the successor without an error.
        stores: tuple[Any, ...] = (async_store, sync_store)
        for store in stores:
            assert [store.read(key).content for key in keys] == [b"content"] * 60
            assert all(store.replace(key, sample(b"content"), store.read(key).version) for key in keys)


class _Move:
    """A slot on its way from one server to another; at the end, it is back."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._name = name
        self._slot = key_slot(name.encode())
        self._clients = [server.administer() for server in cluster.servers]
        self._ids = [client.execute_command("CLUSTER MYID") for client in self._clients]
        self._ports = [server.port for server in cluster.servers]
        self._source = next(number for number, client in enumerate(self._clients) if _serves(client, name))
        self._target = (self._source + 1) % 3

    def __enter__(self) -> Self:
        self._begin()
        return self

    def _begin(self) -> None:
        self._set(self._target, "IMPORTING", self._ids[self._source])
        self._set(self._source, "MIGRATING", self._ids[self._target])

    def _set(self, server: int, *state: Any) -> None:
        self._clients[server].execute_command("CLUSTER SETSLOT", self._slot, *state)

    def take(self, names: list[str]) -> None:
        """Takes these keys to the other server."""
        client = self._clients[self._source]
        client.execute_command("MIGRATE", HOST, self._ports[self._target], "", 0, 5000, "KEYS", *names)

    def finish(self) -> None:
        """Makes the other server the owner."""
        for server in (self._target, self._source, 3 - self._target - self._source):
            self._set(server, "NODE", self._ids[self._target])

    def __exit__(self, *_: object) -> None:
        if not _serves(self._clients[self._source], self._name):
            self._source, self._target = self._target, self._source
            self._begin()
        left = self._clients[self._source].execute_command("CLUSTER GETKEYSINSLOT", self._slot, 1000)
        if left:
            self.take(left)
        self.finish()
        for client in self._clients:
            client.close()


def _serves(client: redis.Redis, name: str) -> bool:
    """Says whether this server of a cluster is the one to ask for a key."""
    try:
        client.exists(name)
    except redis.ResponseError as error:
        # While a slot moves, its earlier owner sends on whoever asks for what has gone already.
        return isinstance(error, AskError) and not isinstance(error, MovedError)
    return True


def _is_there(store: Any, key: bytes) -> bool:
    with suppress(StoreError):
        return store.read(key) is not None
    return False
