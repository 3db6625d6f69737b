"""To a cluster and back: each question goes to the server that has the key.

redis-py has a client for clusters too. Its async one, up to 8.1, gives tasks that run
beside each other an `AttributeError` while a slot moves, for it closes connections that
others use; and it sends `ASKING` over one connection and the command over another.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import redis
from redis.exceptions import AskError, ClusterDownError, MovedError
from redis.exceptions import ConnectionError as Disconnected

from coatcheck.stores.redis_async_link import AsyncLink
from coatcheck.stores.redis_link import Link
from coatcheck.stores.redis_slots import ASKING, HOPS, Slots, known, slot_of, target
from coatcheck.stores.redis_url import RedisSettings


class ClusterLink(Link):
    """Asks the server that has the key."""

    def __init__(self, settings: RedisSettings) -> None:
        super().__init__(settings)
        self._links: dict[tuple[str, int], Link] = {}
        self._slots: Slots | None = None

    def run(self, commands: tuple[bytes, ...], name: bytes) -> bytes | int | None:
        slot = slot_of(name)
        slots = self._slots or self._learn()
        server = slots.owner(slot)
        first: tuple[bytes, ...] = ()
        for _ in range(HOPS):
            try:
                return self._link(server).run(first + commands, name)
            except MovedError as moved:
                server, first = target(moved, server), ()
                slots.move(slot, server)
            except AskError as ask:
                server, first = target(ask, server), (ASKING,)
            except (redis.TimeoutError, TimeoutError):
                # It may have a successor, whom the next question reaches. This one is not asked twice.
                self._slots = None
                self._put_last(server)
                raise
            except (Disconnected, OSError):
                successor = None
                with suppress(Disconnected, redis.TimeoutError, OSError):
                    slots = self._learn()
                    successor = slots.owner(slot)
                if successor is None or successor == server:
                    raise
                server, first = successor, ()
        raise ClusterDownError("the servers send us round in circles")

    def _link(self, server: tuple[str, int]) -> Link:
        return self._links.get(server) or self._links.setdefault(server, Link(self._settings, server))

    def _learn(self) -> Slots:
        settings = self._settings
        by, told = self._ask_any("CLUSTER", "SLOTS", username=settings.user, password=settings.password)
        slots = self._slots = Slots(told, by)
        self._hosts = known(slots, settings.hosts)
        for server in list(self._links):
            if server not in slots.owners and (link := self._links.pop(server, None)) is not None:
                link.close()
        return slots

    def close(self) -> None:
        """Closes every connection that nobody uses now."""
        for link in list(self._links.values()):
            link.close()


class AsyncClusterLink(AsyncLink):
    """As `ClusterLink`, for asyncio."""

    def __init__(self, settings: RedisSettings) -> None:
        super().__init__(settings)
        self._links: dict[tuple[str, int], AsyncLink] = {}
        self._slots: Slots | None = None

    async def run(self, commands: tuple[bytes, ...], name: bytes) -> Any:
        slot = slot_of(name)
        slots = self._slots or await self._learn()
        server = slots.owner(slot)
        first: tuple[bytes, ...] = ()
        for _ in range(HOPS):
            try:
                return await self._link(server).run(first + commands, name)
            except MovedError as moved:
                server, first = target(moved, server), ()
                slots.move(slot, server)
            except AskError as ask:
                server, first = target(ask, server), (ASKING,)
            except (redis.TimeoutError, TimeoutError):
                self._slots = None
                self._put_last(server)
                raise
            except (Disconnected, OSError):
                successor = None
                with suppress(Disconnected, redis.TimeoutError, OSError):
                    slots = await self._learn()
                    successor = slots.owner(slot)
                if successor is None or successor == server:
                    raise
                server, first = successor, ()
        raise ClusterDownError("the servers send us round in circles")

    def _link(self, server: tuple[str, int]) -> AsyncLink:
        return self._links.get(server) or self._links.setdefault(server, AsyncLink(self._settings, server))

    async def _learn(self) -> Slots:
        settings = self._settings
        by, told = await self._ask_any("CLUSTER", "SLOTS", username=settings.user, password=settings.password)
        slots = self._slots = Slots(told, by)
        self._hosts = known(slots, settings.hosts)
        for server in list(self._links):
            if server not in slots.owners and (link := self._links.pop(server, None)) is not None:
                await link.close()
        return slots

    async def close(self) -> None:
        """Closes every connection that nobody uses now."""
        for link in list(self._links.values()):
            await link.close()
