"""An async store for a test that is written once for both kinds."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from coatcheck.core.record import StoredRecord
from coatcheck.stores import AsyncStore

_T = TypeVar("_T")


class Blocking:
    """An async store as a sync one. The event loop runs during an operation and stands between two."""

    def __init__(self, store: AsyncStore) -> None:
        self.store = store
        self._runner = asyncio.Runner()

    def __repr__(self) -> str:
        return repr(self.store)

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Runs something else in the same event loop."""
        return self._runner.run(work)

    def read(self, key: bytes) -> StoredRecord | None:
        return self.run(self.store.read(key))

    def insert(self, key: bytes, record: StoredRecord) -> bool:
        return self.run(self.store.insert(key, record))

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        return self.run(self.store.replace(key, record, seen))

    def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        return self.run(self.store.touch(key, used_at, expires_at, seen))

    def delete(self, key: bytes) -> None:
        return self.run(self.store.delete(key))

    def close(self) -> None:
        close = getattr(self.store, "close", None)
        if close is not None:
            self.run(close())
        self._runner.close()
