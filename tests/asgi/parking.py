"""An async store that stops where a test wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from coatcheck.core.record import StoredRecord
from coatcheck.errors import StoreError
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock


class ParkingStore:
    """Keeps records in memory, and answers in another turn of the loop, as a store at the end of a wire does.

    Attributes:
        calls: the names of the operations so far.
        down: whether all fail.
    """

    def __init__(self, memory: MemoryStore | None = None) -> None:
        self.memory = memory or MemoryStore(clock=Clock())
        self.calls: list[str] = []
        self.down = False
        self._countdown: int | None = None
        self._done = False
        self._parked = asyncio.Event()
        self._released = asyncio.Event()

    def park(self, number: int = 0, *, done: bool = False) -> None:
        """Has an operation stop, the first, second or a later one from now: before it takes place, or after."""
        self._countdown, self._done = number, done
        self._parked.clear()
        self._released.clear()

    async def parked(self) -> None:
        """Waits until an operation has stopped."""
        await self._parked.wait()

    async def parked_or(self, task: asyncio.Future[Any]) -> bool:
        """Waits until an operation has stopped, or a task has ended. Says whether the first is so."""
        waiting = asyncio.ensure_future(self._parked.wait())
        await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        return self._parked.is_set()

    def release(self) -> None:
        """Lets it go on, and stops no other."""
        self._countdown = None
        self._released.set()

    async def _run(self, operation: Callable[..., Any], *arguments: object) -> Any:
        self.calls.append(operation.__name__)
        park = self._countdown == 0
        if self._countdown is not None:
            self._countdown -= 1
        await asyncio.sleep(0)
        if park and not self._done:
            await self._stop()
        if self.down:
            raise StoreError("the store is down, as the test wants it")
        result = operation(*arguments)
        if park and self._done:
            await self._stop()
        return result

    async def _stop(self) -> None:
        self._parked.set()
        await self._released.wait()

    async def read(self, key: bytes) -> StoredRecord | None:
        found: StoredRecord | None = await self._run(self.memory.read, key)
        return found

    async def insert(self, key: bytes, record: StoredRecord) -> bool:
        return bool(await self._run(self.memory.insert, key, record))

    async def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        return bool(await self._run(self.memory.replace, key, record, seen))

    async def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        return bool(await self._run(self.memory.touch, key, used_at, expires_at, seen))

    async def delete(self, key: bytes) -> None:
        await self._run(self.memory.delete, key)
