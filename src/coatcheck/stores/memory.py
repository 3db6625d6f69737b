"""`memory:`, for tests and for a program of one process. What it holds ends with the process."""

from __future__ import annotations

import time
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from threading import Lock
from typing import Self

from coatcheck.core.record import StoredRecord
from coatcheck.errors import StoreError, UsageError
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
        self.limit = limit
        self._clock = clock
        self._records: dict[bytes, StoredRecord] = {}
        self._lock = Lock()
        self._version = 0
        # When to look at which record: at its `expires_at`, or before. Some are of records that are gone.
        self._due: list[tuple[int, bytes]] = []

    @classmethod
    def from_url(cls, url: StoreURL, *, clock: Callable[[], float] = time.time) -> Self:
        """`memory:?limit=100000`"""
        url.check(("limit",))
        if url.hosts or url.user or url.password or url.path.strip("/"):
            raise UsageError("a memory store is at no place: its URL is memory:")
        return cls(limit=url.count("limit", 100_000), clock=clock)

    def __repr__(self) -> str:
        return f"<MemoryStore, {len(self._records)} records>"

    def _alive(self, key: bytes) -> StoredRecord | None:
        record = self._records.get(key)
        return None if record is None or record.expires_at <= self._clock() else record

    def _put(self, key: bytes, record: StoredRecord) -> bool:
        self._version += 1
        self._keep(key, record._replace(version=self._version))
        return True

    def _keep(self, key: bytes, record: StoredRecord) -> None:
        present = self._records.get(key)
        self._records[key] = record
        if present is None or record.expires_at < present.expires_at:
            heappush(self._due, (record.expires_at, key))
            if len(self._due) > 2 * len(self._records) + 1000:
                # Rarely enough for it to cost next to nothing each time.
                self._due = [(kept.expires_at, key) for key, kept in self._records.items()]
                heapify(self._due)

    def read(self, key: bytes) -> StoredRecord | None:
        return self._alive(key)

    def insert(self, key: bytes, record: StoredRecord) -> bool:
        with self._lock:
            if self._alive(key) is not None:
                return False
            is_full = len(self._records) >= self.limit and key not in self._records
            if is_full and not self._sweep(1):
                raise StoreError(f"the memory store is full: it keeps at most {self.limit} sessions")
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
            self._keep(key, present._replace(used_at=used_at, expires_at=expires_at))
            return True

    def delete(self, key: bytes) -> None:
        with self._lock:
            self._records.pop(key, None)

    def sweep(self, limit: int = 1000) -> int:
        """As `Sweeping.sweep`."""
        with self._lock:
            return self._sweep(limit)

    def _sweep(self, limit: int) -> int:
        now, removed = self._clock(), 0
        while removed < limit and self._due and self._due[0][0] <= now:
            _, key = heappop(self._due)
            record = self._records.get(key)
            if record is None:
                continue
            if record.expires_at > now:
                # It was used since.
                heappush(self._due, (record.expires_at, key))
            else:
                del self._records[key]
                removed += 1
        return removed

    def owned_by(self, owner: bytes) -> list[tuple[bytes, StoredRecord]]:
        """As `Index.owned_by`, but it looks at every record."""
        with self._lock:
            found = [entry for entry in self._records.items() if owner and entry[1].owner == owner]
        alive = [(key, record) for key, record in found if record.expires_at > self._clock()]
        return sorted(alive, key=lambda entry: -entry[1].used_at)
