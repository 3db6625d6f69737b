from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from servers.process import HOST
from servers.redis import RedisServer
from stores.redis_samples import Opener, commands, plant, sample

from coatcheck.core.record import StoredRecord
from coatcheck.errors import StoreError
from coatcheck.testing import Clock


def test_each_operation_is_one_command(redis_server: RedisServer, open_redis: Opener) -> None:
    store, key, record = open_redis(redis_server.url()), os.urandom(32), sample()
    store.insert(key, record)
    version = store.read(key).version
    store.replace(key, record, version)
    store.touch(key, record.used_at, record.expires_at, version)
    fresh = os.urandom(32)

    assert commands(redis_server, lambda: store.read(key)) == ["GET"]
    assert commands(redis_server, lambda: store.read(os.urandom(32))) == ["GET"]
    assert commands(redis_server, lambda: store.insert(fresh, record)) == ["SET"]
    version = store.read(fresh).version
    assert commands(redis_server, lambda: store.replace(fresh, record, b"another!")) == ["EVALSHA"]
    assert commands(redis_server, lambda: store.touch(fresh, 1, record.expires_at, version)) == ["EVALSHA"]
    assert commands(redis_server, lambda: store.replace(fresh, record, version)) == ["EVALSHA"]
    assert commands(redis_server, lambda: store.delete(fresh)) == ["DEL"]


def test_a_key_is_the_prefix_and_the_handle(redis_server: RedisServer, open_redis: Opener) -> None:
    store, key = open_redis(redis_server.url(query="?prefix=%E5%BA%97:")), os.urandom(32)
    store.insert(key, sample())
    with redis_server.administer() as client:
        assert client.exists("店:" + key.hex()) == 1


def test_no_record_is_without_an_end(redis_server: RedisServer, open_redis: Opener) -> None:
    clock = Clock()
    store, key, now = open_redis(redis_server.url(), clock=clock), os.urandom(32), int(clock.now)
    with redis_server.administer() as client:

        def is_left(seconds: int, act: Callable[[], object]) -> bool:
            began = milliseconds(client.time())
            act()
            left: int = client.pttl("session:" + key.hex())
            passed = milliseconds(client.time()) - began
            return seconds * 1000 - passed - 1 <= left <= seconds * 1000

        assert is_left(100, lambda: store.insert(key, StoredRecord(b"content", now, now + 100)))
        version = store.read(key).version
        assert is_left(1000, lambda: store.touch(key, now, now + 1000, version))
        assert is_left(50, lambda: store.replace(key, StoredRecord(b"other", now, now + 50), version))
        clock.advance(60)
        assert is_left(10, lambda: store.insert(key, StoredRecord(b"new", now + 60, now + 70)))


def milliseconds(time: tuple[int, int]) -> int:
    """Gives what Redis says of its clock, in seconds and microseconds."""
    return time[0] * 1000 + time[1] // 1000


def test_a_server_that_forgot_the_scripts_is_told_them_again(redis_server: RedisServer, open_redis: Opener) -> None:
    store, key, record = open_redis(redis_server.url()), os.urandom(32), sample()
    store.insert(key, record)
    with redis_server.administer() as client:
        client.script_flush()
    version = store.read(key).version
    assert commands(redis_server, lambda: store.replace(key, record, version)) == ["EVALSHA", "EVAL"]
    version = store.read(key).version
    assert commands(redis_server, lambda: store.replace(key, record, version)) == ["EVALSHA"]
    assert commands(redis_server, lambda: store.touch(key, 1, record.expires_at, b"?")) == ["EVALSHA", "EVAL"]


def test_prefixes_keep_two_applications_apart(redis_server: RedisServer, open_redis: Opener) -> None:
    shop, blog = (open_redis(redis_server.url(query=f"?prefix={name}:")) for name in ("shop", "blog"))
    key = os.urandom(32)
    assert shop.insert(key, sample(b"shop"))
    assert blog.read(key) is None
    assert blog.insert(key, sample(b"blog"))
    blog.delete(key)
    assert shop.read(key).content == b"shop"


def test_the_database_is_that_of_the_url(redis_server: RedisServer, open_redis: Opener) -> None:
    third, key = open_redis(f"redis://{HOST}:{redis_server.port}/3"), os.urandom(32)
    third.insert(key, sample())
    assert open_redis(redis_server.url()).read(key) is None
    assert open_redis(f"redis://{HOST}:{redis_server.port}?db=3").read(key) is not None


def test_a_command_that_is_sent_twice_has_done_its_work_once(redis_server: RedisServer, open_redis: Opener) -> None:
    """It is known again by the version that the writer has drawn, and the lost answer is given."""
    store, key, record = open_redis(redis_server.url()), os.urandom(32), sample()
    with redis_server.administer() as client:
        store.insert(key, record)
        version = store.read(key).version
        name = "session:" + key.hex()
        value = client.get(name)
        from coatcheck.stores.redis_record import INSERT_ANEW, REPLACE

        def run(script: Any, *operands: bytes | int) -> int:
            found: int = client.eval(script.whole.words[1], 1, name, *operands)
            return found

        now = int(time.time())
        assert run(INSERT_ANEW, value, 60, now) == 1
        later = os.urandom(8) + value[8:]
        assert run(REPLACE, version, later, 60, now) == 1
        assert run(REPLACE, version, later, 60, now) == 1
        assert run(REPLACE, version, os.urandom(8) + value[8:], 60, now) == 0
        assert client.get(name) == later


# What is none of ours


@pytest.mark.parametrize(
    "value", [b"x", b"seventeen bytes..", b"\xff" * 18, b"a longer text than the head of a record is"]
)
def test_a_string_that_is_no_record_is_read_as_one_that_nobody_opens(
    redis_server: RedisServer, open_redis: Opener, value: bytes
) -> None:
    store, key = open_redis(redis_server.url()), os.urandom(32)
    plant(redis_server, key, value)
    found = store.read(key)
    assert value.endswith(found.content)
    assert found.expires_at > time.time()
    assert store.insert(key, sample()) is False
    plant(redis_server, key, b"y")
    assert store.replace(key, sample(), store.read(key).version) is False
    assert store.touch(key, 1, 2**39, store.read(key).version) is False
    store.delete(key)
    assert store.insert(key, sample()) is True


def test_an_empty_string_is_read_so_too(redis_server: RedisServer, open_redis: Opener) -> None:
    store, key = open_redis(redis_server.url()), os.urandom(32)
    plant(redis_server, key, b"")
    assert store.read(key).content == b""
    assert store.replace(key, sample(), b"") is False


def test_a_value_that_is_too_large_is_not_handed_on(redis_server: RedisServer, open_redis: Opener) -> None:
    store, key, other = open_redis(redis_server.url()), os.urandom(32), os.urandom(32)
    plant(redis_server, key, bytes(20_000_000))
    assert len(store.read(key).content) < 100
    assert store.replace(key, sample(), store.read(key).version) is False
    store.insert(other, sample(b"other"))
    assert store.read(other).content == b"other"
    store.delete(key)
    assert store.read(key) is None


def test_a_list_is_as_nothing_and_is_not_overwritten(redis_server: RedisServer, open_redis: Opener) -> None:
    store, key = open_redis(redis_server.url()), os.urandom(32)
    with redis_server.administer() as client:
        client.rpush("session:" + key.hex(), "one", "two")
    assert store.read(key) is None
    assert store.insert(key, sample()) is False
    assert store.replace(key, sample(), b"12345678") is False
    assert store.touch(key, 1, 2**39, b"12345678") is False
    store.delete(key)
    assert store.insert(key, sample()) is True


def test_a_record_that_is_too_large_is_refused(redis_server: RedisServer, open_redis: Opener) -> None:
    store, key = open_redis(redis_server.url()), os.urandom(32)
    with pytest.raises(StoreError, match="1200000 bytes"):
        store.insert(key, sample(bytes(1_200_000)))
    assert store.read(key) is None


def test_a_version_of_another_store_replaces_nothing(redis_server: RedisServer, open_redis: Opener) -> None:
    store, key = open_redis(redis_server.url()), os.urandom(32)
    store.insert(key, sample(b"first"))
    for version in (None, 1, b""):
        assert store.replace(key, sample(b"second"), version) is False
        assert store.touch(key, 1, 2**39, version) is False
    assert store.read(key).content == b"first"
