"""What these tests share: stores that list what they are asked, and fail on demand."""

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
