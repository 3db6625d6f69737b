"""A sync store for async programs."""

from __future__ import annotations

import os
from asyncio import get_running_loop
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from coatcheck.core.record import StoredRecord
from coatcheck.errors import UsageError
from coatcheck.stores.protocols import Index, Store, Sweeping, provides

_T = TypeVar("_T")


class ThreadedStore:
    """Runs the operations of a sync store in threads of its own, so that the event loop goes on.

    Args:
        threads: how many operations run at once; more wait.
    """

    def __init__(self, store: Store, *, threads: int = 8) -> None:
        self._store: Any = store
        self._count = threads
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._threads = ThreadPoolExecutor(self._count, "coatcheck-store")

    def __repr__(self) -> str:
        return f"<ThreadedStore of {self._store!r}>"

    async def _run(self, operation: Callable[..., _T], *arguments: object) -> _T:
        if self._process != os.getpid():
            # After `close`, or a fork, which leaves the threads behind: whoever waited for one would wait for ever.
            self._begin()
        return await get_running_loop().run_in_executor(self._threads, operation, *arguments)

    async def read(self, key: bytes) -> StoredRecord | None:
        return await self._run(self._store.read, key)

    async def insert(self, key: bytes, record: StoredRecord) -> bool:
        return await self._run(self._store.insert, key, record)

    async def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        return await self._run(self._store.replace, key, record, seen)

    async def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        return await self._run(self._store.touch, key, used_at, expires_at, seen)

    async def delete(self, key: bytes) -> None:
        await self._run(self._store.delete, key)

    async def sweep(self, limit: int = 1000) -> int:
        """As `AsyncSweeping.sweep`; gives 0 where the store needs no sweeping."""
        return await self._run(self._store.sweep, limit) if provides(self._store, Sweeping) else 0

    async def owned_by(self, owner: bytes) -> list[tuple[bytes, StoredRecord]]:
        """As `AsyncIndex.owned_by`. Raises `UsageError` where the store has no index."""
        if not provides(self._store, Index):
            raise UsageError(f"{self._store!r} does not find records by their owner")
        return await self._run(self._store.owned_by, owner)

    async def close(self) -> None:
        """Closes the store, if it can be closed, and ends the threads. There are new ones if it is asked again."""
        await self._run(getattr(self._store, "close", lambda: None))
        self._threads.shutdown(wait=False)
        self._process = 0
