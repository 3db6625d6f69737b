"""Redis, and Valkey, which speaks the same protocol: alone, behind sentinels, or as a cluster."""

from __future__ import annotations

import time
from binascii import hexlify
from collections.abc import Callable
from typing import Self

try:
    import redis  # noqa: F401
except ImportError as _error:
    raise ImportError("coatcheck.stores.redis needs redis-py: pip install 'coatcheck[redis]'") from _error

from coatcheck.core.record import StoredRecord
from coatcheck.stores.redis_async_link import AsyncLink
from coatcheck.stores.redis_cluster import AsyncClusterLink, ClusterLink
from coatcheck.stores.redis_link import Link
from coatcheck.stores.redis_record import (
    DELETE,
    INSERT,
    INSERT_ANEW,
    READ,
    REPLACE,
    TOUCH,
    from_value,
    to_seconds,
    to_times,
    to_value,
)
from coatcheck.stores.redis_url import CLUSTER, RedisSettings
from coatcheck.stores.url import StoreURL

__all__ = ["AsyncRedisStore", "RedisSettings", "RedisStore"]


class _Named:
    """What both stores have. A key of Redis is the prefix and the key of the record in hexadecimal digits: the handle
    that stands in a log is what one types into redis-cli."""

    def __init__(self, settings: RedisSettings, *, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._prefix = settings.prefix
        self._clock = clock

    @classmethod
    def from_url(cls, url: StoreURL, *, clock: Callable[[], float] = time.time) -> Self:
        """`redis://user:password@host:6379/0?timeout=2&prefix=shop:` and its relatives: see docs/stores/redis.md"""
        return cls(RedisSettings.from_url(url), clock=clock)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, {self._settings.place}>"


class RedisStore(_Named):
    """Keeps each record under one key, which expires with it.

    Args:
        settings: where, as whom and for how long.
        clock: gives seconds since 1970.
    """

    def __init__(self, settings: RedisSettings, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(settings, clock=clock)
        self._link = ClusterLink(settings) if settings.form == CLUSTER else Link(settings)

    def read(self, key: bytes) -> StoredRecord | None:
        return from_value(self._link.ask(READ, self._prefix + hexlify(key)), self._clock())

    def insert(self, key: bytes, record: StoredRecord) -> bool:
        now = self._clock()
        name, value, seconds = self._prefix + hexlify(key), to_value(record), to_seconds(record.expires_at, now)
        if self._link.ask(INSERT, name, value, b"EX", seconds, b"NX"):
            return True
        return bool(self._link.ask(INSERT_ANEW, name, value, seconds, b"%d" % now))

    def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        if not isinstance(seen, bytes):
            return False
        now = self._clock()
        name, value, seconds = self._prefix + hexlify(key), to_value(record), to_seconds(record.expires_at, now)
        return bool(self._link.ask(REPLACE, name, seen, value, seconds, b"%d" % now))

    def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        now = self._clock()
        name, version = self._prefix + hexlify(key), seen if isinstance(seen, bytes) else b""
        times, seconds = to_times(used_at, expires_at), to_seconds(expires_at, now)
        return bool(self._link.ask(TOUCH, name, version, times, seconds, b"%d" % now))

    def delete(self, key: bytes) -> None:
        self._link.ask(DELETE, self._prefix + hexlify(key))

    def close(self) -> None:
        """Closes the connections. The store connects again when it is asked again."""
        self._link.close()


class AsyncRedisStore(_Named):
    """As `RedisStore`, for asyncio. Its connections belong to the event loop that is running."""

    def __init__(self, settings: RedisSettings, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(settings, clock=clock)
        self._link = AsyncClusterLink(settings) if settings.form == CLUSTER else AsyncLink(settings)

    async def read(self, key: bytes) -> StoredRecord | None:
        return from_value(await self._link.ask(READ, self._prefix + hexlify(key)), self._clock())

    async def insert(self, key: bytes, record: StoredRecord) -> bool:
        now = self._clock()
        name, value, seconds = self._prefix + hexlify(key), to_value(record), to_seconds(record.expires_at, now)
        if await self._link.ask(INSERT, name, value, b"EX", seconds, b"NX"):
            return True
        return bool(await self._link.ask(INSERT_ANEW, name, value, seconds, b"%d" % now))

    async def replace(self, key: bytes, record: StoredRecord, seen: object) -> bool:
        if not isinstance(seen, bytes):
            return False
        now = self._clock()
        name, value, seconds = self._prefix + hexlify(key), to_value(record), to_seconds(record.expires_at, now)
        return bool(await self._link.ask(REPLACE, name, seen, value, seconds, b"%d" % now))

    async def touch(self, key: bytes, used_at: int, expires_at: int, seen: object) -> bool:
        now = self._clock()
        name, version = self._prefix + hexlify(key), seen if isinstance(seen, bytes) else b""
        times, seconds = to_times(used_at, expires_at), to_seconds(expires_at, now)
        return bool(await self._link.ask(TOUCH, name, version, times, seconds, b"%d" % now))

    async def delete(self, key: bytes) -> None:
        await self._link.ask(DELETE, self._prefix + hexlify(key))

    async def close(self) -> None:
        """Closes the connections. The store connects again when it is asked again."""
        await self._link.close()
