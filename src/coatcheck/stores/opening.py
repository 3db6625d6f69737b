"""Which URL is which store. Each store's module is imported when it is first asked for: it may need a package."""

from __future__ import annotations

import time
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, TypeAlias

from coatcheck.errors import UsageError
from coatcheck.stores.protocols import AsyncStore, Store
from coatcheck.stores.url import StoreURL

Clock: TypeAlias = Callable[[], float]


def _memory(url: StoreURL, clock: Clock) -> Store:
    from coatcheck.stores.memory import MemoryStore  # noqa: PLC0415

    return MemoryStore.from_url(url, clock=clock)


def _sqlite(url: StoreURL, clock: Clock) -> Store:
    from coatcheck.stores.sqlite import SQLiteStore  # noqa: PLC0415

    return SQLiteStore.from_url(url, clock=clock)


def _redis(url: StoreURL, clock: Clock) -> Store:
    from coatcheck.stores.redis import RedisStore  # noqa: PLC0415

    return RedisStore.from_url(url, clock=clock)


def _async_redis(url: StoreURL, clock: Clock) -> AsyncStore:
    from coatcheck.stores.redis import AsyncRedisStore  # noqa: PLC0415

    return AsyncRedisStore.from_url(url, clock=clock)


def _sql(url: StoreURL, clock: Clock) -> Store:
    from coatcheck.stores.sql import SQLStore  # noqa: PLC0415

    return SQLStore.from_url(url, clock=clock)


def _async_sql(url: StoreURL, clock: Clock) -> AsyncStore:
    from coatcheck.stores.sql import AsyncSQLStore  # noqa: PLC0415

    return AsyncSQLStore.from_url(url, clock=clock)


def _memcached(url: StoreURL, clock: Clock) -> Store:
    from coatcheck.stores.memcached import MemcachedStore  # noqa: PLC0415

    return MemcachedStore.from_url(url, clock=clock)


def _async_memcached(url: StoreURL, clock: Clock) -> AsyncStore:
    from coatcheck.stores.memcached import AsyncMemcachedStore  # noqa: PLC0415

    return AsyncMemcachedStore.from_url(url, clock=clock)


# By what stands before the first plus sign of the scheme.
_SYNC: dict[str, Callable[[StoreURL, Clock], Store]] = {
    "memory": _memory,
    "sqlite": _sqlite,
    **dict.fromkeys(("redis", "rediss", "valkey", "valkeys"), _redis),
    **dict.fromkeys(("postgresql", "mysql", "mariadb"), _sql),
    "memcached": _memcached,
}
_ASYNC: dict[str, Callable[[StoreURL, Clock], AsyncStore]] = {
    **dict.fromkeys(("redis", "rediss", "valkey", "valkeys"), _async_redis),
    **dict.fromkeys(("postgresql", "mysql", "mariadb"), _async_sql),
    "memcached": _async_memcached,
}


def open_store(url: str, *, clock: Clock = time.time, **options: Any) -> Store:
    """Gives the store that a URL names. It connects at the first operation.

    `options` are those of the URL's query, and win over it. `clock` gives seconds since
    1970: what has expired by it is gone.

    Raises `UsageError` for a URL or an option that cannot be right, and
    `ImportError`, with what to install, where a package is missing.
    """
    parsed = StoreURL.parse(url, **options)
    opener = _SYNC.get(parsed.scheme.partition("+")[0])
    if opener is None:
        raise UsageError(_unknown(parsed.scheme))
    return opener(parsed, clock)


def open_async_store(url: str, *, clock: Clock = time.time, **options: Any) -> AsyncStore:
    """As `open_store`, for asyncio. A store that is sync by nature works in threads."""
    parsed = StoreURL.parse(url, **options)
    kind = parsed.scheme.partition("+")[0]
    opener = _ASYNC.get(kind)
    if opener is not None:
        return opener(parsed, clock)
    if kind in _SYNC:
        from coatcheck.stores.threaded import ThreadedStore  # noqa: PLC0415  # asyncio, which sync programs do without

        return ThreadedStore(_SYNC[kind](parsed, clock))
    raise UsageError(_unknown(parsed.scheme))


class Opened(dict[str, Any]):
    """Stores by the URLs that they were opened from.

    A configuration may be built anew, and has the same stores then. They go by the clock of the latest one.
    """

    clock: Clock = staticmethod(time.time)

    def now(self) -> float:
        return self.clock()


def _unknown(scheme: str) -> str:
    close = get_close_matches(scheme, _SYNC, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(_SYNC)}, as in redis://localhost:6379/0"
    return f"there is no store {scheme!r}; {hint}"
