"""What these tests share: a store that lists what it is asked, and fails on demand."""

from __future__ import annotations

import pytest

from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.threaded import ThreadedStore
from coatcheck.testing import AsyncFailingStore, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> AsyncFailingStore:
    return AsyncFailingStore(ThreadedStore(MemoryStore(clock=clock)))
