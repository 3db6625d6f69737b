"""For tests: of a program that uses coatcheck, and of a store that you write.

A store proves itself by a subclass of `StoreContract`, which pytest collects:

    class TestMyStore(StoreContract):
        def make_store(self, clock):
            return MyStore(clock=clock)
"""

from __future__ import annotations

from coatcheck.testing.async_contract import AsyncStoreContract
from coatcheck.testing.clock import Clock
from coatcheck.testing.contract import StoreContract
from coatcheck.testing.failing import AsyncFailingStore, FailingStore

__all__ = ["AsyncFailingStore", "AsyncStoreContract", "Clock", "FailingStore", "StoreContract"]
