"""`memory:`, for tests and for a program of one process. What it holds ends with the process."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Self

from coatcheck.core.record import StoredRecord
from coatcheck.errors import StoreError
from coatcheck.stores.url import StoreURL


class MemoryStore:
    """Keeps records in a dict.

    Args:
        limit: the most records. Where it is reached, expired ones go first, and if
            there are none, a new one is refused with `StoreError`: throwing out
            another visitor's session would let anyone end the sessions of all.
        clock: gives seconds since 1970.
    """

    def __init__(self, *, limit: int = 100_000, clock: Callable[[], float] = time.time) -> None:
        self._limit = limit
        self._clock = clock
        self._records: dict[bytes, StoredRecord] = {}
        self._lock = Lock()
        self._version = 0
        # Nothing expires before: looking would cost each new session a walk through all of a full store.
        self._next_expiry = 0.0

    @classmethod
    def from_url(cls, url: StoreURL) -> Self:
        """`memory:?limit=100000`"""
        url.check(("limit",))
        return cls(limit=url.count("limit", 100_000))

    def __repr__(self) -> str:
        return f"<MemoryStore, {len(self._records)} records>"

    def _alive(self, key: bytes) -> StoredRecord | None:
        record = self._records.get(key)
        return None if record is None or record.expires_at <= self._clock() else record

    def _put(self, key: bytes, record: StoredRecord) -> bool:
        self._version += 1
        self._records[key] = record._replace(version=self._version)
        return True

    def read(self, key: bytes) -> StoredRecord | None:
        return self._alive(key)

    def insert(self, key: bytes, record: StoredRecord) -> bool:
        with self._lock:
            if self._alive(key) is not None:
                return False
            if len(self._records) >= self._limit and key not in self._records:
                if self._clock() >= self._next_expiry:
                    self._sweep(self._limit)
                    self._next_expiry = min((kept.expires_at for kept in self._records.values()), default=0)
                if len(self._records) >= self._limit:
                    raise StoreError(f"the memory store is full: it keeps at most {self._limit} sessions")
            return self._put(key, record)

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        with self._lock:
            present = self._alive(key)
            return present is not None and present.version == seen and self._put(key, record)

    def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        with self._lock:
            present = self._alive(key)
            if present is None or present.version != seen:
                return False
            self._records[key] = present._replace(used_at=used_at, expires_at=expires_at)
            return True

    def delete(self, key: bytes) -> None:
        with self._lock:
            self._records.pop(key, None)

    def sweep(self, limit: int = 1000) -> int:
        """As `Sweeping.sweep`, but it looks at every record."""
        with self._lock:
            return self._sweep(limit)

    def _sweep(self, limit: int) -> int:
        now = self._clock()
        expired = [key for key, record in self._records.items() if record.expires_at <= now][:limit]
        for key in expired:
            del self._records[key]
        return len(expired)

    def owned_by(self, owner: bytes) -> list[tuple[bytes, StoredRecord]]:
        """As `Index.owned_by`, but it looks at every record."""
        with self._lock:
            found = [entry for entry in self._records.items() if owner and entry[1].owner == owner]
        alive = [(key, record) for key, record in found if record.expires_at > self._clock()]
        return sorted(alive, key=lambda entry: -entry[1].used_at)
