"""What a session goes through when Redis does: killed, frozen, cut off, demoted, full."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Thread
from typing import Any

import pytest
from servers.process import HOST, wait_until
from servers.redis import RedisServer

from coatcheck.errors import StoreError
from coatcheck.stores import open_store

from .proxy import CuttingProxy
from .redis_writer import Writer, content_of, failed, is_past, sample

Opener = Callable[..., Any]
Recorder = Callable[[str, object], None]
# Where a time-out is not what is tested: each write waits for a disk, which others may be busy with.
PATIENT = "?timeout=30"


@pytest.fixture(scope="module")
def durable() -> Iterator[RedisServer]:
    """Gives a server that confirms what is on the disk."""
    server = RedisServer(durable=True)
    try:
        server.start()
        yield server
    finally:
        server.discard()


# Killed


def test_nothing_that_was_confirmed_is_lost_with_a_server_that_is_killed(durable: RedisServer, note: Recorder) -> None:
    store = open_store(durable.url(query=PATIENT))
    writers = [Writer(store) for _ in range(4)]
    for writer in writers:
        writer.start()
    wait_until(lambda: all(writer.confirmed > 50 for writer in writers), "the first writes")
    durable.kill()
    killed = time.monotonic()
    wait_until(lambda: all(writer.failures for writer in writers), "the first failure")
    durable.start()
    reached = [writer.confirmed for writer in writers]
    wait_until(lambda: all(map(is_past, writers, reached)), "the first writes after the restart")
    note("without an answer", time.monotonic() - killed)
    for writer in writers:
        writer.end()
    assert not any(writer.losses for writer in writers)
    assert {failure for writer in writers for failure in writer.failures} <= {
        "Redis cannot be reached: Connection refused",
        "Redis cannot be reached: Connection reset by peer",
        "Redis cannot be reached: it closed the connection",
        "Redis is still loading its data",
    }
    store.close()  # type: ignore[attr-defined]


def test_the_first_operation_after_a_restart_succeeds(durable: RedisServer, open_redis: Opener, note: Recorder) -> None:
    store, key, record = open_redis(durable.url(query=PATIENT)), os.urandom(32), sample(b"before")
    store.insert(key, record)
    version = store.read(key).version
    durable.kill()
    with pytest.raises(StoreError, match="cannot be reached"):
        store.read(key)
    durable.start()
    assert store.read(key).content == b"before"
    # And with a connection that was open all the time.
    durable.kill()
    durable.start()
    began = time.monotonic()
    assert store.replace(key, sample(b"after"), version) is True
    note("the first operation", time.monotonic() - began)
    assert store.read(key).content == b"after"


def test_a_server_that_is_still_loading_says_so(open_redis: Opener, note: Recorder) -> None:
    server = RedisServer()
    try:
        server.start()
        store, key = open_redis(server.url()), os.urandom(32)
        store.insert(key, sample(b"content"))
        with server.administer() as client:
            client.mset({f"another:{number}": "x" for number in range(2000)})
            client.save()
        server.kill()
        server.command += ["--key-load-delay", "1500", "--loading-process-events-interval-bytes", "1024"]
        starting = Thread(target=server.start)
        starting.start()
        failures: set[str] = set()
        found, began = None, time.monotonic()
        while found is None:
            assert time.monotonic() < began + 60, failures
            try:
                found = store.read(key)
            except StoreError as error:
                failures.add(str(error))
        note("without an answer", time.monotonic() - began)
        starting.join()
        assert found.content == b"content"
        assert "Redis is still loading its data" in failures
    finally:
        server.discard()


# Slow


def test_a_server_that_stands_still_is_an_error_in_time(
    durable: RedisServer, open_redis: Opener, note: Recorder
) -> None:
    store, key = open_redis(durable.url(query="?timeout=0.5")), os.urandom(32)
    open_redis(durable.url(query=PATIENT)).insert(key, sample(b"content"))
    assert store.read(key).content == b"content"
    with durable.frozen():
        # The first over a connection that is there, the second over one that is to be made.
        for which in ("first", "second"):
            took = failed(lambda: store.read(key), "did not answer within 0.5 seconds")
            note(which, took)
            # Twice that would be as if it had been asked again.
            assert 0.4 < took < 0.9
    began = time.monotonic()
    assert store.read(key).content == b"content"
    note("after it goes on", time.monotonic() - began)


def test_a_write_that_got_no_answer_may_have_taken_place(durable: RedisServer, open_redis: Opener) -> None:
    """That is all that a time-out says. It is not tried again, and what is there is whole."""
    patient, key = open_redis(durable.url(query=PATIENT)), os.urandom(32)
    patient.insert(key, sample(b"before"))
    store = open_redis(durable.url(query="?timeout=1"))
    version = store.read(key).version
    with durable.frozen():
        failed(lambda: store.replace(key, sample(b"after"), version), "did not answer")
    assert patient.read(key).content in {b"before", b"after"}


# Cut off


def test_an_answer_that_is_cut_anywhere_is_asked_for_again(
    durable: RedisServer, open_redis: Opener, note: Recorder
) -> None:
    key, content = os.urandom(32), b"some content of a session"
    with CuttingProxy(durable.port) as proxy:
        store = open_redis(f"redis://{HOST}:{proxy.port}{PATIENT}")
        store.insert(key, sample(content))
        began = time.monotonic()
        for count in range(len(b"$43\r\n") + 18 + len(content) + len(b"\r\n")):
            proxy.cut_after(count)
            assert store.read(key).content == content
            assert proxy.was_cut()
        note("one operation", (time.monotonic() - began) / count)


def test_a_large_answer_that_is_cut_is_asked_for_again(durable: RedisServer, open_redis: Opener) -> None:
    key, content = os.urandom(32), os.urandom(1_000_000)
    with CuttingProxy(durable.port) as proxy:
        store = open_redis(f"redis://{HOST}:{proxy.port}{PATIENT}")
        store.insert(key, sample(content))
        for count in (100, 70_000, 999_999):
            proxy.cut_after(count)
            assert store.read(key).content == content
            assert proxy.was_cut()


def test_a_write_whose_answer_is_lost_is_done_once_and_said_to_be_done(
    durable: RedisServer, open_redis: Opener
) -> None:
    key = os.urandom(32)
    with CuttingProxy(durable.port) as proxy:
        store = open_redis(f"redis://{HOST}:{proxy.port}{PATIENT}")
        assert store.read(key) is None
        _cut(proxy)
        assert store.insert(key, sample(b"first")) is True
        assert proxy.was_cut()
        version = store.read(key).version
        _cut(proxy)
        assert store.replace(key, sample(b"second"), version) is True
        assert proxy.was_cut()
        version = store.read(key).version
        _cut(proxy)
        assert store.touch(key, 1, 2**39, version) is True
        assert proxy.was_cut()
        found = store.read(key)
        assert (found.content, found.used_at, found.version) == (b"second", 1, version)
        _cut(proxy)
        store.delete(key)
        assert proxy.was_cut()
        assert store.read(key) is None


def test_all_connections_that_were_cut_are_made_anew(durable: RedisServer) -> None:
    with CuttingProxy(durable.port) as proxy:
        store, key = open_store(f"redis://{HOST}:{proxy.port}{PATIENT}"), os.urandom(32)
        store.insert(key, sample(b"content"))
        for _ in range(3):
            with ThreadPoolExecutor(8) as threads:
                assert list(threads.map(lambda _: content_of(store, key), range(8))) == [b"content"] * 8
            proxy.drop_all()
        store.close()  # type: ignore[attr-defined]


# A name that leads elsewhere


def test_a_server_that_became_a_replica_is_left_for_the_one_its_name_leads_to(open_redis: Opener) -> None:
    with ExitStack() as stack:
        earlier, later = RedisServer(), RedisServer()
        for server in (earlier, later):
            stack.callback(server.discard)
            server.start()
        proxy = stack.enter_context(_TurningProxy(earlier.port))
        store, key = open_redis(f"redis://{HOST}:{proxy.port}{PATIENT}"), os.urandom(32)
        assert store.insert(key, sample(b"earlier"))
        with earlier.administer() as client:
            client.replicaof(HOST, later.port)
        failed(lambda: store.insert(os.urandom(32), sample(b"none")), "is a replica and takes no writes")
        proxy.turn(later.port)
        assert store.insert(key, sample(b"later"))
        with later.administer() as client:
            assert client.exists("session:" + key.hex())


# Full


def test_a_server_that_is_full_takes_no_writes_and_forgets_nobody(durable: RedisServer, open_redis: Opener) -> None:
    store, key = open_redis(durable.url(query=PATIENT)), os.urandom(32)
    store.insert(key, sample(b"before"))
    version = store.read(key).version
    with durable.administer() as client:
        client.config_set("maxmemory", 1)
        try:
            for act in (
                lambda: store.insert(os.urandom(32), sample(b"content")),
                lambda: store.replace(key, sample(b"after"), version),
                lambda: store.touch(key, 1, 2**39, version),
            ):
                failed(act, "has reached its maxmemory and takes no writes")
            assert store.read(key).content == b"before"
        finally:
            client.config_set("maxmemory", 0)
    assert store.replace(key, sample(b"after"), version) is True
    store.delete(key)


class _TurningProxy(CuttingProxy):
    """As a name that comes to mean another server: connections that are there stay."""

    def turn(self, port: int) -> None:
        self._target = port


def _cut(proxy: CuttingProxy) -> None:
    """Has the next answer lost."""
    proxy.cut_after(0)
