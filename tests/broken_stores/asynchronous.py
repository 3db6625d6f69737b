"""Async stores that tasks can upset."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from coatcheck.core.record import StoredRecord
from coatcheck.stores.memory import MemoryStore


class AsyncBreaking:
    """A store of one event loop that keeps the contract. Its operations take a turn of the loop, as a network does."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store

    async def read(self, key: bytes) -> StoredRecord | None:
        await asyncio.sleep(0)
        return self.store.read(key)

    async def insert(self, key: bytes, record: StoredRecord) -> bool:
        await asyncio.sleep(0)
        return self.store.insert(key, record)

    async def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        await asyncio.sleep(0)
        return self.store.replace(key, record, seen)

    async def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        await asyncio.sleep(0)
        return self.store.touch(key, used_at, expires_at, seen)

    async def delete(self, key: bytes) -> None:
        await asyncio.sleep(0)
        self.store.delete(key)


class AsyncReplaceInTwoSteps(AsyncBreaking):
    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self._waiting: asyncio.Event | None = None

    async def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        found = await self.read(key)
        if found is None or found.version != seen:
            return False
        await self._meet()
        present = self.store.read(key)
        return present is not None and self.store.replace(key, record, present.version)

    async def _meet(self) -> None:
        """Waits until another task is as far, so that both have looked before either writes; alone, for a moment."""
        if self._waiting is not None:
            self._waiting.set()
            self._waiting = None
            return
        self._waiting = met = asyncio.Event()
        with suppress(TimeoutError):
            await asyncio.wait_for(met.wait(), 0.1)
        if self._waiting is met:
            self._waiting = None


class AnswersComeToWhoeverAsksNext(AsyncBreaking):
    """As one whose connection goes on to the next task with the answer to a cancelled one still in it."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self._line = asyncio.Lock()
        self._answers: list[StoredRecord | None] = []

    async def read(self, key: bytes) -> StoredRecord | None:
        async with self._line:
            self._answers.append(self.store.read(key))
            await asyncio.sleep(0)
            return self._answers.pop(0)


class ACancelledTaskKeepsTheConnection(AsyncBreaking):
    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self._is_taken = False

    async def read(self, key: bytes) -> StoredRecord | None:
        assert not self._is_taken, "every connection is in use"
        self._is_taken = True
        found = self.store.read(key)
        if asyncio.current_task() is not None:
            await asyncio.sleep(0)
        self._is_taken = False
        return found
