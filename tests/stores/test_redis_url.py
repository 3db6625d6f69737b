from __future__ import annotations

import pytest
from stores.redis_samples import run

from coatcheck.stores.redis import AsyncRedisStore, RedisSettings, RedisStore
from coatcheck.stores.url import StoreURL


def test_its_repr_shows_where_and_not_who() -> None:
    for url, shown in {
        "redis://shop:secret@cache.example/2": "<RedisStore, Redis at cache.example:6379/2>",
        "valkeys://shop:secret@cache.example:7000": "<RedisStore, Valkey at cache.example:7000/0>",
        "redis+sentinel://shop:secret@a,b:7/main?sentinel_password=secret": (
            "<RedisStore, Redis sentinel at a:26379,b:7, main/0>"
        ),
        "rediss+cluster://shop:secret@a,b:7": "<RedisStore, Redis cluster at a:6379,b:7>",
    }.items():
        store = RedisStore.from_url(StoreURL.parse(url))
        assert repr(store) == str(store) == shown
        assert "secret" not in repr(RedisSettings.from_url(StoreURL.parse(url)))
        assert repr(AsyncRedisStore.from_url(StoreURL.parse(url))) == "<Async" + shown[1:]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redis:///0", "names one server: redis://host"),
        ("redis://a,b/0", "names one server"),
        ("redis://a/main", "the database of a redis store is a number"),
        ("redis://a/1?db=2", "name two databases"),
        ("redis://a/-1", "is a number"),
        ("redis://a?time_out=1", "did you mean 'timeout'"),
        ("redis://a?timeout=0", "'timeout' of a store is a number above 0"),
        ("redis://a?connect_timeout=soon", "'connect_timeout' of a store is a number above 0"),
        ("redis://a?pool=0", "'pool' of a store is a number above 0"),
        ("redis://a?sentinel_user=x", "a redis store has no option 'sentinel_user'"),
        ("redis://a?tls_ca=/nowhere", "'tls_ca' needs TLS: rediss://"),
        ("valkey+cluster://a?tls_verify=no", "'tls_verify' needs TLS: valkeys[+]cluster://"),
        ("rediss://a?tls_ca=/nowhere", "'tls_ca' of a store names no file that is there"),
        ("rediss://a?tls_verify=perhaps", "true or false"),
        ("redis+sentinel://a", "names the master in its path"),
        ("redis+sentinel:///main", "names the sentinels: redis[+]sentinel://host1:26379,host2:26379"),
        ("redis+cluster://", "names some servers of the cluster"),
        ("redis+cluster://a/1", "a cluster has the database 0 alone"),
        ("redis+cluster://a?db=0", "has no option 'db'"),
        ("redis+socket://a", "there is no store 'redis[+]socket'; beside redis there are redis[+]sentinel and"),
    ],
)
def test_what_cannot_be_right_is_refused_at_once(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        RedisStore.from_url(StoreURL.parse(url))
    with pytest.raises(ValueError, match=problem):
        AsyncRedisStore.from_url(StoreURL.parse(url))


def test_without_redis_py_it_says_what_to_install() -> None:
    run(
        "import sys; sys.modules['redis'] = None\n"
        "from coatcheck.stores import open_store\n"
        "try: open_store('redis://localhost')\n"
        "except ImportError as error: assert \"pip install 'coatcheck[redis]'\" in str(error), error\n"
        "else: raise AssertionError\n"
    )
