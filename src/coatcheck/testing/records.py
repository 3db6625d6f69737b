"""Records for a contract to keep, and threads that begin together."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from coatcheck.core.record import StoredRecord
from coatcheck.stores.protocols import Store
from coatcheck.testing.clock import Clock

_T = TypeVar("_T")

WRITERS = 8


def make_key() -> bytes:
    return os.urandom(32)


def make_record(content: bytes, clock: Clock | None = None, *, life: int = 3600, used: int = 0) -> StoredRecord:
    now = int((clock or Clock()).now) + used
    return StoredRecord(content, now, now + life)


def read_record(store: Store, key: bytes) -> StoredRecord:
    found = store.read(key)
    assert found is not None, "there is no record"
    return found


def assert_same(found: StoredRecord | None, expected: StoredRecord) -> None:
    assert found is not None, "there is no record"
    assert (found.content, found.used_at, found.expires_at) == expected[:3]


def at_once(act: Callable[[int], _T]) -> list[_T]:
    """Calls a function in as many threads as there are writers, which all begin together."""
    barrier = Barrier(WRITERS)

    def begin(number: int) -> _T:
        barrier.wait(30)
        return act(number)

    with ThreadPoolExecutor(WRITERS) as threads:
        return list(threads.map(begin, range(WRITERS)))
