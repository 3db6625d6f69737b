"""What every async store must do, as tests."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from inspect import iscoroutinefunction
from threading import Thread
from typing import Any, TypeVar

from coatcheck.core.record import StoredRecord
from coatcheck.stores.protocols import AsyncStore, Store, provides
from coatcheck.testing.clock import Clock
from coatcheck.testing.contract import StoreContract
from coatcheck.testing.records import WRITERS, make_key, make_record

_T = TypeVar("_T")


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
        assert provides(store, AsyncStore)
        return _Facade(loop, store)

    def close_store(self, store: Store) -> None:
        assert isinstance(store, _Facade)
        store.loop.run(self.close_async_store(store.store))
        store.loop.close()

    def test_its_read_is_a_coroutine_function(self) -> None:
        """By this it is told from a sync store, which an async program would ask in threads."""

        async def program() -> None:
            store = await self.make_async_store(Clock())
            assert iscoroutinefunction(store.read)
            await self.close_async_store(store)

        asyncio.run(program())

    def test_tasks_that_try_again_all_succeed(self) -> None:
        async def count(store: AsyncStore, key: bytes) -> None:
            for _attempt in range(1000):
                found = await store.read(key)
                assert found is not None
                if await store.replace(key, make_record(b"%d" % (int(found.content) + 1)), found.version):
                    return
            raise AssertionError("no attempt of a thousand succeeded")

        async def program() -> None:
            store, key = await self.make_async_store(Clock()), make_key()
            await store.insert(key, make_record(b"0"))
            await asyncio.gather(*(count(store, key) for _ in range(WRITERS)))
            found = await store.read(key)
            assert found is not None
            assert found.content == b"%d" % WRITERS
            await self.close_async_store(store)

        asyncio.run(program())

    def test_a_cancelled_operation_leaves_the_store_usable(self) -> None:
        async def program() -> None:
            store, keys = await self.make_async_store(Clock()), [make_key() for _ in range(20)]
            for number, key in enumerate(keys):
                await store.insert(key, make_record(b"%d" % number))
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

    def __getattr__(self, name: str) -> Any:
        # What some stores can do beside.
        method = getattr(self.store, name)
        return lambda *arguments: self.loop.run(method(*arguments))
