from __future__ import annotations

from coatcheck.stores import AsyncStore, Store
from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.threaded import ThreadedStore
from coatcheck.testing import AsyncStoreContract, Clock, StoreContract


class TestMemoryStore(StoreContract):
    def make_store(self, clock: Clock) -> Store:
        self.__dict__.setdefault("shared", MemoryStore(clock=clock))
        return self.__dict__["shared"]


class TestMemoryStoreInThreads(AsyncStoreContract):
    async def make_async_store(self, clock: Clock) -> AsyncStore:
        self.__dict__.setdefault("shared", MemoryStore(clock=clock))
        return ThreadedStore(self.__dict__["shared"])
