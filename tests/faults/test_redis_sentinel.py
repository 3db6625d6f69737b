"""What a session goes through when the sentinels name another master."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
import redis
from servers.process import HOST, wait_until
from servers.redis import Sentinels

from coatcheck.stores import open_store

from .redis_writer import Writer, content_of, is_past, sample

Opener = Callable[..., Any]
Recorder = Callable[[str, object], None]


@pytest.mark.parametrize("fault", ["killed", "frozen"])
def test_sentinels_name_another_master(fault: str, note: Recorder) -> None:
    """What the replica had is kept. What the master confirmed in its last moments, and nobody else had, is lost."""
    with ExitStack() as stack:
        sentinels = Sentinels(stack)
        master = sentinels.master()
        store = open_store(sentinels.url(query="?timeout=0.5"))
        stack.callback(store.close)  # type: ignore[attr-defined]
        keys = [os.urandom(32) for _ in range(20)]
        for key in keys:
            store.insert(key, sample(b"content"))
        with master.administer() as client:
            assert client.wait(1, 10_000) == 1
        writer = Writer(store)
        writer.start()
        wait_until(lambda: writer.confirmed > 50, "the first writes")
        master.kill() if fault == "killed" else master.freeze()
        began = time.monotonic()
        wait_until(lambda: bool(writer.failures), "the first failure")
        reached = writer.confirmed
        wait_until(lambda: is_past(writer, reached), "the first write after the failover")
        note("without an answer", time.monotonic() - began)
        writer.end()
        note("confirmed and lost, of so many seconds", writer.lost_seconds)
        wait_until(lambda: sentinels.master() is not master, "the word of the first sentinel")
        assert [content_of(store, key) for key in keys] == [b"content"] * 20
        # Back again, and for a while it takes itself for the master. Nobody asks it.
        master.start() if fault == "killed" else master.thaw()
        fresh = os.urandom(32)
        assert store.insert(fresh, sample(b"content"))
        with sentinels.master().administer() as client:
            assert client.exists("session:" + fresh.hex())
        assert [content_of(store, key) for key in keys] == [b"content"] * 20


def test_a_failover_that_is_ordered_is_hardly_noticed(note: Recorder) -> None:
    with ExitStack() as stack:
        sentinels = Sentinels(stack)
        master = sentinels.master()
        store = open_store(sentinels.url(query="?timeout=0.5"))
        stack.callback(store.close)  # type: ignore[attr-defined]
        # Several, so that connections are in use when the word comes.
        writers = [Writer(store) for _ in range(4)]
        for writer in writers:
            writer.start()
        wait_until(lambda: all(writer.confirmed > 50 for writer in writers), "the first writes")
        with redis.Redis(HOST, sentinels.sentinels[0].port, protocol=2) as client:
            client.execute_command("SENTINEL", "FAILOVER", "the-master")
        wait_until(lambda: sentinels.master() is not master, "a failover")
        reached = [writer.confirmed + 50 for writer in writers]
        wait_until(lambda: all(map(is_past, writers, reached)), "the first writes after the failover")
        wait_until(lambda: master.info("replication")["role"] == "slave", "the end of a master")
        reached = [writer.confirmed + 50 for writer in writers]
        wait_until(lambda: all(map(is_past, writers, reached)), "the writes after that")
        for writer in writers:
            writer.end()
        note("the slowest read and replace", max(writer.slowest for writer in writers))
        note("errors", sum(len(writer.failures) for writer in writers))
        lost = max(writer.lost_seconds for writer in writers)
        note("confirmed and lost, of so many seconds", lost)
        assert lost < 3
