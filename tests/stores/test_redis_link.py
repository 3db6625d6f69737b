from __future__ import annotations

import asyncio
import os
import signal
from contextlib import ExitStack, suppress
from threading import Thread, Timer

import pytest
from servers.process import HOST, PATIENCE, free_port, wait_until
from servers.redis import Cluster, RedisServer, Sentinels
from stores.redis_samples import Opener, run, sample, use

from coatcheck.errors import StoreError
from coatcheck.stores.redis import AsyncRedisStore, RedisStore
from coatcheck.stores.url import StoreURL


def test_nothing_is_connected_before_the_first_operation(open_redis: Opener) -> None:
    for scheme, path in (("redis", "/0"), ("redis+sentinel", "/m"), ("redis+cluster", "")):
        store = open_redis(f"{scheme}://{HOST}:{free_port()}{path}?timeout=1")
        with pytest.raises(StoreError, match="Connection refused"):
            store.read(os.urandom(32))


def test_connections_that_the_server_closed_are_made_anew(redis_server: RedisServer, open_redis: Opener) -> None:
    store, key = open_redis(redis_server.url()), os.urandom(32)
    store.insert(key, sample())
    version = store.read(key).version
    with redis_server.administer() as client:
        for _ in range(3):
            client.client_kill_filter(_type="normal", skipme=True)
            assert store.touch(key, 1, 2**39, version) is True
            client.client_kill_filter(_type="normal", skipme=True)
            assert store.read(key).used_at == 1


def test_a_store_made_and_used_before_a_fork_works_in_each_child(redis_server: RedisServer) -> None:
    """In a process of its own, since a test runner has threads."""
    program = f"""
import os, time
from coatcheck.stores import StoredRecord, open_store
now = int(time.time())
store = open_store({redis_server.url()!r})
keys = [os.urandom(32) for _ in range(5)]
for number, key in enumerate(keys):
    store.insert(key, StoredRecord(b"%d" % number, now, now + 60))
    assert store.read(key).content == b"%d" % number
children = []
for number, key in enumerate(keys):
    child = os.fork()
    if not child:
        same = all(store.read(key).content == b"%d" % number for _ in range(500))
        same = same and store.replace(key, StoredRecord(b"child", now, now + 60), store.read(key).version)
        os._exit(0 if same else 1)
    children.append(child)
for _ in range(500):
    assert store.read(keys[0]).content in (b"0", b"child")
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 5
assert all(store.read(key).content == b"child" for key in keys)
store.close()
"""
    run(program)


def test_so_does_one_of_a_cluster(redis_cluster: Cluster) -> None:
    program = f"""
import os, time
from coatcheck.stores import StoredRecord, open_store
now = int(time.time())
store = open_store({redis_cluster.url()!r})
keys = [os.urandom(32) for _ in range(3)]
children = []
for number, key in enumerate(keys):
    store.insert(key, StoredRecord(b"%d" % number, now, now + 60))
    child = os.fork()
    if not child:
        os._exit(0 if all(store.read(key).content == b"%d" % number for _ in range(100)) else 1)
    children.append(child)
for _ in range(100):
    assert store.read(keys[0]).content == b"0"
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 3
store.close()
"""
    run(program)


def test_one_more_than_the_connections_waits_and_is_told_in_vain(redis_server: RedisServer) -> None:
    store = RedisStore.from_url(StoreURL.parse(redis_server.url(query="?pool=1&timeout=0.5")))
    store.read(os.urandom(32))
    outcomes: list[str] = []

    def ask() -> None:
        try:
            store.read(os.urandom(32))
        except StoreError as error:
            outcomes.append(str(error))

    with redis_server.frozen():
        threads = [Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    # One has the connection; another may have it afterwards, and a third that was begun late after that one.
    assert len(outcomes) == 8
    assert "Redis did not answer within 0.5 seconds" in outcomes
    assert "all 1 connections to Redis were in use for 0.5 seconds; the option 'pool' allows more" in outcomes
    assert store.read(os.urandom(32)) is None
    store.close()


def test_tasks_beyond_the_connections_wait_and_are_told_in_vain(redis_server: RedisServer) -> None:
    async def program() -> list[str]:
        store = AsyncRedisStore.from_url(StoreURL.parse(redis_server.url(query="?pool=1&timeout=0.5")))
        await store.read(os.urandom(32))
        with redis_server.frozen():
            outcomes = await asyncio.gather(*(store.read(os.urandom(32)) for _ in range(3)), return_exceptions=True)
        assert await store.read(os.urandom(32)) is None
        await store.close()
        return sorted(str(outcome) for outcome in outcomes)

    outcomes = asyncio.run(program())
    assert "Redis did not answer within 0.5 seconds" in outcomes
    assert "all 1 connections to Redis were in use for 0.5 seconds; the option 'pool' allows more" in outcomes


class _Interrupted(BaseException):
    """As KeyboardInterrupt, or the time-out of a worker."""


@pytest.fixture(params=["alone", "sentinel", "cluster"])
def form(request: pytest.FixtureRequest) -> tuple[str, list[RedisServer]]:
    """Gives a URL, and the servers behind it."""
    query = "?pool=1&timeout=10"
    if request.param == "alone":
        server: RedisServer = request.getfixturevalue("redis_server")
        return server.url(query=query), [server]
    servers: Sentinels | Cluster = request.getfixturevalue(f"redis_{request.param}".replace("sentinel", "sentinels"))
    return servers.url(query=query), servers.servers


def test_an_answer_that_nobody_waited_for_is_not_taken_for_another(form: tuple[str, list[RedisServer]]) -> None:
    url, servers = form
    store = RedisStore.from_url(StoreURL.parse(url))
    mine, others = os.urandom(32), os.urandom(32)
    store.insert(mine, sample(b"mine"))
    store.insert(others, sample(b"another's"))

    def interrupt(*_: object) -> None:
        raise _Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    thaw = Timer(0.3, lambda: _thaw(servers))
    try:
        with ExitStack() as stack:
            for server in servers:
                stack.enter_context(server.frozen())
            with pytest.raises(_Interrupted):  # noqa: PT012  # the alarm may come before the read
                signal.setitimer(signal.ITIMER_REAL, 0.1)
                store.read(others)
            # It is asked before the other answer has come.
            thaw.start()
            found = store.read(mine)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        thaw.join()
    assert found is not None
    assert found.content == b"mine"
    store.close()


def test_the_answer_to_a_cancelled_task_is_not_taken_for_another(form: tuple[str, list[RedisServer]]) -> None:
    url, servers = form

    async def program() -> None:
        store = AsyncRedisStore.from_url(StoreURL.parse(url, timeout=PATIENCE))
        mine, others = os.urandom(32), os.urandom(32)
        await store.insert(mine, sample(b"mine"))
        await store.insert(others, sample(b"another's"))
        with ExitStack() as stack:
            for server in servers:
                stack.enter_context(server.frozen())
            task = asyncio.ensure_future(store.read(others))
            # Long enough to have asked.
            await asyncio.wait([task], timeout=0.1)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            assert task.cancelled()
            # It is asked before the other answer has come.
            task = asyncio.ensure_future(store.read(mine))
            await asyncio.wait([task], timeout=0.1)
        found = await task
        assert found is not None
        assert found.content == b"mine"
        await store.close()

    asyncio.run(program())


def test_an_async_store_works_in_one_event_loop_after_another(redis_server: RedisServer) -> None:
    store, key = AsyncRedisStore.from_url(StoreURL.parse(redis_server.url())), os.urandom(32)

    async def visit() -> bytes:
        await store.insert(key, sample(b"content"))
        found = await store.read(key)
        await store.close()
        return found.content if found else b""

    assert [asyncio.run(visit()) for _ in range(3)] == [b"content"] * 3


def test_a_closed_store_opens_itself_again(redis_server: RedisServer, open_redis: Opener) -> None:
    store = open_redis(redis_server.url())
    use(store)
    with redis_server.administer() as client:
        store.close()
        use(store)
        before = len(client.client_list())
        store.close()
        wait_until(lambda: len(client.client_list()) == before - 1, "the end of a connection")


def test_one_sentinel_that_answers_is_enough(redis_sentinels: Sentinels, open_redis: Opener) -> None:
    url = redis_sentinels.url().replace("://", f"://{HOST}:{free_port()},{HOST}:{free_port()},")
    use(open_redis(url))


def _thaw(servers: list[RedisServer]) -> None:
    for server in servers:
        server.thaw()
