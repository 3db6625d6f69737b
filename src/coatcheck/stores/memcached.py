"""memcached: fast, on one server or several, and what it holds ends with its process.

Sync through pymemcache; for asyncio we speak the protocol ourselves, five commands of it.
aiomcache 0.8.2 hands a connection on with the answer to a cancelled task still in it, has
no time-outs and holds up the event loop for ever where a connection ends in an answer
(aio-libs/aiomcache#91, #502); emcache 1.3.3 makes each operation wait out its time-out
where the server refuses or ends the connection, and comes back to it after up to a minute.
"""

from __future__ import annotations

import time
from binascii import hexlify
from collections.abc import Callable
from typing import Self

try:
    import pymemcache  # noqa: F401
except ImportError as _error:
    raise ImportError("coatcheck.stores.memcached needs pymemcache: pip install 'coatcheck[memcached]'") from _error

from coatcheck.core.record import StoredRecord
from coatcheck.stores.memcached_async_link import AsyncLink
from coatcheck.stores.memcached_link import Link
from coatcheck.stores.memcached_record import Seen, from_value, to_expiry, to_value
from coatcheck.stores.memcached_ring import Ring
from coatcheck.stores.memcached_url import MemcachedSettings, place
from coatcheck.stores.url import StoreURL

__all__ = ["AsyncMemcachedStore", "MemcachedSettings", "MemcachedStore"]


class _Named:
    """What both stores have."""

    def __init__(self, settings: MemcachedSettings, *, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._prefix = settings.prefix
        self._clock = clock

    @classmethod
    def from_url(cls, url: StoreURL, *, clock: Callable[[], float] = time.time) -> Self:
        """`memcached://host:11211,host2:11211/?timeout=2&prefix=shop:`: see docs/stores/memcached.md"""
        return cls(MemcachedSettings.from_url(url), clock=clock)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self._settings.place}>"

    def _name(self, key: bytes) -> bytes:
        return self._prefix + hexlify(key)

    def _alive(self, seen: object) -> Seen | None:
        """Gives the version of a record that was alive when it was seen, if it still is."""
        return seen if isinstance(seen, Seen) and seen.expires_at > self._clock() else None

    def _entry(self, content: bytes, used_at: int, expires_at: int) -> tuple[bytes, int]:
        return to_value(content, used_at, expires_at), to_expiry(expires_at, self._clock())


class MemcachedStore(_Named):
    """Keeps each record under one key, which the server forgets when it expires, or when it needs the memory.

    Args:
        settings: where, and for how long.
        clock: gives seconds since 1970.
    """

    def __init__(self, settings: MemcachedSettings, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(settings, clock=clock)
        links = {place(address): Link(address, settings, label) for address, label in settings.labelled()}
        self._links = list(links.values())
        self._ring = Ring(links)

    def read(self, key: bytes) -> StoredRecord | None:
        found = self._ring.of(key).read(self._name(key))
        return None if found is None else from_value(found, self._clock())

    def insert(self, key: bytes, record: StoredRecord) -> bool:
        link, name = self._ring.of(key), self._name(key)
        value, expiry = self._entry(record.content, record.used_at, record.expires_at)
        if link.add(name, value, expiry):
            return True
        # Seldom: there is one, or what the server has not forgotten yet.
        found = link.read(name)
        if found is None:
            return link.add(name, value, expiry)
        is_free = from_value(found, self._clock()) is None
        return is_free and link.cas(name, value, expiry, found.cas, found.run)

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        version = self._alive(seen)
        if version is None:
            return False
        value, expiry = self._entry(record.content, record.used_at, record.expires_at)
        return self._ring.of(key).cas(self._name(key), value, expiry, version.cas, version.run)

    def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        # memcached's own `touch` knows nothing of the times that we keep. This writes the content that was
        # seen with new times, if nobody has written since.
        version = self._alive(seen)
        if version is None:
            return False
        value, expiry = self._entry(version.content, used_at, expires_at)
        return self._ring.of(key).cas(self._name(key), value, expiry, version.cas, version.run)

    def delete(self, key: bytes) -> None:
        self._ring.of(key).delete(self._name(key))

    def close(self) -> None:
        """Closes the connections that nobody uses now."""
        for link in self._links:
            link.close()


class AsyncMemcachedStore(_Named):
    """As `MemcachedStore`, for asyncio. All tasks share one connection to each server."""

    def __init__(self, settings: MemcachedSettings, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(settings, clock=clock)
        links = {place(address): AsyncLink(address, settings, label) for address, label in settings.labelled()}
        self._links = list(links.values())
        self._ring = Ring(links)

    async def read(self, key: bytes) -> StoredRecord | None:
        found = await self._ring.of(key).read(self._name(key))
        return None if found is None else from_value(found, self._clock())

    async def insert(self, key: bytes, record: StoredRecord) -> bool:
        link, name = self._ring.of(key), self._name(key)
        value, expiry = self._entry(record.content, record.used_at, record.expires_at)
        if await link.add(name, value, expiry):
            return True
        found = await link.read(name)
        if found is None:
            return await link.add(name, value, expiry)
        is_free = from_value(found, self._clock()) is None
        return is_free and await link.cas(name, value, expiry, found.cas, found.run)

    async def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        version = self._alive(seen)
        if version is None:
            return False
        value, expiry = self._entry(record.content, record.used_at, record.expires_at)
        return await self._ring.of(key).cas(self._name(key), value, expiry, version.cas, version.run)

    async def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        version = self._alive(seen)
        if version is None:
            return False
        value, expiry = self._entry(version.content, used_at, expires_at)
        return await self._ring.of(key).cas(self._name(key), value, expiry, version.cas, version.run)

    async def delete(self, key: bytes) -> None:
        await self._ring.of(key).delete(self._name(key))

    async def close(self) -> None:
        """Closes the connections."""
        for link in self._links:
            await link.close()
