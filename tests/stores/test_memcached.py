from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self

import pytest
from pymemcache.client.base import Client
from servers.memcached import MemcachedServer, MemcachedStores, record, running, several
from servers.process import PATIENCE

from coatcheck.core.record import StoredRecord
from coatcheck.errors import StoreError, UsageError
from coatcheck.stores import AsyncStore, Store, open_async_store, open_store
from coatcheck.stores.memcached import AsyncMemcachedStore, MemcachedSettings, MemcachedStore
from coatcheck.stores.url import StoreURL
from coatcheck.testing import AsyncStoreContract, Clock, StoreContract


class TestMemcachedStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, memcached: MemcachedServer) -> None:
        self.url = memcached.url()

    def make_store(self, clock: Clock) -> Store:
        return MemcachedStore.from_url(StoreURL.parse(self.url, timeout=PATIENCE), clock=clock)


class TestAsyncMemcachedStore(AsyncStoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, memcached: MemcachedServer) -> None:
        self.url = memcached.url()

    async def make_async_store(self, clock: Clock) -> AsyncStore:
        return AsyncMemcachedStore.from_url(StoreURL.parse(self.url, timeout=PATIENCE), clock=clock)


class TestMemcachedStoreOnTwoServers(TestMemcachedStore):
    @pytest.fixture(autouse=True)
    def _server(self, two_memcacheds: tuple[MemcachedServer, MemcachedServer]) -> None:
        self.url = several(*two_memcacheds)


class TestAsyncMemcachedStoreOnTwoServers(TestAsyncMemcachedStore):
    @pytest.fixture(autouse=True)
    def _server(self, two_memcacheds: tuple[MemcachedServer, MemcachedServer]) -> None:
        self.url = several(*two_memcacheds)


@pytest.fixture(params=["sync", "async"])
def stores(request: pytest.FixtureRequest) -> Iterator[MemcachedStores]:
    with MemcachedStores(request.param) as stores:
        yield stores


# What is asked of the server


def test_each_operation_is_one_command(stores: MemcachedStores, memcached: MemcachedServer) -> None:
    store, key = stores.open(memcached.url()), os.urandom(32)
    store.read(key)

    def commands(operation: Callable[..., Any], *arguments: Any) -> dict[str, int]:
        before = memcached.commands()
        assert operation(*arguments) is not False
        return {name: count - before[name] for name, count in memcached.commands().items() if count > before[name]}

    assert commands(store.insert, key, record(b"first")) == {"add or cas": 1}
    assert commands(store.read, key) == {"gets": 1}
    assert commands(store.replace, key, record(b"second"), store.read(key).version) == {"add or cas": 1}
    assert commands(store.touch, key, 5, int(stores.clock.now) + 9, store.read(key).version) == {"add or cas": 1}
    assert commands(store.delete, key) == {"delete": 1}


def test_what_cannot_be_the_version_of_anything_is_not_asked_about(
    stores: MemcachedStores, memcached: MemcachedServer
) -> None:
    store, key = stores.open(memcached.url()), os.urandom(32)
    store.insert(key, record(b"first"))
    before = memcached.commands()
    assert store.replace(key, record(b"second"), None) is False
    assert store.touch(key, 5, int(stores.clock.now) + 9, 7) is False
    assert memcached.commands() == before


def test_a_key_is_the_prefix_and_the_handle(stores: MemcachedStores, memcached: MemcachedServer) -> None:
    key = os.urandom(32)
    with memcached.client() as client:
        for query, prefix in (("", "session:"), ("?prefix=shop.", "shop."), ("?prefix=", "")):
            stores.open(memcached.url(query)).insert(key, record(b"content"))
            assert client.get(prefix + key.hex()).endswith(b"content")


def test_the_longest_prefix_works_and_two_prefixes_do_not_meet(
    stores: MemcachedStores, memcached: MemcachedServer
) -> None:
    key = os.urandom(32)
    one, other = (stores.open(memcached.url(f"?prefix={letter * 186}")) for letter in "ab")
    assert one.insert(key, record(b"one")) is True
    assert other.insert(key, record(b"other")) is True
    assert one.read(key).content == b"one"


def test_the_server_forgets_by_itself_and_not_too_early(stores: MemcachedStores, memcached: MemcachedServer) -> None:
    store = stores.open(memcached.url())
    for life, expected in ((60, 62), (2_591_998, 2_592_000), (2_591_999, 2_592_001), (31_536_000, 31_536_002)):
        key = os.urandom(32)
        with memcached.client() as client:
            clocks = [Clocks.of(client)]
            store.insert(key, record(b"content", life))
            clocks.append(Clocks.of(client))
            facts = client.raw_command(b"mg session:%s t" % key.hex().encode())
            clocks.append(Clocks.of(client))
        assert facts.startswith(b"HD t")
        # Up to thirty days memcached is told the time that is left, and beyond them the instant, by our clock.
        begin = [each.ours if expected > 30 * 24 * 60 * 60 else each.its for each in clocks]
        assert begin[0] - clocks[2].its <= int(facts[4:]) - expected <= begin[1] - clocks[1].its


class Clocks(NamedTuple):
    """What time it is, in whole seconds. memcached's clock ticks once a second, and later where it finds no time."""

    ours: int
    its: int

    @classmethod
    def of(cls, client: Client) -> Self:
        return cls(int(time.time()), int(client.stats()[b"time"]))


def test_a_life_beyond_what_memcached_can_count_is_kept(stores: MemcachedStores, memcached: MemcachedServer) -> None:
    store, key = stores.open(memcached.url()), os.urandom(32)
    assert store.insert(key, record(b"content", 2_000_000_000)) is True
    stores.clock.advance(1_999_999_999)
    assert store.read(key).content == b"content"


def test_the_times_can_be_at_their_bounds(stores: MemcachedStores, memcached: MemcachedServer) -> None:
    store, key = stores.open(memcached.url()), os.urandom(32)
    kept = StoredRecord(b"content", 2**40 - 1, 2**40 - 1)
    assert store.insert(key, kept) is True
    assert store.read(key)[:3] == kept[:3]


# What somebody else has put there


def test_what_is_no_record_is_not_there_and_leaves_its_place(
    stores: MemcachedStores, memcached: MemcachedServer
) -> None:
    store = stores.open(memcached.url())
    for garbage in (b"", b"short", b"\xff" * 9, bytes(10), bytes(2000), b"\xff" * 5 + b"\x00\x00\x00\x00\x01"):
        key = os.urandom(32)
        with memcached.client() as client:
            client.set(f"session:{key.hex()}", garbage, flags=7)
        assert store.read(key) is None
        assert store.insert(key, record(b"content")) is True
        assert store.read(key).content == b"content"


def test_garbage_that_could_be_a_record_is_given_as_it_is(stores: MemcachedStores, memcached: MemcachedServer) -> None:
    store, key = stores.open(memcached.url()), os.urandom(32)
    with memcached.client() as client:
        client.set(f"session:{key.hex()}", b"\xff" * 30)
    assert store.read(key)[:3] == (b"\xff" * 20, 2**40 - 1, 2**40 - 1)


# Size and memory


def test_a_record_over_the_limit_is_refused_and_the_old_one_stays(
    stores: MemcachedStores, own_memcached: MemcachedServer
) -> None:
    store, key, large = (
        stores.open(own_memcached.url()),
        os.urandom(32),
        record(bytes(1_100_000)),
    )
    with pytest.raises(StoreError, match="keeps no record of this size: its option -I is the limit, 1 MB unless"):
        store.insert(key, large)
    assert store.insert(key, record(b"small")) is True
    seen = store.read(key)
    with pytest.raises(StoreError, match="keeps no record of this size"):
        store.replace(key, large, seen.version)
    assert store.read(key) == seen


def test_a_server_that_may_not_evict_refuses_when_it_is_full(stores: MemcachedStores) -> None:
    server = MemcachedServer()
    server.command += ["-M", "-m", "4"]
    with running(server):
        store = stores.open(server.url())

        def fill() -> None:
            for _ in range(200):
                store.insert(os.urandom(32), record(bytes(100_000)))

        with pytest.raises(StoreError, match="memcached is out of memory and may not evict"):
            fill()


def test_a_server_that_evicts_has_logged_out_who_was_idle_longest(stores: MemcachedStores) -> None:
    server = MemcachedServer()
    server.command += ["-m", "4"]
    with running(server):
        store, keys = stores.open(server.url()), [os.urandom(32) for _ in range(200)]
        for key in keys:
            assert store.insert(key, record(bytes(100_000))) is True
        assert store.read(keys[0]) is None
        assert store.read(keys[-1]) is not None


# The URL


def test_the_options_of_the_url_arrive() -> None:
    url = "memcached://one,two:12345,[::1]:5/?timeout=0.5&connect_timeout=3&pool=7&prefix=shop:"
    settings = MemcachedSettings.from_url(StoreURL.parse(url))
    hosts = (("one", 11211), ("two", 12345), ("::1", 5))
    assert settings == MemcachedSettings(hosts, prefix=b"shop:", timeout=0.5, connect_timeout=3, pool=7)
    assert repr(open_store(url)) == "<MemcachedStore at one:11211,two:12345,[::1]:5>"


def test_the_connect_timeout_is_the_timeout_unless_it_is_given() -> None:
    settings = MemcachedSettings.from_url(StoreURL.parse("memcached://one", timeout=0.25))
    assert settings == MemcachedSettings((("one", 11211),), timeout=0.25, connect_timeout=0.25)
    assert MemcachedSettings.from_url(StoreURL.parse("memcached://one")) == MemcachedSettings((("one", 11211),))


@pytest.mark.parametrize(
    "url",
    [
        "memcached:",
        "memcached:///",
        "memcached:///run/memcached.sock",
        "memcached://one/0",
        "memcached://one,one:11211",
        "memcached://somebody:opensesame@one",
        "memcached://opensesame@one",
        "memcached://one/?prefix=open%20sesame",
        "memcached://one/?prefix=opensesame%0D%0A",
        "memcached://one/?prefix=%C3%BC",
        "memcached://one/?prefix=" + "x" * 187,
        "memcached://one/?timeout=opensesame",
        "memcached://one/?timeout=0",
        "memcached://one/?pool=-1",
        "memcached://one/?db=1",
    ],
)
def test_a_url_that_cannot_be_right_is_refused_and_not_repeated(url: str) -> None:
    for opener in (open_store, open_async_store):
        with pytest.raises(UsageError) as caught:
            opener(url)
        assert "opensesame" not in str(caught.value)


def test_without_pymemcache_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['pymemcache'] = None\n"
        "from coatcheck.stores import open_store\n"
        "try: open_store('memcached://localhost')\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "coatcheck.stores.memcached needs pymemcache: pip install 'coatcheck[memcached]'\n"
