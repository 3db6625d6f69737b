"""Stores that fail on demand."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from coatcheck.core.record import StoredRecord
from coatcheck.errors import StoreError
from coatcheck.stores.protocols import AsyncStore, Store

_T = TypeVar("_T")


class FailingStore:
    """A store that fails on demand.

    Attributes:
        down: whether every operation raises `StoreError` now.
        lost_replies: of so many of the next operations, the answer is lost: they
            take place, and raise `StoreError`.
        calls: the names of the operations so far, in order.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.down: bool = False
        self.lost_replies: int = 0
        self.calls: list[str] = []

    def _run(self, name: str, operation: Callable[..., _T], *arguments: object) -> _T:
        self.calls.append(name)
        if self.down:
            raise StoreError("the store is down, as the test wants it")
        result = operation(*arguments)
        if self.lost_replies > 0:
            self.lost_replies -= 1
            raise StoreError("the answer of the store is lost, as the test wants it")
        return result

    def read(self, key: bytes) -> StoredRecord | None:
        return self._run("read", self._store.read, key)

    def insert(self, key: bytes, record: StoredRecord) -> bool:
        return self._run("insert", self._store.insert, key, record)

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        return self._run("replace", self._store.replace, key, record, seen)

    def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        return self._run("touch", self._store.touch, key, used_at, expires_at, seen)

    def delete(self, key: bytes) -> None:
        return self._run("delete", self._store.delete, key)


class AsyncFailingStore:
    """As `FailingStore`, for asyncio."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self.down: bool = False
        self.lost_replies: int = 0
        self.calls: list[str] = []

    async def _run(self, name: str, operation: Callable[..., Coroutine[Any, Any, _T]], *arguments: object) -> _T:
        self.calls.append(name)
        if self.down:
            raise StoreError("the store is down, as the test wants it")
        result = await operation(*arguments)
        if self.lost_replies > 0:
            self.lost_replies -= 1
            raise StoreError("the answer of the store is lost, as the test wants it")
        return result

    async def read(self, key: bytes) -> StoredRecord | None:
        return await self._run("read", self._store.read, key)

    async def insert(self, key: bytes, record: StoredRecord) -> bool:
        return await self._run("insert", self._store.insert, key, record)

    async def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        return await self._run("replace", self._store.replace, key, record, seen)

    async def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        return await self._run("touch", self._store.touch, key, used_at, expires_at, seen)

    async def delete(self, key: bytes) -> None:
        return await self._run("delete", self._store.delete, key)
