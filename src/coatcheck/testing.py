"""For tests: of a program that uses coatcheck, and of a store that you write.

A store proves itself by a subclass of `StoreContract`, which pytest collects:

    class TestMyStore(StoreContract):
        def make_store(self, clock):
            return MyStore(clock=clock)
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, Thread
from typing import Any, TypeVar

from coatcheck.core.record import StoredRecord
from coatcheck.errors import StoreError
from coatcheck.stores.protocols import AsyncIndex, AsyncStore, AsyncSweeping, Index, Store, Sweeping

__all__ = ["AsyncFailingStore", "AsyncStoreContract", "Clock", "FailingStore", "StoreContract"]

_T = TypeVar("_T")

_WRITERS = 8
_LARGE = 1_000_000


class Clock:
    """A clock that stands until it is moved: an option `clock=` of the integrations and the stores."""

    def __init__(self, now: float = 1_800_000_000) -> None:
        self.now: float = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Moves the clock on."""
        self.now += seconds


class FailingStore:
    """A store that fails on demand.

    Attributes:
        down: whether every operation raises `StoreError` now.
        lost_replies: of so many of the next operations, the answer is lost: they
            take place, and raise `StoreError`.
        calls: the names of the operations so far, in order.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.down: bool = False
        self.lost_replies: int = 0
        self.calls: list[str] = []

    def _run(self, name: str, operation: Callable[..., _T], *arguments: object) -> _T:
        self.calls.append(name)
        if self.down:
            raise StoreError("the store is down, as the test wants it")
        result = operation(*arguments)
        if self.lost_replies > 0:
            self.lost_replies -= 1
            raise StoreError("the answer of the store is lost, as the test wants it")
        return result

    def read(self, key: bytes) -> StoredRecord | None:
        return self._run("read", self._store.read, key)

    def insert(self, key: bytes, record: StoredRecord) -> bool:
        return self._run("insert", self._store.insert, key, record)

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        return self._run("replace", self._store.replace, key, record, seen)

    def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        return self._run("touch", self._store.touch, key, used_at, expires_at, seen)

    def delete(self, key: bytes) -> None:
        return self._run("delete", self._store.delete, key)


class AsyncFailingStore:
    """As `FailingStore`, for asyncio."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self.down: bool = False
        self.lost_replies: int = 0
        self.calls: list[str] = []

    async def _run(self, name: str, operation: Callable[..., Coroutine[Any, Any, _T]], *arguments: object) -> _T:
        self.calls.append(name)
        if self.down:
            raise StoreError("the store is down, as the test wants it")
        result = await operation(*arguments)
        if self.lost_replies > 0:
            self.lost_replies -= 1
            raise StoreError("the answer of the store is lost, as the test wants it")
        return result

    async def read(self, key: bytes) -> StoredRecord | None:
        return await self._run("read", self._store.read, key)

    async def insert(self, key: bytes, record: StoredRecord) -> bool:
        return await self._run("insert", self._store.insert, key, record)

    async def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        return await self._run("replace", self._store.replace, key, record, seen)

    async def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        return await self._run("touch", self._store.touch, key, used_at, expires_at, seen)

    async def delete(self, key: bytes) -> None:
        return await self._run("delete", self._store.delete, key)


class StoreContract:
    """What every store must do. A subclass says how one is made; pytest does the rest.

    Each test works under keys of its own, so that one server serves them all, and
    old runs do not disturb.
    """

    def make_store(self, clock: Clock) -> Store:
        """Gives a store that takes the time from this clock. Each call gives a view of the same records."""
        raise NotImplementedError

    def close_store(self, store: Store) -> None:
        """Gives back what a store holds. By default, calls its `close`, if it has one."""
        getattr(store, "close", lambda: None)()

    @contextmanager
    def opened(self, clock: Clock | None = None) -> Iterator[Store]:
        """Gives a store for one test."""
        store = self.make_store(clock or Clock())
        try:
            yield store
        finally:
            self.close_store(store)

    # One after the other

    def test_it_has_the_five_methods(self) -> None:
        with self.opened() as store:
            assert isinstance(store, Store)

    def test_an_unknown_key_has_no_record(self) -> None:
        with self.opened() as store:
            assert store.read(_key()) is None

    def test_what_was_inserted_is_read_again(self) -> None:
        with self.opened() as store:
            key, record = _key(), _record(b"first")
            assert store.insert(key, record) is True
            _assert_same(store.read(key), record)

    def test_insert_never_overwrites(self) -> None:
        with self.opened() as store:
            key = _key()
            store.insert(key, _record(b"first"))
            assert store.insert(key, _record(b"second")) is False
            _assert_same(store.read(key), _record(b"first"))

    def test_replace_takes_the_place_of_what_was_seen(self) -> None:
        with self.opened() as store:
            key = _key()
            store.insert(key, _record(b"first"))
            later = _record(b"second", used=5)
            assert store.replace(key, later, _read(store, key).version) is True
            _assert_same(store.read(key), later)

    def test_replace_refuses_where_the_record_has_changed(self) -> None:
        with self.opened() as store:
            key = _key()
            store.insert(key, _record(b"first"))
            seen = _read(store, key).version
            assert store.replace(key, _record(b"second"), seen) is True
            assert store.replace(key, _record(b"third"), seen) is False
            _assert_same(store.read(key), _record(b"second"))

    def test_replace_with_the_same_content_counts_as_a_change(self) -> None:
        with self.opened() as store:
            key = _key()
            store.insert(key, _record(b"same"))
            seen = _read(store, key).version
            assert store.replace(key, _record(b"same"), seen) is True
            assert store.replace(key, _record(b"other"), seen) is False

    def test_replace_does_not_bring_back_what_is_gone(self) -> None:
        with self.opened() as store:
            key = _key()
            store.insert(key, _record(b"first"))
            seen = _read(store, key).version
            store.delete(key)
            assert store.replace(key, _record(b"second"), seen) is False
            assert store.read(key) is None

    def test_replace_refuses_where_the_key_was_taken_anew(self) -> None:
        with self.opened() as store:
            key = _key()
            store.insert(key, _record(b"first"))
            seen = _read(store, key).version
            store.delete(key)
            assert store.insert(key, _record(b"first")) is True
            assert store.replace(key, _record(b"second"), seen) is False
            _assert_same(store.read(key), _record(b"first"))

    def test_replacing_twice_in_a_row_needs_the_newer_version(self) -> None:
        with self.opened() as store:
            key = _key()
            store.insert(key, _record(b"0"))
            for count in range(1, 6):
                assert store.replace(key, _record(b"%d" % count), _read(store, key).version) is True
            _assert_same(store.read(key), _record(b"5"))

    def test_touch_changes_the_times_and_leaves_the_content(self) -> None:
        clock = Clock()
        with self.opened(clock) as store:
            key = _key()
            store.insert(key, _record(b"content", clock, life=100))
            clock.advance(90)
            now = int(clock.now)
            assert store.touch(key, now, now + 100, _read(store, key).version) is True
            clock.advance(90)
            found = _read(store, key)
            assert (found.content, found.used_at) == (b"content", now)
            clock.advance(10)
            assert store.read(key) is None

    def test_touch_does_not_bring_back_what_is_gone(self) -> None:
        with self.opened() as store:
            key, record = _key(), _record(b"content")
            store.insert(key, record)
            seen = _read(store, key).version
            store.delete(key)
            assert store.touch(key, record.used_at, record.expires_at, seen) is False
            assert store.read(key) is None

    def test_touch_refuses_where_the_record_has_changed(self) -> None:
        with self.opened() as store:
            key = _key()
            store.insert(key, _record(b"first"))
            seen = _read(store, key).version
            later = _record(b"second", used=5)
            store.replace(key, later, seen)
            assert store.touch(key, later.used_at + 1, later.expires_at, seen) is False
            _assert_same(store.read(key), later)

    def test_after_touch_a_fresh_version_can_be_replaced(self) -> None:
        with self.opened() as store:
            key, record = _key(), _record(b"first")
            store.insert(key, record)
            store.touch(key, record.used_at + 1, record.expires_at, _read(store, key).version)
            assert store.replace(key, _record(b"second"), _read(store, key).version) is True

    def test_delete_removes_whatever_is_there(self) -> None:
        with self.opened() as store:
            key = _key()
            store.insert(key, _record(b"content"))
            store.delete(key)
            assert store.read(key) is None

    def test_delete_of_nothing_is_no_error(self) -> None:
        with self.opened() as store:
            store.delete(_key())

    # Time

    def test_a_record_is_there_until_it_expires_and_not_a_second_longer(self) -> None:
        clock = Clock()
        with self.opened(clock) as store:
            key = _key()
            store.insert(key, _record(b"content", clock, life=60))
            clock.advance(59)
            assert store.read(key) is not None
            clock.advance(1)
            assert store.read(key) is None

    def test_an_expired_record_can_be_neither_replaced_nor_touched(self) -> None:
        clock = Clock()
        with self.opened(clock) as store:
            key = _key()
            store.insert(key, _record(b"content", clock, life=60))
            seen = _read(store, key).version
            clock.advance(60)
            assert store.replace(key, _record(b"other", clock), seen) is False
            assert store.touch(key, int(clock.now), int(clock.now) + 60, seen) is False
            assert store.read(key) is None

    def test_an_expired_record_leaves_its_place(self) -> None:
        clock = Clock()
        with self.opened(clock) as store:
            key = _key()
            store.insert(key, _record(b"old", clock, life=60))
            clock.advance(60)
            fresh = _record(b"new", clock)
            assert store.insert(key, fresh) is True
            _assert_same(store.read(key), fresh)

    def test_replace_gives_the_new_times(self) -> None:
        clock = Clock()
        with self.opened(clock) as store:
            key = _key()
            store.insert(key, _record(b"short", clock, life=10))
            store.replace(key, _record(b"long", clock, life=1000), _read(store, key).version)
            clock.advance(999)
            assert store.read(key) is not None
            clock.advance(1)
            assert store.read(key) is None

    def test_a_life_of_ten_years_is_kept(self) -> None:
        clock = Clock()
        with self.opened(clock) as store:
            key = _key()
            store.insert(key, _record(b"content", clock, life=315_360_000))
            clock.advance(315_359_999)
            assert store.read(key) is not None

    # Bytes

    def test_every_byte_is_kept(self) -> None:
        with self.opened() as store:
            for content in (b"", b"\x00", bytes(range(256)), b"\r\n END\r\n", b"'; --", b"\xff" * 100, b"\x80\x00\x00"):
                key = _key()
                store.insert(key, _record(content))
                assert _read(store, key).content == content

    def test_every_key_of_32_bytes_is_its_own(self) -> None:
        tail = os.urandom(16)
        # Pairs that become one where a key is taken for text, cut at a zero, stripped, folded or matched as a pattern.
        parts = (
            *(bytes(16), b"\x00" * 8 + b"\x01" * 8),
            *(b"\xfe" * 16, b"\xff" * 16),
            *(b" " * 16, b"\t\r\n " * 4),
            *(b"A" * 16, b"a" * 16),
            *(b"%" * 16, b"_*?[]{}%'\"\\:;\r\n\x00"),
        )
        with self.opened() as store:
            keys = [key for part in parts for key in (part + tail, tail + part)]
            for key in keys:
                assert store.insert(key, _record(key)) is True
            assert [_read(store, key).content for key in keys] == keys
            for key in keys:
                store.delete(key)

    def test_a_record_of_a_million_bytes_is_kept(self) -> None:
        with self.opened() as store:
            key, content = _key(), os.urandom(_LARGE)
            store.insert(key, _record(content))
            assert _read(store, key).content == content
            store.replace(key, _record(content[::-1]), _read(store, key).version)
            assert _read(store, key).content == content[::-1]
            store.delete(key)

    # At the same time

    def test_of_many_inserts_at_once_one_succeeds(self) -> None:
        with self.opened() as store:
            key = _key()
            done = _at_once(lambda number: store.insert(key, _record(b"%d" % number)))
            assert (done.count(True), done.count(False)) == (1, _WRITERS - 1)
            assert _read(store, key).content == b"%d" % done.index(True)

    def test_of_many_replaces_at_once_one_succeeds(self) -> None:
        with self.opened() as store:
            key = _key()
            store.insert(key, _record(b"first"))
            seen = _read(store, key).version
            done = _at_once(lambda number: store.replace(key, _record(b"%d" % number), seen))
            assert (done.count(True), done.count(False)) == (1, _WRITERS - 1)
            assert _read(store, key).content == b"%d" % done.index(True)

    def test_many_who_try_again_all_succeed(self) -> None:
        with self.opened() as store:
            key = _key()
            store.insert(key, _record(b"0"))

            def count(_: int) -> None:
                for _attempt in range(1000):
                    found = _read(store, key)
                    if store.replace(key, _record(b"%d" % (int(found.content) + 1)), found.version):
                        return
                raise AssertionError("no attempt of a thousand succeeded")

            _at_once(count)
            assert _read(store, key).content == b"%d" % _WRITERS

    def test_delete_wins_over_writers_under_way(self) -> None:
        with self.opened() as store:
            for _round in range(10):
                key, record = _key(), _record(b"first")
                store.insert(key, record)
                seen = _read(store, key).version

                def act(number: int, key: bytes = key, record: StoredRecord = record, seen: object = seen) -> None:
                    if number == 0:
                        store.delete(key)
                    elif number % 2:
                        store.replace(key, _record(b"late"), seen)
                    else:
                        store.touch(key, record.used_at, record.expires_at, seen)

                _at_once(act)
                assert store.read(key) is None

    def test_two_views_share_the_records(self) -> None:
        clock = Clock()
        with self.opened(clock) as one, self.opened(clock) as other:
            key = _key()
            one.insert(key, _record(b"first"))
            seen = _read(other, key).version
            assert one.replace(key, _record(b"second"), _read(one, key).version) is True
            assert other.replace(key, _record(b"third"), seen) is False
            other.delete(key)
            assert one.read(key) is None

    # What some stores can do beside

    def test_sweeping_removes_what_has_expired_and_nothing_else(self) -> None:
        clock = Clock()
        with self.opened(clock) as store:
            if not isinstance(store, Sweeping):
                return
            while store.sweep(1000) == 1000:
                pass
            short, long = [_key() for _ in range(5)], [_key() for _ in range(3)]
            for key in short:
                store.insert(key, _record(b"short", clock, life=10))
            for key in long:
                store.insert(key, _record(b"long", clock, life=1000))
            clock.advance(10)
            assert (store.sweep(3), store.sweep(3)) == (3, 2)
            assert [store.read(key) is None for key in [*short, *long]] == [True] * 5 + [False] * 3

    def test_the_records_of_an_owner_are_found_last_used_first(self) -> None:
        clock = Clock()
        with self.opened(clock) as store:
            if not isinstance(store, Index):
                return
            owner, keys = os.urandom(16), [_key() for _ in range(4)]
            for used, key in enumerate(keys):
                store.insert(key, _record(b"mine", clock, used=used)._replace(owner=owner))
            store.insert(_key(), _record(b"nobody's", clock))
            store.insert(_key(), _record(b"another's", clock)._replace(owner=os.urandom(16)))
            store.replace(keys[1], _record(b"given up", clock), _read(store, keys[1]).version)
            store.delete(keys[2])
            assert [key for key, _ in store.owned_by(owner)] == [keys[3], keys[0]]
            assert {record.owner for _, record in store.owned_by(owner)} == {owner}
            assert store.owned_by(b"") == []
            clock.advance(10_000)
            assert store.owned_by(owner) == []

    def test_what_it_shows_of_itself_holds_no_record(self) -> None:
        with self.opened() as store:
            key = _key()
            store.insert(key, _record(b"the content of a session"))
            shown = repr(store) + str(store)
            assert "content" not in shown
            assert key.hex() not in shown


class AsyncStoreContract(StoreContract):
    """What every async store must do: the same, and that tasks do not disturb each other.

    A subclass says how one is made, with `make_async_store`.
    """

    async def make_async_store(self, clock: Clock) -> AsyncStore:
        """Gives a store that takes the time from this clock; runs in the event loop in which the store will work."""
        raise NotImplementedError

    async def close_async_store(self, store: AsyncStore) -> None:
        """Gives back what a store holds. By default, awaits its `close`, if it has one."""
        close = getattr(store, "close", None)
        if close is not None:
            await close()

    def make_store(self, clock: Clock) -> Store:
        loop = _Loop()
        store = loop.run(self.make_async_store(clock))
        assert isinstance(store, AsyncStore)
        if isinstance(store, AsyncSweeping) and isinstance(store, AsyncIndex):
            return _IndexedFacade(loop, store)
        return _Facade(loop, store)

    def close_store(self, store: Store) -> None:
        assert isinstance(store, _Facade)
        store.loop.run(self.close_async_store(store.store))
        store.loop.close()

    def test_tasks_that_try_again_all_succeed(self) -> None:
        async def count(store: AsyncStore, key: bytes) -> None:
            for _attempt in range(1000):
                found = await store.read(key)
                assert found is not None
                if await store.replace(key, _record(b"%d" % (int(found.content) + 1)), found.version):
                    return
            raise AssertionError("no attempt of a thousand succeeded")

        async def program() -> None:
            store, key = await self.make_async_store(Clock()), _key()
            await store.insert(key, _record(b"0"))
            await asyncio.gather(*(count(store, key) for _ in range(_WRITERS)))
            found = await store.read(key)
            assert found is not None
            assert found.content == b"%d" % _WRITERS
            await self.close_async_store(store)

        asyncio.run(program())

    def test_a_cancelled_operation_leaves_the_store_usable(self) -> None:
        async def program() -> None:
            store, keys = await self.make_async_store(Clock()), [_key() for _ in range(20)]
            for number, key in enumerate(keys):
                await store.insert(key, _record(b"%d" % number))
            for _round in range(5):
                tasks = [asyncio.ensure_future(store.read(key)) for key in keys]
                await asyncio.sleep(0)
                for task in tasks[::2]:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            # An answer that nobody waited for must not be taken for the answer to the next question.
            found = [await store.read(key) for key in keys]
            assert [record and record.content for record in found] == [b"%d" % number for number in range(20)]
            await self.close_async_store(store)

        asyncio.run(program())


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _Facade:
    """An async store as a sync one, so that one contract is written once."""

    def __init__(self, loop: _Loop, store: AsyncStore) -> None:
        self.loop = loop
        self.store = store

    def __repr__(self) -> str:
        return repr(self.store)

    def read(self, key: bytes) -> StoredRecord | None:
        return self.loop.run(self.store.read(key))

    def insert(self, key: bytes, record: StoredRecord) -> bool:
        return self.loop.run(self.store.insert(key, record))

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        return self.loop.run(self.store.replace(key, record, seen))

    def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        return self.loop.run(self.store.touch(key, used_at, expires_at, seen))

    def delete(self, key: bytes) -> None:
        return self.loop.run(self.store.delete(key))


class _IndexedFacade(_Facade):
    """As `_Facade`, of a store that sweeps and finds by owner."""

    store: Any

    def sweep(self, limit: int = 1000) -> int:
        swept: int = self.loop.run(self.store.sweep(limit))
        return swept

    def owned_by(self, owner: bytes) -> list[tuple[bytes, StoredRecord]]:
        found: list[tuple[bytes, StoredRecord]] = self.loop.run(self.store.owned_by(owner))
        return found


def _key() -> bytes:
    return os.urandom(32)


def _record(content: bytes, clock: Clock | None = None, *, life: int = 3600, used: int = 0) -> StoredRecord:
    now = int((clock or Clock()).now) + used
    return StoredRecord(content, now, now + life)


def _read(store: Store, key: bytes) -> StoredRecord:
    found = store.read(key)
    assert found is not None, "there is no record"
    return found


def _assert_same(found: StoredRecord | None, expected: StoredRecord) -> None:
    assert found is not None, "there is no record"
    assert (found.content, found.used_at, found.expires_at) == expected[:3]


def _at_once(act: Callable[[int], _T]) -> list[_T]:
    """Calls a function in as many threads as there are writers, which all begin together."""
    barrier = Barrier(_WRITERS)

    def begin(number: int) -> _T:
        barrier.wait(30)
        return act(number)

    with ThreadPoolExecutor(_WRITERS) as threads:
        return list(threads.map(begin, range(_WRITERS)))
