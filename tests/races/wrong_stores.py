"""Stores with which races are lost. They show that the tests of this folder see it."""

from __future__ import annotations

from coatcheck.core.record import StoredRecord
from coatcheck.stores.memory import MemoryStore


class Careless(MemoryStore):
    """Its `replace` does not look at the version."""

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        with self._lock:
            return self._alive(key) is not None and self._put(key, record)


class Reviving(MemoryStore):
    """Its `replace` brings back what is gone."""

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        return super().replace(key, record, seen) or self.insert(key, record)


class Overwriting(MemoryStore):
    """Its `insert` takes the place of what is there."""

    def insert(self, key: bytes, record: StoredRecord) -> bool:
        with self._lock:
            return self._put(key, record)
