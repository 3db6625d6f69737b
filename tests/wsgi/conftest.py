"""What these tests share: a store that lists what it is asked, and fails on demand."""

from __future__ import annotations

import pytest

from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock, FailingStore


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> FailingStore:
    return FailingStore(MemoryStore(clock=clock))
